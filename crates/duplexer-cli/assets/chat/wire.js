// What a message of the chat looks like inside the WebSocket, and how little of a received one is believed.
// Strings and bytes in, plain objects out. Knows no socket and no document.
//
// A text message is `Ann: hello`: the sender's name, a colon, a space, the text. A text without such a beginning is
// from someone who did not say. A binary message is a file: one line of JSON in UTF-8,
// {"from":"Ann","name":"cat.png","type":"image/png"}, a line feed, then the bytes of the file. A binary message without
// such a line is a file without a name.

export const NAME_CHARS_MAX = 32;
export const ROOM_CHARS_MAX = 64;

/** The text message that carries `body` from `from`, a name that `cleanName` made. */
export function encodeText(from, body) {
  return `${from}: ${body}`;
}

/** Takes a text message apart; `from` is null where it names no sender. */
export function decodeText(text) {
  const head = text.slice(0, 2 * NAME_CHARS_MAX + 2);
  const end = head.indexOf(": ");
  const from = end > 0 ? head.slice(0, end) : "";
  // Only what `cleanName` would leave alone is a name: no line feed, no colon, no invisible direction marks.
  if (from === "" || from !== cleanName(from)) {
    return { from: null, body: text };
  }
  return { from, body: text.slice(end + 2) };
}

/** The binary message that carries a file. */
export function encodeFile(from, name, type, bytes) {
  const head = new TextEncoder().encode(`${JSON.stringify({ from, name, type })}\n`);
  const message = new Uint8Array(head.length + bytes.length);
  message.set(head);
  message.set(bytes, head.length);
  return message;
}

/** Takes a binary message apart. The claimed type is not passed on: `pictureType` looks at the bytes instead. */
export function decodeFile(message) {
  const unnamed = { from: null, name: "unnamed file", bytes: message };
  const end = message.subarray(0, HEAD_BYTES_MAX).indexOf(LINE_FEED);
  if (message[0] !== OPENING_BRACE || end < 0) {
    return unnamed;
  }
  let head;
  try {
    head = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(message.subarray(0, end)));
  } catch {
    return unnamed;
  }
  if (typeof head?.name !== "string") {
    return unnamed;
  }
  const from = typeof head.from === "string" ? cleanName(head.from) : "";
  return { from: from || null, name: fileName(head.name), bytes: message.subarray(end + 1) };
}

/** What may stand before the colon: one line, no colon, no invisible marks, at most 32 characters. May be empty. */
export function cleanName(raw) {
  return shortened(visible(raw).replaceAll(":", " ").replace(/\s+/gu, " ").trim(), NAME_CHARS_MAX).trim();
}

/** A name of a room that survives in a URL: no blanks, and neither `.` nor `..`, which a URL would swallow. May be empty. */
export function cleanRoom(raw) {
  const room = shortened(visible(raw.normalize("NFC")).trim().replace(/\s+/gu, "-"), ROOM_CHARS_MAX);
  return /^\.{1,2}$/u.test(room) ? "" : room;
}

/** A name to save a file under: no folders, no hidden file, nothing that Windows refuses; the ending is kept. */
export function fileName(raw) {
  const last = visible(raw).split(/[/\\]/u).at(-1);
  const safe = last.replace(/[<>:"|?*]/gu, "_").replace(/^[.\s]+|[.\s]+$/gu, "");
  const ending = /\.[^.\s]{1,10}$/u.exec(safe)?.[0] ?? "";
  const stem = safe.slice(0, safe.length - ending.length);
  return shortened(stem, FILE_NAME_CHARS_MAX - ending.length) + ending || "unnamed file";
}

/** The media type of a picture that every browser draws without running anything, told by its first bytes; else null. */
export function pictureType(bytes) {
  const text = String.fromCharCode(...bytes.subarray(0, 12));
  if (text.startsWith("\x89PNG\r\n\x1a\n")) return "image/png";
  if (text.startsWith("\xff\xd8\xff")) return "image/jpeg";
  if (/^GIF8[79]a/u.test(text)) return "image/gif";
  if (/^RIFF[^]{4}WEBP/u.test(text)) return "image/webp";
  if (/^[^]{4}ftypavi[fs]/u.test(text)) return "image/avif";
  return null;
}

/** A size for people, in the units of the limit: 16 MiB is 16,777,216 bytes. */
export function sizeText(bytes) {
  let size = bytes;
  let unit = 0;
  while (size >= 1023.95 && unit < UNITS.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${unit === 0 || size >= 100 ? Math.round(size) : Number(size.toFixed(1))} ${UNITS[unit]}`;
}

/** Without control characters and the marks that turn the direction of writing, which can make a name lie about itself. */
function visible(raw) {
  return raw.toWellFormed().replace(/[\t\n\v\f\r]/gu, " ").replace(INVISIBLE, "");
}

/** At most `chars_max` characters, never half of one. */
function shortened(text, charsMax) {
  return text.length <= charsMax ? text : Array.from(text).slice(0, charsMax).join("");
}

const INVISIBLE = /[\p{Cc}\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/gu;
const HEAD_BYTES_MAX = 4096;
const FILE_NAME_CHARS_MAX = 100;
const LINE_FEED = 0x0a;
const OPENING_BRACE = 0x7b;
const UNITS = ["bytes", "KiB", "MiB", "GiB"];
