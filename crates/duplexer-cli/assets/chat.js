// The chat page: brings the room's connection, the message box and the list of messages together.
//
// chat/wire.js     what a message looks like on the wire
// chat/link.js     the connection, which comes back by itself; chat/backoff.js says when
// chat/outbox.js   what is to be sent, and how far it got
// chat/latency.js  the time to the server and back
// chat/log.js      the list of messages; chat/fate.js the line under one that is not sent yet; chat/tray.js chosen files
// chat/status.js   what the page says about its connection

import { showFate } from "./chat/fate.js";
import { Latency } from "./chat/latency.js";
import { Link } from "./chat/link.js";
import { Log } from "./chat/log.js";
import { Outbox } from "./chat/outbox.js";
import { Status } from "./chat/status.js";
import { MARGIN_BYTES, Tray } from "./chat/tray.js";
import * as wire from "./chat/wire.js";

const DEFAULT_ROOM = "lobby";
const COPIED_MS = 2000;
const $ = (id) => document.getElementById(id);
const messageBytesMax = Number(document.querySelector("meta[name=duplexer-message-bytes-max]").content);
const log = new Log($("log"), $("entries"), showPicture);
const tray = new Tray($("tray"), messageBytesMax - MARGIN_BYTES, report);
const latency = new Latency(socketUrl("echo"));
const status = new Status($, latency);
let room = "";
let outbox = null;
let link = null;
let unread = 0;

enterRoom();
setUpName();
setUpComposer();
setUpFiles();
setUpRooms();
setUpViewer();
setUpReading();

/** Enters the room that the address names, leaving the one before. */
function enterRoom() {
  const wanted = wire.cleanRoom(roomOfAddress()) || DEFAULT_ROOM;
  history.replaceState(null, "", `./#${encodeURIComponent(wanted)}`);
  if (wanted === room) return;
  link?.stop();
  log.clear();
  room = wanted;
  outbox = newOutbox();
  link = new Link(socketUrl(`rooms/${encodeURIComponent(room)}`), outbox);
  link.addEventListener("message", ({ detail }) => receive(detail));
  status.watch(link, (note) => log.addNote(note));
  link.start();
  $("room-name").textContent = room;
  $("address").textContent = location.href;
  $("terminal").textContent = `duplexer connect ${link.url}`;
  showTitle();
  showEmptiness();
}

function newOutbox() {
  const made = new Outbox();
  made.addEventListener("change", ({ detail: item }) => {
    if (item.element === undefined) return;
    if (item.fate === "removed") {
      log.remove(item.element);
      showEmptiness();
    } else {
      showFate(item.element, item, made);
    }
  });
  return made;
}

/** Shows what another client sent to the room. */
function receive(data) {
  if (typeof data === "string") {
    log.addText({ ...wire.decodeText(data), mine: false });
  } else {
    log.addFile({ ...wire.decodeFile(new Uint8Array(data)), mine: false });
  }
  showEmptiness();
  $("newer").hidden = log.atEnd;
  if (document.hidden) {
    unread += 1;
    showTitle();
  }
}

/** Sends what is in the message box and the tray. Shown here at once; the room's server sends it to the others only. */
function send() {
  const body = $("text").value.replace(/\s+$/u, "");
  const from = wire.cleanName($("name").value);
  const text = wire.encodeText(from, body);
  const textBytes = new TextEncoder().encode(text).length;
  if (textBytes > messageBytesMax - MARGIN_BYTES) {
    report(`This text has ${wire.sizeText(textBytes)}, and one message holds at most ${wire.sizeText(messageBytesMax)}.`);
    return;
  }
  if (!outbox.fits(1 + tray.length, textBytes + tray.bytes)) {
    report("Too much is waiting to be sent already. This stays here until there is room.");
    return;
  }
  report("");
  if (body !== "") {
    post(text, textBytes, log.addText({ from, body, mine: true }));
  }
  for (const { name, bytes } of tray.take()) {
    const message = wire.encodeFile(from, name, wire.pictureType(bytes) ?? "application/octet-stream", bytes);
    post(message, message.length, log.addFile({ from, name, bytes, mine: true }));
  }
  $("text").value = "";
  fitText();
  showEmptiness();
  log.scrollToEnd();
}

/** Hands a message to the outbox and lets it report its fate under the message's element. */
function post(payload, size, element) {
  const item = outbox.add(payload, size);
  item.element = element;
  showFate(element, item, outbox);
}

/** Shows a problem by the message box; an empty text takes it away. */
function report(text) {
  $("problem").textContent = text;
  $("problem").hidden = text === "";
}

function setUpName() {
  const input = $("name");
  input.value = wire.cleanName(remembered("name") ?? "") || `Guest ${1000 + Math.floor(Math.random() * 9000)}`;
  let before = input.value;
  input.addEventListener("change", () => {
    input.value = wire.cleanName(input.value) || before;
    before = input.value;
    remember("name", input.value);
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.isComposing) {
      event.preventDefault();
      input.blur();
      $("text").focus();
    }
  });
}

