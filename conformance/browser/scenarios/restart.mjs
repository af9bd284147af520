// The server is stopped under two pages and started again: both say why, keep what is written meanwhile, and come back.

import { connected, heard, say } from "../stage.mjs";

const ROOM = "restart";

export async function play(stage) {
  const [ann, ben] = [await stage.tab(), await stage.tab()];
  for (const [page, name] of [[ann, "Ann"], [ben, "Ben"]]) {
    await page.addInitScript(recordCloses);
    await stage.visit(page, ROOM, name);
  }
  await say(ann, "before");
  await heard(ben, "before");
  let attempts = 0;
  ann.on("websocket", (socket) => (attempts += socket.url().includes("/rooms/") ? 1 : 0));

  stage.step("the server stops");
  await stage.ask("stop");
  const facts = { reasons: [], closes: [] };
  for (const page of [ann, ben]) {
    await page.waitForSelector("body[data-link=waiting]");
    facts.reasons.push(await page.locator("#banner-what").textContent());
    facts.closes.push(...(await page.evaluate(() => window.closes.filter(({ wasClean }) => wasClean))));
  }
  await say(ann, "written while away");
  facts.fate = await ann.locator(".entry .fate span").textContent();
  await stage.screenshot(ann, "restart-away");
  // Long enough to see whether the page hammers at a closed door.
  await ann.waitForTimeout(4000);
  facts.attempts_while_away = attempts;

  stage.step("the server starts");
  await stage.ask("start");
  await Promise.all([connected(ann), connected(ben)]);
  facts.note = await ann.locator(".note").textContent();
  facts.banner_shown = await ann.locator("#banner").isVisible();
  // Ben may have come back later than Ann, whose waiting message then found the room empty; what counts is that it left.
  await ann.waitForFunction(() => document.querySelector("[data-fate=waiting], [data-fate=sending]") === null);
  facts.fate_after = await ann.locator(".entry.mine").last().getAttribute("data-fate");
  await say(ann, "after");
  facts.heard_by_ben = await heard(ben, "after");
  await say(ben, "here again");
  facts.heard_by_ann = await heard(ann, "here again");
  facts.entries_of_ann = await ann.locator(".entry .body").allTextContents();
  return facts;
}

/** Runs in the page before its own scripts: writes down how each WebSocket ends, whatever the page makes of it. */
function recordCloses() {
  window.closes = [];
  const Original = WebSocket;
  window.WebSocket = class extends Original {
    constructor(...args) {
      super(...args);
      this.addEventListener("close", ({ code, wasClean }) => closes.push({ path: new URL(this.url).pathname, code, wasClean }));
    }
  };
}
