// How long to wait before connecting again: longer each time, never the same for two pages.
// Knows no clock and no socket.

/** Waits of `first` milliseconds, doubled up to `most`, each shortened at random by up to a half. */
export class Backoff {
  #first;
  #most;
  #failures = 0;

  constructor(firstMs, mostMs) {
    this.#first = firstMs;
    this.#most = mostMs;
  }

  /** The next wait, at least `least` milliseconds where the server asked for patience. */
  next(leastMs = 0) {
    const full = Math.max(leastMs, Math.min(this.#most, this.#first * 2 ** this.#failures));
    this.#failures = Math.min(this.#failures + 1, FAILURES_MAX);
    // A server that restarts loses all its pages in the same instant; they must not all return in the same one.
    return full * (1 - Math.random() / 2);
  }

  /** Begins anew, once a connection has proved to last. */
  reset() {
    this.#failures = 0;
  }
}

const FAILURES_MAX = 16;
