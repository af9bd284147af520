// Files on a bad line: how far one got, what waits behind it, what a cut does to it, and a line that falls silent.

import { randomBytes } from "node:crypto";

import { Line } from "../line.mjs";
import { chooseFiles, connected, heard, saved, say, sha256 } from "../stage.mjs";

const ROOM = "uploads";

export async function play(stage) {
  const line = await Line.open(stage.url);
  const ben = await stage.enter(ROOM, "Ben");
  const ann = await stage.tab();
  await stage.visit(ann, ROOM, "Ann", line.url);
  const facts = {};

  stage.step("a slow line");
  const large = { name: "large.bin", mimeType: "", buffer: randomBytes(9_000_000) };
  // The first file fills the line, so the next one cannot even begin. Nothing slow may happen before the line is released,
  // or the page gives it up.
  await chooseFiles(ann, [large, { ...large, name: "regretted.bin" }]);
  line.hold();
  await ann.click("#send");
  await ann.waitForSelector("[data-fate=sending] progress");
  await ann.waitForTimeout(500);
  facts.progress = await ann.locator("progress").evaluate((bar) => bar.value);
  facts.progress_words = await ann.locator("[data-fate=sending] .fate span").textContent();
  facts.behind = await ann.locator("[data-fate=waiting]").count();
  await ann.locator("[data-fate=waiting]").getByRole("button", { name: "Remove" }).click();
  line.release();
  facts.entries = await ann.locator(".entry").count();
  facts.arrived = (await saved(ben, ben.locator("a.card"))).sha256 === sha256(large.buffer);
  await ann.waitForSelector(".entry[data-fate=sent]");

  stage.step("a cut");
  // On a connection that has carried much, the system's buffers have grown so large that they would swallow the file whole.
  await ann.reload();
  await connected(ann);
  await chooseFiles(ann, [{ ...large, name: "again.bin" }]);
  line.hold();
  await ann.click("#send");
  await ann.waitForSelector("[data-fate=sending] progress");
  line.cut();
  await ann.waitForSelector("[data-fate=unsure]");
  facts.unsure = await ann.locator("[data-fate=unsure] .fate span").textContent();
  await ann.locator(".note").waitFor();
  facts.reason = await ann.locator("#banner-what").textContent();
  facts.by_itself = await ben.locator("a.card", { hasText: "again.bin" }).count();
  await ann.getByRole("button", { name: "Send again" }).click();
  facts.arrived_again = (await saved(ben, ben.locator("a.card", { hasText: "again.bin" }))).sha256 === sha256(large.buffer);
  facts.cards_of_ben = await ben.locator("a.card .file-name").allTextContents();

  stage.step("silence");
  await ann.waitForSelector("#latency:not([hidden])");
  line.hold();
  // The banner is gone in a moment; the line about the absence stays, and so does the banner's text.
  await ann.locator(".note").nth(1).waitFor();
  facts.silence = await ann.locator("#banner-what").textContent();
  await say(ann, "found another way");
  facts.after_silence = await heard(ben, "found another way");
  line.close();
  return facts;
}
