// Files on a bad line: how far one got, what waits behind it, what a cut does to it, and a line that falls silent.

import { randomBytes } from "node:crypto";

import { Line } from "../line.mjs";
import { connected, heard, saved, say, sendFiles, sha256 } from "../stage.mjs";

const ROOM = "uploads";

export async function play(stage) {
  const line = await Line.open(stage.url);
  const ben = await stage.enter(ROOM, "Ben");
  const ann = await stage.tab();
  await stage.visit(ann, ROOM, "Ann", line.url);
  const facts = {};

  stage.step("a slow line");
  const large = { name: "large.bin", mimeType: "", buffer: randomBytes(15_000_000) };
  // The first file fills the line, so the next ones cannot even begin.
  line.hold();
  await sendFiles(ann, [large, { ...large, name: "regretted.bin" }]);
  await ann.waitForSelector("[data-fate=sending] progress");
  await ann.waitForTimeout(500);
  facts.progress = await ann.locator("progress").evaluate((bar) => bar.value);
  facts.progress_words = await ann.locator("[data-fate=sending] .fate span").textContent();
  facts.behind = await ann.locator("[data-fate=waiting]").count();
  await stage.screenshot(ann, "uploads-progress");
  await ann.locator("[data-fate=waiting]").getByRole("button", { name: "Remove" }).click();
  facts.entries = await ann.locator(".entry").count();
  line.release();
  facts.arrived = (await saved(ben, ben.locator("a.card"))).sha256 === sha256(large.buffer);
  await ann.waitForSelector(".entry[data-fate=sent]");

  stage.step("a cut");
  line.hold();
  await sendFiles(ann, [{ ...large, name: "again.bin" }]);
  await ann.waitForSelector("[data-fate=sending] progress");
  line.cut();
  await ann.waitForSelector("[data-fate=unsure]");
  facts.reason = await ann.locator("#banner-what").textContent();
  facts.unsure = await ann.locator("[data-fate=unsure] .fate span").textContent();
  await connected(ann);
  facts.by_itself = await ben.locator("a.card", { hasText: "again.bin" }).count();
  await ann.getByRole("button", { name: "Send again" }).click();
  facts.arrived_again = (await saved(ben, ben.locator("a.card", { hasText: "again.bin" }))).sha256 === sha256(large.buffer);
  facts.cards_of_ben = await ben.locator("a.card .file-name").allTextContents();

  stage.step("silence");
  await ann.waitForSelector("#latency:not([hidden])");
  line.hold();
  await ann.waitForSelector("#banner:not([hidden])");
  facts.silence = await ann.locator("#banner-what").textContent();
  await connected(ann);
  await say(ann, "found another way");
  facts.after_silence = await heard(ben, "found another way");
  line.close();
  return facts;
}
