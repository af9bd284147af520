// The browser, the pages in it, and the way to the test: what the scenarios have in common.

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

// Found through NODE_PATH, which `import` does not look at.
const { chromium } = createRequire(import.meta.url)("playwright-core");

/** A browser with its pages. */
export class Stage {
  /** What the pages wrote to their consoles as errors and warnings. */
  complaints = [];

  #answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

  /** Starts the browser with a fresh profile. */
  static async open(url) {
    const stage = new Stage();
    stage.url = url;
    stage.browser = await chromium.launch({
      executablePath: process.env.DUPLEXER_CHROMIUM,
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    });
    return stage;
  }

  async close() {
    await this.browser.close();
  }

  /** What all pages show. */
  async describe() {
    const pages = this.browser.contexts().flatMap((context) => context.pages());
    const texts = pages.map((page) => page.locator("body").innerText({ timeout: 1000 }).catch(String));
    return [...(await Promise.all(texts)), ...this.complaints].join("\n---\n");
  }

  /** A new tab with nothing in it, in a profile of its own. */
  async tab(options = {}) {
    const context = await this.browser.newContext({ viewport: { width: 1200, height: 800 }, ...options });
    context.setDefaultTimeout(WAIT_MS);
    const page = await context.newPage();
    page.on("pageerror", (error) => this.complaints.push(String(error)));
    page.on("console", (message) => {
      const text = message.text();
      // Chromium itself complains of servers that cannot be reached and of sockets given up early, which scenarios arrange.
      const arranged = /ERR_CONNECTION|ERR_INTERNET|closed before the connection/u.test(text);
      if (["error", "warning"].includes(message.type()) && !arranged) {
        this.complaints.push(text);
      }
    });
    return page;
  }

  /** A new tab in which `name` has entered `room`. */
  async enter(room, name, options = {}) {
    const page = await this.tab(options);
    await this.visit(page, room, name);
    return page;
  }

  /** Enters `room` as `name` in a tab that is already there, by another way to the server if there is one. */
  async visit(page, room, name, url = this.url) {
    await page.goto(`${url}#${encodeURIComponent(room)}`);
    await page.fill("#name", name);
    await page.press("#name", "Enter");
    await connected(page);
  }

  /** A WebSocket in a page of its own, as any other client would open it; its messages gather in `heard`. */
  async plainClient(path) {
    const page = await this.tab();
    await page.goto(`${this.url}#elsewhere`);
    await page.evaluate(async (url) => {
      window.heard = [];
      window.socket = new WebSocket(url);
      socket.binaryType = "arraybuffer";
      socket.onmessage = ({ data }) => heard.push(typeof data === "string" ? data : new TextDecoder().decode(data));
      await new Promise((resolve, reject) => Object.assign(socket, { onopen: resolve, onerror: reject }));
    }, new URL(path, this.url.replace("http", "ws")).href);
    return page;
  }

  /** Tells people how far the scenario is. */
  step(text) {
    this.tell({ step: text });
  }

  /** Asks the test to do something and waits until it has. */
  async ask(what) {
    this.tell({ ask: what });
    return (await this.#answers.next()).value;
  }

  tell(line) {
    console.log(JSON.stringify(line));
  }

  async screenshot(page, name) {
    // What moves has come to rest.
    await page.waitForTimeout(300);
    await page.screenshot({ path: `${process.env.DUPLEXER_SCREENSHOTS}/${name}.png` });
  }
}

/** Waits until a page says that it is connected. */
export async function connected(page) {
  await page.waitForSelector("body[data-link=open]", { timeout: WAIT_MS });
}

/** Writes a text and sends it. */
export async function say(page, text) {
  await page.fill("#text", text);
  await page.press("#text", "Enter");
}

/** Chooses files and waits until they are in the tray. */
export async function chooseFiles(page, files) {
  await page.setInputFiles("#files", files);
  await page.waitForFunction((count) => document.querySelectorAll("#tray li").length === count, files.length);
}

/** Chooses files and sends them. */
export async function sendFiles(page, files) {
  await chooseFiles(page, files);
  await page.click("#send");
}

/** Waits for the text message that holds `part` and returns who wrote it and all of its text. */
export async function heard(page, part) {
  const entry = page.locator(".entry", { has: page.locator(".body", { hasText: part }) }).last();
  await entry.waitFor();
  return {
    from: await entry.locator(".from").textContent(),
    text: await entry.locator(".body").evaluate((body) => body.textContent),
  };
}

/** Follows a link that saves a file; returns the name it is saved under, its length, and its hash. */
export async function saved(page, link) {
  const [download] = await Promise.all([page.waitForEvent("download"), link.click()]);
  const bytes = await readFile(await download.path());
  return { name: download.suggestedFilename(), length: bytes.length, sha256: sha256(bytes) };
}

export function sha256(bytes) {
  return createHash("sha256").update(bytes).digest("hex");
}

/** A photograph, as far as a browser can tell: drawn by `page` and packed as PNG. */
export async function picture(page, width, height) {
  const base64 = await page.evaluate(
    ([width, height]) => {
      const canvas = Object.assign(document.createElement("canvas"), { width, height });
      const context = canvas.getContext("2d");
      const sky = context.createLinearGradient(0, 0, width, height);
      sky.addColorStop(0, "#264653");
      sky.addColorStop(0.5, "#2a9d8f");
      sky.addColorStop(1, "#e9c46a");
      context.fillStyle = sky;
      context.fillRect(0, 0, width, height);
      context.strokeStyle = "#ffffff";
      context.lineWidth = 5;
      context.beginPath();
      for (let x = 0; x <= width; x += 10) {
        context.lineTo(x, height * (0.7 - 0.4 * Math.exp(-x / 120)) - Math.sin(x / 40) * 14);
      }
      context.stroke();
      return canvas.toDataURL("image/png").split(",")[1];
    },
    [width, height],
  );
  return Buffer.from(base64, "base64");
}

const WAIT_MS = 20_000;
