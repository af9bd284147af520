// What the page says about its connection: the dot and the word at the top, the banner with the reason, and the time to the
// server. A link's changes of state in, words out.

/** The state of the connection, in words. */
export class Status {
  #element;
  #latency;
  #link = null;
  #note = () => {};
  #watching = new AbortController();
  #ticking = 0;
  #awaySince = null;
  #wasOpen = false;

  /** `element` finds an element by its id; `latency` is started and stopped with the connection. */
  constructor(element, latency) {
    this.#element = element;
    this.#latency = latency;
    latency.addEventListener("figure", ({ detail }) => this.#showFigure(detail));
    latency.addEventListener("silence", ({ detail }) => this.#link.replace(detail));
    element("retry").addEventListener("click", () => this.#link.retry());
    addEventListener("offline", () => this.#show());
    addEventListener("online", () => this.#show());
  }

  /** Follows `link` from now on; `note` adds a line to the list of messages. */
  watch(link, note) {
    this.#watching.abort();
    this.#watching = new AbortController();
    this.#link = link;
    this.#note = note;
    this.#awaySince = null;
    this.#wasOpen = false;
    link.addEventListener("state", () => this.#changed(), { signal: this.#watching.signal });
  }

  /** Says something to those who listen to the page instead of looking at it. */
  announce(text) {
    this.#element("announce").textContent = text;
  }

  #changed() {
    const { state } = this.#link;
    if (state === "open") {
      this.#latency.start();
      this.#cameBack();
    } else {
      this.#latency.stop();
      this.#element("latency").hidden = true;
    }
    if (state === "waiting" || state === "stopped") {
      this.#wentAway();
    }
    this.#show();
  }

  #wentAway() {
    if (this.#awaySince === null) {
      this.#awaySince = performance.now();
      this.announce(this.#reason());
    }
  }

  #cameBack() {
    if (this.#awaySince !== null) {
      const seconds = Math.round((performance.now() - this.#awaySince) / 1000);
      const away = seconds < 90 ? `${Math.max(1, seconds)} s` : `${Math.round(seconds / 60)} min`;
      if (this.#wasOpen) {
        this.#note(`Back after ${away}. What others wrote in between did not reach you.`);
      }
      this.#awaySince = null;
      this.announce("Connected");
    }
    this.#wasOpen = true;
  }

  #show() {
    clearTimeout(this.#ticking);
    const { state } = this.#link;
    const away = this.#awaySince !== null;
    document.body.dataset.link = state === "connecting" && away ? "waiting" : state;
    this.#element("banner").hidden = !away;
    this.#element("retry").hidden = state === "connecting";
    this.#element("retry").textContent = state === "stopped" ? "Connect again" : "Try now";
    this.#element("state").textContent = this.#word();
    if (away && this.#link.ending !== null) {
      this.#element("banner-what").textContent = this.#reason();
      this.#element("banner-next").textContent = this.#next();
    }
    if (state === "waiting") {
      this.#ticking = setTimeout(() => this.#show(), TICK_MS);
    }
  }

  #word() {
    switch (this.#link.state) {
      case "open":
        return "Connected";
      case "connecting":
        return this.#awaySince === null ? "Connecting…" : "Reconnecting…";
      case "waiting":
        return navigator.onLine ? "Reconnecting…" : "Offline";
      default:
        return "Disconnected";
    }
  }

  /** Why the connection ended, with the code and the reason that the server gave. */
  #reason() {
    const { code, reason, text } = this.#link.ending;
    if (code === LOST) {
      return navigator.onLine ? `${text}.` : "This device is offline.";
    }
    return reason === "" ? `${text} (${code}).` : `${text} (${code}: ${reason}).`;
  }

  #next() {
    switch (this.#link.state) {
      case "waiting": {
        const seconds = Math.max(1, Math.ceil((this.#link.retryAt - performance.now()) / 1000));
        return `Trying again in ${seconds} s. What you write waits until then.`;
      }
      case "connecting":
        return "Trying again…";
      default:
        return "What you write waits until you connect again.";
    }
  }

  #showFigure(milliseconds) {
    const figure = milliseconds < 10 ? milliseconds.toFixed(1) : Math.round(milliseconds).toLocaleString();
    this.#element("latency").textContent = `${figure} ms`;
    this.#element("latency").hidden = false;
  }
}

const LOST = 1006;
const TICK_MS = 250;
