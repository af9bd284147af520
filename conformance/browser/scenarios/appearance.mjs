// The page as people see it: a wide window and a phone, light and dark; empty, busy, and cut off. Leaves screenshots for eyes,
// and measures what can be measured: nothing sticks out, everything that can be operated has a name, text can be read.

import { connected, heard, picture, say, sendFiles } from "../stage.mjs";

const SHAPES = {
  desktop: { viewport: { width: 1200, height: 800 } },
  phone: { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true },
};

export async function play(stage) {
  const facts = { too_wide: [], nameless: [], pale: [], pictures: 0 };
  for (const [shape, options] of Object.entries(SHAPES)) {
    for (const colorScheme of ["light", "dark"]) {
      stage.step(`${shape}, ${colorScheme}`);
      const view = new View(stage, `${shape}-${colorScheme}`, facts);
      await view.play({ ...options, colorScheme, reducedMotion: "reduce" });
    }
  }
  return facts;
}

/** One shape of the page in one colour scheme. */
class View {
  constructor(stage, name, facts) {
    Object.assign(this, { stage, name, facts, sockets: [], cut: false });
  }

  async play(options) {
    const room = `garden-${this.name}`;
    const ann = await this.stage.tab(options);
    await ann.routeWebSocket(/\/rooms\//u, (socket) => this.relay(socket));
    await ann.goto(`${this.stage.url}#${room}`);
    await ann.waitForSelector("#latency:not([hidden])");
    await this.look(ann, "empty");
    await ann.fill("#name", "Ann");
    const ben = await this.stage.enter(room, "Ben Okafor", options);
    await this.talk(ann, ben);
    await this.look(ann, "busy");
    await this.chooseFiles(ann);
    await this.look(ann, "files");
    await ann.click("#room");
    await this.look(ann, "rooms");
    await ann.keyboard.press("Escape");
    await this.cutOff(ann);
    await this.look(ann, "reconnecting");
    await ann.click("#retry");
    await connected(ann);
    await ann.context().close();
    await ben.context().close();
  }

  /** Passes everything on to the real server, unless the line is cut. */
  relay(socket) {
    if (this.cut) {
      socket.close({ code: 1001, reason: "shutting down" });
      return;
    }
    socket.connectToServer();
    this.sockets.push(socket);
  }

  async talk(ann, ben) {
    await write(ann, "Morning! Has the new build been deployed yet?");
    await heard(ben, "Morning");
    await write(ben, "Just now. The release notes are at https://example.com/releases/2.4 if you want to have a look.");
    await write(
      ben,
      "One thing looks odd to me: after the switch, the first request takes noticeably longer than the others. I measured " +
        "it a few times, and it is always the same, about 180 ms for the first, then 3 ms.",
    );
    await heard(ann, "One thing looks odd");
    await sendFiles(ben, [{ name: "first-request-latency.png", mimeType: "image/png", buffer: await picture(ben, 900, 420) }]);
    await ann.waitForSelector(".picture img");
    await sendFiles(ann, [
      { name: "a-rather-long-name-for-a-profile-of-the-pool-2026-11-20.pb.gz", mimeType: "", buffer: Buffer.alloc(3_450_000) },
    ]);
    await write(ann, "Here is a profile. <b>Not bold.</b>");
    await heard(ben, "Here is a profile");
    await ben.evaluate(async (url) => {
      const socket = new WebSocket(url);
      await new Promise((resolve) => (socket.onopen = resolve));
      socket.send(`${"a-very-long-word-".repeat(8)}from a terminal`);
    }, `${this.stage.url.replace("http", "ws")}rooms/garden-${this.name}`);
    await heard(ann, "from a terminal");
  }

  async chooseFiles(page) {
    await page.setInputFiles("#files", [
      { name: "notes.txt", mimeType: "text/plain", buffer: Buffer.alloc(3450) },
      { name: "pool.png", mimeType: "image/png", buffer: await picture(page, 300, 200) },
      { name: "holiday-film.mp4", mimeType: "video/mp4", buffer: Buffer.alloc(20_000_000) },
    ]);
    await page.fill("#text", "And these two:");
    await page.waitForSelector("#problem:not([hidden])");
  }

  async cutOff(page) {
    this.cut = true;
    for (const socket of this.sockets) await socket.close({ code: 1001, reason: "shutting down" });
    await page.waitForSelector("body[data-link=waiting]");
    await page.click("#send");
    await page.waitForSelector("[data-fate=waiting]");
    // Later attempts wait longer, which leaves time for the picture.
    await page.waitForFunction(() => /in [2-9] s/u.test(document.getElementById("banner-next").textContent));
    this.cut = false;
  }

  async look(page, state) {
    const name = `${this.name}-${state}`;
    await this.stage.screenshot(page, name);
    this.facts.pictures += 1;
    const { wide, nameless, pale } = await page.evaluate(examine);
    this.facts.too_wide.push(...wide.map((what) => `${name}: ${what}`));
    this.facts.nameless.push(...nameless.map((what) => `${name}: ${what}`));
    this.facts.pale.push(...pale.map((what) => `${name}: ${what}`));
  }
}

/** Writes and sends, also where the return key only breaks the line. */
async function write(page, text) {
  await page.fill("#text", text);
  await page.click("#send");
}

/** Runs in the page: is it wider than its window, what can be operated without having a name, what is too pale to read? */
function examine() {
  const shown = (element) => element.checkVisibility() && element.getBoundingClientRect().width > 1;
  const nameless = [...document.querySelectorAll("button, a[href], input, textarea, [tabindex]")]
    .filter(shown)
    .filter((element) => {
      const labels = [...(element.labels ?? [])].map((label) => label.textContent).join("");
      return `${element.textContent}${element.ariaLabel ?? ""}${labels}`.trim() === "";
    })
    .map((element) => element.outerHTML.slice(0, 80));

  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return canvas.getImageData(0, 0, 1, 1).data;
  };
  const luminance = (colour) => {
    const [red, green, blue] = [...rgba(colour)].map((value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const ground = (element) => {
    for (let at = element; at !== null; at = at.parentElement) {
      const { backgroundColor } = getComputedStyle(at);
      if (rgba(backgroundColor)[3] > 250) return backgroundColor;
    }
    return "white";
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const pale = [];
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    // What only waits is drawn fainter on purpose, and says so in words.
    if (texts.currentNode.data.trim() === "" || !shown(element) || element.closest("noscript, [data-fate=waiting]")) continue;
    const [light, dark] = [luminance(getComputedStyle(element).color), luminance(ground(element))].sort((a, b) => b - a);
    const contrast = (light + 0.05) / (dark + 0.05);
    if (contrast < 4.5) pale.push(`${texts.currentNode.data.slice(0, 30)} (${contrast.toFixed(2)})`);
  }
  // The page clips what sticks out, so its own width would tell nothing. Only the row of chosen files may be scrolled sideways.
  const wide = [...document.body.querySelectorAll("*")]
    .filter((element) => shown(element) && element.closest("#tray, noscript") === null)
    .filter((element) => element.getBoundingClientRect().left < -1 || element.getBoundingClientRect().right > innerWidth + 1)
    .map((element) => element.outerHTML.slice(0, 80));
  return { wide, nameless, pale };
}
