// A line between the pages and the server that can be held, so that nothing moves, and cut. TCP in, TCP out.

import { connect, createServer } from "node:net";
import { once } from "node:events";

/** A relay on a port of its own. What is done to it concerns the connections that are open then, not later ones. */
export class Line {
  #pairs = new Set();

  /** Opens a relay to the server behind `url`; its own `url` is the one to visit. */
  static async open(url) {
    const line = new Line();
    const { hostname, port } = new URL(url);
    line.server = createServer((near) => line.#join(near, connect(Number(port), hostname)));
    line.server.listen(0, "127.0.0.1");
    await once(line.server, "listening");
    line.url = `http://127.0.0.1:${line.server.address().port}/`;
    return line;
  }

  #join(near, far) {
    const pair = { near, far };
    this.#pairs.add(pair);
    for (const [from, to] of [[near, far], [far, near]]) {
      from.on("error", () => to.destroy());
      from.on("close", () => this.#pairs.delete(pair));
      from.pipe(to);
    }
  }

  /** Stops reading from both ends. */
  hold() {
    for (const { near, far } of this.#pairs) {
      near.unpipe(far).pause();
      far.unpipe(near).pause();
    }
  }

  /** Lets everything through again. */
  release() {
    for (const { near, far } of this.#pairs) {
      near.pipe(far);
      far.pipe(near);
    }
  }

  /** Ends all connections without a word. */
  cut() {
    for (const { near, far } of this.#pairs) {
      near.resetAndDestroy();
      far.destroy();
    }
  }

  close() {
    this.cut();
    this.server.close();
  }
}
