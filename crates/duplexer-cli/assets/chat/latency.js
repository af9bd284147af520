// The time to the server and back. A page cannot send pings, so this keeps a second, small WebSocket to the server's echo.
// A URL in; figures in milliseconds out, and word of a server that no longer answers. Runs only while the page is looked at.

import { Backoff } from "./backoff.js";

/** Measures every two seconds between `start` and `stop`. Dispatches `figure` and `silence`, both with milliseconds. */
export class Latency extends EventTarget {
  #url;
  #running = false;
  #socket = null;
  #backoff = new Backoff(RETRY_FIRST_MS, RETRY_MOST_MS);
  #timer = 0;
  #count = 0;

  constructor(url) {
    super();
    this.#url = url;
    document.addEventListener("visibilitychange", () => (document.hidden ? this.#close() : this.#open()));
  }

  start() {
    this.#running = true;
    this.#open();
  }

  stop() {
    this.#running = false;
    this.#close();
  }

  #open() {
    if (!this.#running || document.hidden || this.#socket !== null) return;
    clearTimeout(this.#timer);
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    socket.onopen = () => this.#ask();
    socket.onclose = () => this.#lost();
  }

  #close() {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    if (socket !== null) {
      socket.onopen = socket.onclose = socket.onmessage = null;
      socket.close();
      this.#socket = null;
    }
  }

  /** Sends a number and times its return. One question at a time. */
  #ask() {
    const question = `${(this.#count += 1)}`;
    const asked = performance.now();
    this.#socket.onmessage = ({ data }) => {
      if (data !== question) return;
      clearTimeout(this.#timer);
      this.#backoff.reset();
      this.#timer = setTimeout(() => this.#ask(), EVERY_MS);
      this.dispatchEvent(new CustomEvent("figure", { detail: performance.now() - asked }));
    };
    this.#socket.send(question);
    this.#timer = setTimeout(() => {
      this.#lost();
      this.dispatchEvent(new CustomEvent("silence", { detail: ANSWER_LIMIT_MS }));
    }, ANSWER_LIMIT_MS);
  }

  /** Tries again later and later: a server without an echo loses only this figure. */
  #lost() {
    this.#close();
    this.#timer = setTimeout(() => this.#open(), this.#backoff.next());
  }
}

const EVERY_MS = 2000;
const ANSWER_LIMIT_MS = 10_000;
const RETRY_FIRST_MS = 2000;
const RETRY_MOST_MS = 60_000;
