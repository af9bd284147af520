// Every way in which a server can end a connection, and what the page then says and does. The server is played by the
// browser's tools here, since ours has no reason to close with most of these codes.

import { say } from "../stage.mjs";

const CODES = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1011, 1012, 1013, 3000, 4321];

export async function play(stage) {
  const facts = { endings: {} };
  for (const code of CODES) {
    facts.endings[code] = await ending(stage, code);
  }
  stage.step("attempts");
  facts.network_return = await networkReturn(stage);
  facts.hang_up = await hangUp(stage);
  facts.refused_file = await refusedFile(stage);
  facts.backoff = await backoff(stage);
  return facts;
}

/** What the page shows after a close with `code`. */
async function ending(stage, code) {
  const page = await stage.tab();
  await page.routeWebSocket(/\/rooms\//u, (socket) => setTimeout(() => socket.close({ code, reason: "the reason" }), 50));
  await page.goto(stage.url);
  await page.waitForSelector("#banner:not([hidden])");
  const shown = {
    what: await page.locator("#banner-what").textContent(),
    link: await page.evaluate(() => document.body.dataset.link),
    button: await page.locator("#retry").textContent(),
  };
  await page.context().close();
  return shown;
}

/** How many attempts were made before and right after the network came back, while a long wait was running. */
async function networkReturn(stage) {
  const page = await stage.tab();
  let attempts = 0;
  await page.routeWebSocket(/\/rooms\//u, (socket) => {
    attempts += 1;
    // A server that says it is busy is left alone for some seconds.
    setTimeout(() => socket.close({ code: 1013, reason: "" }), 20);
  });
  await page.goto(stage.url);
  await page.waitForSelector("body[data-link=waiting]");
  await page.context().setOffline(true);
  await page.waitForFunction(() => document.getElementById("state").textContent === "Offline");
  const before = attempts;
  await page.context().setOffline(false);
  await page.waitForTimeout(500);
  const after = attempts;
  await page.context().close();
  return { before, after };
}

/** How often in four seconds the page returns to a server that accepts it and hangs up at once. */
async function hangUp(stage) {
  const page = await stage.tab();
  let attempts = 0;
  await page.routeWebSocket(/\/rooms\//u, (socket) => {
    attempts += 1;
    setTimeout(() => socket.close({ code: 1011, reason: "" }), 5);
  });
  await page.goto(stage.url);
  await page.waitForTimeout(4000);
  await page.context().close();
  return attempts;
}

/** The fate of a message that the server found too large; it must not be sent again after the return. */
async function refusedFile(stage) {
  const page = await stage.tab();
  let received = 0;
  await page.routeWebSocket(/\/rooms\//u, (socket) => {
    socket.onMessage(() => {
      received += 1;
      if (received === 1) setTimeout(() => socket.close({ code: 1009, reason: "" }), 100);
    });
  });
  await page.goto(stage.url);
  await page.waitForSelector("body[data-link=open]");
  await say(page, "too much");
  await page.waitForSelector("[data-fate=refused]");
  await page.waitForSelector(".note");
  await say(page, "small enough");
  await page.waitForTimeout(300);
  const fate = await page.locator(".entry .fate").textContent();
  await page.context().close();
  return { fate, received };
}

/** The waits of a hundred pages: each wait's least and most, and those after a reset. */
async function backoff(stage) {
  const page = await stage.tab();
  await page.goto(stage.url);
  const waits = await page.evaluate(async () => {
    const { Backoff } = await import("/chat/backoff.js");
    return Array.from({ length: 100 }, () => {
      const backoff = new Backoff(500, 30_000);
      const row = Array.from({ length: 9 }, () => backoff.next());
      row.push(backoff.next(60_000));
      backoff.reset();
      row.push(backoff.next());
      return row;
    });
  });
  await page.context().close();
  const column = (index) => waits.map((row) => row[index]);
  return waits[0].map((_, index) => ({ least: Math.min(...column(index)), most: Math.max(...column(index)) }));
}
