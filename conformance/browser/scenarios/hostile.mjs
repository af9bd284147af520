// What strangers can send to a room: names that lie, files that pretend, texts without end. The page shows it and lives.

import { heard } from "../stage.mjs";

const ROOM = "hostile";

export async function play(stage) {
  const facts = {};
  const ann = await stage.enter(ROOM, "Ann");
  facts.wire = await ann.evaluate(wireFormat);
  const plain = await stage.plainClient(`rooms/${ROOM}`);
  const sendFile = (head, bytes) =>
    plain.evaluate(([head, bytes]) => socket.send(new Blob([head, "\n", new Uint8Array(bytes)])), [head, [...bytes]]);

  stage.step("files that pretend");
  await sendFile('{"from":"Eve","name":"drawing.svg","type":"image/svg+xml"}', Buffer.from("<svg onload='window.pwned=1'/>"));
  await sendFile('{"from":"Eve","name":"page.png","type":"image/png"}', Buffer.from("<script>window.pwned=1</script>"));
  const broken = Buffer.concat([Buffer.from("89504e470d0a1a0a", "hex"), Buffer.from("no picture after all")]);
  await sendFile('{"from":"Eve","name":"broken.png","type":"image/png"}', broken);
  await sendFile("null", Buffer.from("x"));
  await sendFile("[1,2", Buffer.from("x"));
  await plain.evaluate(() => socket.send("last of the files"));
  await heard(ann, "last of the files");
  await ann.waitForFunction(() => document.querySelectorAll("a.card").length === 5);
  facts.pictures = await ann.locator(".picture").count();
  facts.cards = await ann.locator("a.card .file-name").allTextContents();
  facts.all_cards_are_saved = (await ann.locator("a.card[download]").count()) === 5;

  stage.step("texts without end");
  await plain.evaluate(() => {
    socket.send(`Eve: ${"long ".repeat(200_000)}`);
    for (let count = 0; count < 1200; count += 1) socket.send(`Eve: message ${count}`);
    socket.send("Eve: javascript:alert(1) https://example.com/a?b=c. http://[ end of the flood");
  });
  await heard(ann, "end of the flood");
  facts.entries = await ann.locator(".entry").count();
  facts.links = await ann.evaluate(() => [...document.querySelectorAll(".body a")].map((link) => link.href));
  facts.at_end = await ann.evaluate(() => {
    const { scrollHeight, scrollTop, clientHeight } = document.getElementById("log");
    return scrollHeight - scrollTop - clientHeight < 2;
  });
  facts.pwned = await ann.evaluate(() => "pwned" in window);
  return facts;
}

/** Runs in the page: what its wire format makes of odd names, rooms and files. */
async function wireFormat() {
  const wire = await import("/chat/wire.js");
  const file = (bytes) => {
    const { from, name, bytes: rest } = wire.decodeFile(bytes);
    return [from, name, rest.length];
  };
  return {
    texts: ["Ann: hello", "Ann:hello", ": hello", "A\nB: hello", "Ann: a: b", `${"x".repeat(40)}: y`, "Ann: ", ""].map((text) => {
      const { from, body } = wire.decodeText(text);
      return [from, body];
    }),
    names: ["  Ann \u202e", "a:b", "x".repeat(40), "\u0000\n", "😀".repeat(40)].map(wire.cleanName),
    rooms: [" my room ", "..", ".", "a/b", "...", "\u202eroom"].map(wire.cleanRoom),
    files: ["../../etc/passwd", "..", "C:\\x\\con?.txt", "evil\u202egnp.exe", `${"n".repeat(300)}.tar`, ".bashrc", ""].map(wire.fileName),
    binary: [
      file(wire.encodeFile("Ann", "a.bin", "x/y", new Uint8Array([10, 123, 10]))),
      file(new Uint8Array()),
      file(new TextEncoder().encode('{"name":7}\nabc')),
      file(new TextEncoder().encode('{"name":"x"}')),
      file(new TextEncoder().encode('{"from":"a:b","name":"../x"}\n')),
    ],
    sizes: [0, 1023, 1024, 1536, 16 * 1024 * 1024, 16 * 1024 * 1024 - 1, 104_857_600].map(wire.sizeText),
  };
}
