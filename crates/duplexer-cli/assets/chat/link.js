// The connection to a room, which comes back by itself. A URL in; messages and changes of state out, as events.
// Draws nothing.
//
//   start() ──▶ connecting ──open──▶ open
//                ▲   ▲  │ close        │ close
//        retry() │   │  ▼              ▼
//                │  waiting ◀──────────┤ the end may pass: 1001, 1006, 1012 …
//                │  (a timer, the      │
//                │   network's return, │
//                │   the tab's return) │
//                └── stopped ◀─────────┘ the end is meant: 1000, 1008, 4000 …
//
// stop() ends it in any state and for good.

import { Backoff } from "./backoff.js";

/** A WebSocket that is opened again when it is lost. Dispatches `state` and `message`. */
export class Link extends EventTarget {
  /** One of `connecting`, `open`, `waiting`, `stopped`. */
  state = "connecting";
  /** How the last connection ended, as `{code, reason, text}`; null before the first end and while open. */
  ending = null;
  /** When `waiting`: the moment of the next attempt, by `performance.now()`. */
  retryAt = 0;

  #outbox;
  #socket = null;
  #backoff = new Backoff(RETRY_FIRST_MS, RETRY_MOST_MS);
  #timer = 0;
  #heardAt = 0;
  #life = new AbortController();

  /** `outbox` is given the socket whenever it is open. */
  constructor(url, outbox) {
    super();
    this.url = url;
    this.#outbox = outbox;
  }

  start() {
    const { signal } = this.#life;
    // The network is back, the tab is looked at again, the page left the browser's cache: no reason to wait any longer.
    addEventListener("online", () => this.#hurry(), { signal });
    addEventListener("pageshow", () => this.#hurry(), { signal });
    document.addEventListener("visibilitychange", () => document.hidden || this.#hurry(), { signal });
    this.#connect();
  }

  /** Connects now, whatever the timer says. */
  retry() {
    if (this.state === "waiting" || this.state === "stopped") {
      this.#connect();
    }
  }

  /** Gives this connection up as lost and opens another, if it has been silent as long as the server's echo has. */
  replace(silentMs) {
    // On a narrow line a long upload delays the echo; as long as the upload moves, the line is alive.
    const aliveAt = Math.max(this.#heardAt, this.#outbox.movedAt);
    if (this.state === "open" && performance.now() - aliveAt >= silentMs) {
      this.#end(LOST, "");
    }
  }

  stop() {
    this.#life.abort();
    clearTimeout(this.#timer);
    this.#abandon();
  }

  #hurry() {
    if (this.state === "waiting") {
      this.#connect();
    }
  }

  #connect() {
    clearTimeout(this.#timer);
    const socket = new WebSocket(this.url, SUBPROTOCOL);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    socket.onopen = () => this.#opened();
    socket.onclose = ({ code, reason }) => this.#end(code, reason);
    socket.onmessage = ({ data }) => {
      this.#heardAt = performance.now();
      this.dispatchEvent(new CustomEvent("message", { detail: data }));
    };
    // Left alone, a browser waits minutes for a server that does not answer.
    this.#timer = setTimeout(() => this.#end(LOST, ""), OPEN_LIMIT_MS);
    this.#enter("connecting");
  }

  #opened() {
    clearTimeout(this.#timer);
    // A server that accepts and hangs up at once must not be asked again and again without a pause.
    this.#timer = setTimeout(() => this.#backoff.reset(), LASTING_MS);
    this.ending = null;
    this.#enter("open");
    this.#outbox.attach(this.#socket);
  }

  #end(code, reason) {
    clearTimeout(this.#timer);
    const opened = this.state === "open";
    this.#outbox.detach(code);
    this.#abandon();
    const { text, final, patience } = meaning(code, opened);
    this.ending = { code, reason, text };
    if (final) {
      this.#enter("stopped");
      return;
    }
    const wait = this.#backoff.next(patience);
    this.retryAt = performance.now() + wait;
    this.#timer = setTimeout(() => this.#connect(), wait);
    this.#enter("waiting");
  }

  /** Lets go of the socket; nothing that still comes from it is heard. */
  #abandon() {
    const socket = this.#socket;
    if (socket !== null) {
      socket.onopen = socket.onclose = socket.onmessage = null;
      socket.close();
      this.#socket = null;
    }
  }

  #enter(state) {
    this.state = state;
    this.dispatchEvent(new Event("state"));
  }
}

/** What a close code says to a person, whether it is meant to be final, and how long at least to stay away. */
function meaning(code, opened) {
  if (!opened && code === LOST) {
    return { text: "The server cannot be reached", final: false, patience: 0 };
  }
  const known = MEANINGS[code];
  if (known !== undefined) {
    const [text, final, patience] = known;
    return { text, final, patience };
  }
  return { text: "The server closed the connection", final: code >= PRIVATE_CODES, patience: 0 };
}

// The registered codes: what to say, whether to stay away for good, and for how many milliseconds at least.
const MEANINGS = {
  1000: ["The server ended the conversation", true, 0],
  1001: ["The server is restarting", false, 0],
  1002: ["The server did not understand this page", true, 0],
  1003: ["The server does not take this kind of message", true, 0],
  1005: ["The server closed the connection", false, 0],
  1006: ["The connection was lost", false, 0],
  1007: ["The server could not read the last message", true, 0],
  1008: ["The server does not allow this", true, 0],
  1009: ["The last message was too large for the server", false, 0],
  1011: ["Something went wrong in the server", false, 0],
  1012: ["The server is restarting", false, 0],
  1013: ["The server is busy", false, 5000],
  1014: ["A gateway lost the server", false, 0],
  3000: ["The server asks for a sign-in that this page does not have", true, 0],
  3003: ["The server does not let this page in", true, 0],
};

const SUBPROTOCOL = "chat";
const LOST = 1006;
const PRIVATE_CODES = 4000;
const RETRY_FIRST_MS = 500;
const RETRY_MOST_MS = 20_000;
const OPEN_LIMIT_MS = 10_000;
const LASTING_MS = 3000;
