// What this page has to send: it keeps the order, waits while there is no connection, and tells how far each message got.
// Messages in, the same messages with their fate out. Opens no socket and draws nothing.
//
// A message's fate, told in `change` events:
//
//   waiting ──▶ sending ──▶ sent
//      ▲           │ the connection ends before all of it has left
//      │           ▼
//      └──────── unsure          retry() puts it back, at the end
//
//   waiting, unsure ──▶ removed  by remove()
//   sending, sent ──▶ refused    the server closed with 1009, which names the last message
//
// "Sent" says that the browser has handed the bytes to the network. The protocol has no receipts, so no page can know more.

/** A queue of messages with a bound. */
export class Outbox extends EventTarget {
  /** When a message that is still on its way last got further, by `performance.now()`. */
  movedAt = -Infinity;

  #items = [];
  #socket = null;
  #handedBytes = 0;
  #leftBytes = 0;
  #last = null;
  #timer = 0;

  /** Whether `count` messages more, of `size` bytes together, would still fit. */
  fits(count, size) {
    const held = this.#items.reduce((sum, item) => sum + item.size, 0);
    return this.#items.length + count <= ITEMS_MAX && held + size <= BYTES_MAX;
  }

  /** The number of messages that have not left. */
  get length() {
    return this.#items.length;
  }

  /** Takes a message in, a string or a `Uint8Array`; the caller has asked `fits`. Returns what `change` will tell of. */
  add(payload, size) {
    const item = { payload, size, fate: "waiting", progress: 0, end: 0 };
    this.#items.push(item);
    this.#pump();
    return item;
  }

  /** Forgets a message that is not on its way. */
  remove(item) {
    if (item.fate === "waiting" || item.fate === "unsure") {
      this.#items = this.#items.filter((other) => other !== item);
      this.#tell(item, "removed");
    }
  }

  /** Sends a message again of which nobody knows whether it arrived. */
  retry(item) {
    if (item.fate === "unsure") {
      this.#items = this.#items.filter((other) => other !== item);
      this.#items.push(item);
      item.progress = 0;
      this.#tell(item, "waiting");
      this.#pump();
    }
  }

  /** Sends what waits over `socket`, which is open. */
  attach(socket) {
    this.#socket = socket;
    this.#handedBytes = 0;
    this.#leftBytes = 0;
    this.#last = null;
    this.#pump();
  }

  /** The socket has closed with `code`: what was on its way may or may not have arrived. */
  detach(code) {
    if (this.#socket === null) return;
    // What a browser held of a connection that broke is lost, and it may leave bufferedAmount a moment before it tells of the end.
    if (code !== BROKEN) this.#settle(true);
    clearTimeout(this.#timer);
    this.#socket = null;
    if (code === MESSAGE_TOO_BIG && this.#last !== null) {
      this.#items = this.#items.filter((item) => item !== this.#last);
      this.#tell(this.#last, "refused");
    }
    for (const item of this.#items.filter(({ fate }) => fate === "sending")) {
      this.#tell(item, "unsure");
    }
  }

  /** Hands messages to the socket, but only a little ahead of the network, so that the rest can still be removed. */
  #pump() {
    const socket = this.#socket;
    if (socket === null || socket.readyState !== WebSocket.OPEN) return;
    for (const item of this.#items) {
      if (item.fate !== "waiting") continue;
      if (socket.bufferedAmount > AHEAD_BYTES) break;
      socket.send(item.payload);
      this.#handedBytes += item.size;
      item.end = this.#handedBytes;
      item.gone = false;
      this.#last = item;
      this.#tell(item, "sending");
    }
    this.#watch();
  }

  /** Looks again soon, while anything is on its way: no event tells when `bufferedAmount` falls. */
  #watch() {
    clearTimeout(this.#timer);
    if (this.#items.some(({ fate }) => fate === "sending")) {
      this.#timer = setTimeout(() => {
        this.#settle();
        this.#pump();
      }, LOOK_MS);
    }
  }

  /** Works out from `bufferedAmount` how far each message on its way has got. Sent is what was gone before, or is `surely` gone now. */
  #settle(surely = false) {
    const left = this.#handedBytes - this.#socket.bufferedAmount;
    for (const item of this.#items.filter(({ fate }) => fate === "sending")) {
      if (left >= item.end && (item.gone || surely)) {
        item.payload = null;
        item.progress = 1;
        this.#tell(item, "sent");
      } else {
        item.gone = left >= item.end;
        item.progress = Math.min(1, Math.max(0, 1 - (item.end - left) / item.size));
        this.#tell(item, "sending");
      }
    }
    this.#items = this.#items.filter(({ fate }) => fate !== "sent");
    // The end of a message proves nothing, since the system swallows small ones whole when the network is long gone.
    if (left > this.#leftBytes && this.#items.some(({ fate, gone }) => fate === "sending" && !gone)) {
      this.movedAt = performance.now();
    }
    this.#leftBytes = left;
  }

  #tell(item, fate) {
    item.fate = fate;
    this.dispatchEvent(new CustomEvent("change", { detail: item }));
  }
}

const ITEMS_MAX = 200;
const BYTES_MAX = 64 * 1024 * 1024;
const AHEAD_BYTES = 1024 * 1024;
const LOOK_MS = 50;
const BROKEN = 1006;
const MESSAGE_TOO_BIG = 1009;