function setUpComposer() {
  const text = $("text");
  // On a touch keyboard the return key breaks the line, as everywhere else; there is a button to send.
  const touch = matchMedia("(pointer: coarse)");
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing && !touch.matches) {
      event.preventDefault();
      send();
    }
  });
  text.addEventListener("input", fitText);
  $("composer").addEventListener("submit", (event) => {
    event.preventDefault();
    send();
    text.focus();
  });
  addEventListener("beforeunload", (event) => {
    if (outbox.length > 0) event.preventDefault();
  });
  if (!touch.matches) text.focus();
}

/** Makes the message box as high as its text, up to the height that the style sheet allows. */
function fitText() {
  const text = $("text");
  text.style.height = "auto";
  text.style.height = `${text.scrollHeight}px`;
}

function setUpFiles() {
  const limit = `Files up to ${wire.sizeText(messageBytesMax)}`;
  $("limit").textContent = limit;
  $("drop-limit").textContent = limit;
  $("attach").addEventListener("click", () => $("files").click());
  $("files").addEventListener("change", async ({ target }) => {
    const files = [...target.files];
    target.value = "";
    await tray.add(files);
    $("text").focus();
  });
  document.addEventListener("paste", (event) => {
    if (event.clipboardData.files.length > 0) {
      event.preventDefault();
      tray.add([...event.clipboardData.files]);
    }
  });
  addEventListener("dragover", (event) => {
    if (event.dataTransfer.types.includes("Files")) {
      event.preventDefault();
      event.dataTransfer.dropEffect = "copy";
      $("drop").hidden = false;
    }
  });
  addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) $("drop").hidden = true;
  });
  addEventListener("drop", (event) => {
    $("drop").hidden = true;
    if (event.dataTransfer.types.includes("Files")) {
      event.preventDefault();
      tray.add([...event.dataTransfer.files]);
    }
  });
}

function setUpRooms() {
  $("room").addEventListener("click", () => {
    $("rooms-name").value = room;
    $("rooms").showModal();
    $("rooms-name").select();
  });
  $("rooms-cancel").addEventListener("click", () => $("rooms").close());
  $("rooms-form").addEventListener("submit", (event) => {
    event.preventDefault();
    $("rooms").close();
    const wanted = wire.cleanRoom($("rooms-name").value) || DEFAULT_ROOM;
    location.hash = encodeURIComponent(wanted);
  });
  addEventListener("hashchange", () => {
    const question = `Not everything has been sent to #${room} yet. Leave the room without sending it?`;
    if (outbox.length > 0 && wire.cleanRoom(roomOfAddress()) !== room && !confirm(question)) {
      history.replaceState(null, "", `./#${encodeURIComponent(room)}`);
      return;
    }
    enterRoom();
  });
  $("share").addEventListener("click", async () => {
    const shown = await navigator.clipboard?.writeText(location.href).then(() => true, () => false);
    $("share-label").textContent = shown ? "Copied" : "Copy it from the address bar";
    $("share").classList.add("done");
    status.announce(shown ? "The link to this room is copied." : "The link could not be copied.");
    setTimeout(() => {
      $("share-label").textContent = "Copy link";
      $("share").classList.remove("done");
    }, COPIED_MS);
  });
}

function setUpViewer() {
  $("viewer-close").addEventListener("click", () => $("viewer").close());
  $("viewer").addEventListener("click", ({ target }) => {
    if (target === $("viewer")) $("viewer").close();
  });
  $("viewer").addEventListener("close", () => $("viewer-image").removeAttribute("src"));
}

function showPicture({ url, name, size }) {
  $("viewer-image").src = url;
  $("viewer-image").alt = name;
  $("viewer-name").textContent = `${name} · ${size}`;
  $("viewer-save").href = url;
  $("viewer-save").download = name;
  $("viewer").showModal();
}

function setUpReading() {
  $("newer").addEventListener("click", () => log.scrollToEnd());
  $("log").addEventListener("scroll", () => ($("newer").hidden ||= log.atEnd), { passive: true });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) {
      unread = 0;
      showTitle();
    }
  });
  $("skip").addEventListener("click", (event) => {
    // The address keeps the room, so the jump must not go through it.
    event.preventDefault();
    $("text").focus();
  });
}

function showTitle() {
  document.title = `${unread > 0 ? `(${unread}) ` : ""}#${room} · Duplexer chat`;
}

function showEmptiness() {
  $("empty").hidden = $("entries").children.length > 0;
}

/** The room in the address: after `#`, or in `?room=`. */
function roomOfAddress() {
  const hash = location.hash.slice(1);
  if (hash === "") return new URLSearchParams(location.search).get("room") ?? "";
  try {
    return decodeURIComponent(hash);
  } catch {
    return hash;
  }
}

/** The address of a WebSocket beside this page, under whatever path a proxy put the page. */
function socketUrl(path) {
  const url = new URL(path, new URL(".", location.href));
  url.protocol = url.protocol.replace("http", "ws");
  return url.href;
}

function remembered(key) {
  try {
    return localStorage.getItem(`duplexer-chat-${key}`);
  } catch {
    return null;
  }
}

function remember(key, value) {
  try {
    localStorage.setItem(`duplexer-chat-${key}`, value);
  } catch {
    // The browser keeps nothing for this page; then the name lasts as long as the page.
  }
}
