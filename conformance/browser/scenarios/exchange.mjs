// Two tabs and a plain client in one room: texts, files and pictures, both ways, up to the largest that the server takes.

import { randomBytes } from "node:crypto";

import { heard, picture, say, saved, sendFiles, sha256 } from "../stage.mjs";

const ROOM = "Café 42/100%?";
const HTML = "1 < 2 & <b>bold</b> <img src=x onerror=\"window.pwned=1\"><script>window.pwned=1</script>";
const MESSAGE_BYTES_MAX = 16 * 1024 * 1024;
// The page's own margin for what surrounds a file in a message.
const MARGIN_BYTES = 64 * 1024;

export async function play(stage) {
  const ann = await stage.enter(ROOM, "Ann");
  const ben = await stage.enter(ROOM, "Ben");
  // The same room, encoded otherwise than the page encodes it.
  const plain = await stage.plainClient("rooms/Caf%c3%a9-42%2f100%25%3F");

  stage.step("texts");
  await say(ann, "Hello Ben");
  const facts = { hello: await heard(ben, "Hello Ben"), own_hello: await heard(ann, "Hello Ben") };
  await say(ben, "Hello Ann,\n\ttwo lines");
  facts.reply = await heard(ann, "Hello Ann");
  await say(ann, HTML);
  facts.html = (await heard(ben, "1 < 2")).text === HTML;
  facts.elements_from_html = await ben.locator(":is(.body, .head) :is(b, img, script)").count();
  facts.pwned = await ben.evaluate(() => "pwned" in window);

  stage.step("a plain client");
  await plain.waitForFunction(() => window.heard.length === 3);
  facts.plain_heard = await plain.evaluate(() => window.heard);
  await plain.evaluate(() => socket.send("no name before this"));
  facts.nameless = await heard(ann, "no name");
  await plain.evaluate(() => socket.send(new Uint8Array([0, 1, 2, 3])));
  facts.nameless_file = await saved(ann, ann.locator("a.card").last());

  stage.step("files");
  facts.file = await exchanged(ann, ben, "report.final.bin", randomBytes(1_500_000));
  facts.largest = await exchanged(ben, ann, "largest.bin", randomBytes(MESSAGE_BYTES_MAX - MARGIN_BYTES));
  facts.page_as_file = await exchanged(ann, ben, "page.html", Buffer.from("<script>opener.pwned=1</script>"));
  const before = await ann.locator(".entry").count();
  await ann.setInputFiles("#files", [
    { name: "film.mp4", mimeType: "video/mp4", buffer: Buffer.alloc(MESSAGE_BYTES_MAX + 1) },
  ]);
  facts.too_large = await ann.locator("#problem:not([hidden])").textContent();
  await ann.click("#send");
  facts.sent_though_too_large = (await ann.locator(".entry").count()) - before;

  stage.step("pictures");
  facts.picture = await exchangedPicture(ann, ben);
  await ann.waitForSelector("#latency:not([hidden])");
  facts.latency = await ann.locator("#latency").textContent();
  facts.title = await ann.title();
  facts.policy = (await ann.goto(stage.url)).headers()["content-security-policy"];
  return facts;
}

/** Sends a file from one page to the other; tells whether it arrived as it was. */
async function exchanged(from, to, name, bytes) {
  await sendFiles(from, [{ name, mimeType: "application/octet-stream", buffer: bytes }]);
  const card = to.locator("a.card", { hasText: name });
  const arrived = await saved(to, card);
  return { name: arrived.name, same: arrived.sha256 === sha256(bytes), length: arrived.length };
}

/** Sends a picture, which the other page draws, shows large, and saves. */
async function exchangedPicture(from, to) {
  const bytes = await picture(from, 640, 400);
  await sendFiles(from, [{ name: "view.png", mimeType: "image/png", buffer: bytes }]);
  const image = to.locator(".picture img");
  await image.waitFor();
  const [width, height] = await image.evaluate(async (element) => {
    await element.decode();
    return [element.naturalWidth, element.naturalHeight];
  });
  await to.click(".picture");
  const arrived = await saved(to, to.locator("#viewer-save"));
  await to.keyboard.press("Escape");
  return { width, height, name: arrived.name, same: arrived.sha256 === sha256(bytes) };
}
