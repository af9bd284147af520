// The list of messages. Taken-apart messages in, elements out. Everything it shows is set as text, never parsed as HTML.
// Knows no socket. Bounded: old entries leave when there are too many, and old files when they hold too much memory.

import { fileName, pictureType, sizeText } from "./wire.js";

/** The messages of one room, in the order in which they came. */
export class Log {
  #scroller;
  #list;
  #viewer;
  #entries = [];
  #fileBytes = 0;
  #lastGroup = "";
  #atEnd = true;
  #top = 0;

  /** `scroller` scrolls, `list` is the `<ol>` in it, and `viewer(picture)` shows a picture large. */
  constructor(scroller, list, viewer) {
    this.#scroller = scroller;
    this.#list = list;
    this.#viewer = viewer;
    scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    // Whatever makes the list longer or the window smaller, a picture that has loaded or a keyboard that opens, a reader who
    // was at the end stays there. Sizes are observed once per frame, so a hundred messages at once cost one layout.
    const observer = new ResizeObserver(() => this.#atEnd && this.scrollToEnd());
    observer.observe(scroller);
    observer.observe(list);
  }

  /** Shows a text message and returns its element. `from` is null for a sender without a name. */
  addText({ from, body, mine }) {
    const element = this.#addEntry(from, mine);
    const text = make("div", "body");
    text.dir = "auto";
    if (body.length > SHOWN_CHARS_MAX) {
      appendLinked(text, body.slice(0, SHOWN_CHARS_MAX));
      text.append(make("span", "cut", `… and ${(body.length - SHOWN_CHARS_MAX).toLocaleString()} characters more`));
      const bytes = new TextEncoder().encode(body);
      element.append(text, this.#fileCard(element, { name: "message.txt", bytes }));
    } else {
      appendLinked(text, body);
      text.classList.toggle("nothing", body === "");
      element.append(text);
    }
    return element;
  }

  /** Shows a file: a picture as itself, anything else as a link to save it. Returns its element. */
  addFile({ from, name, bytes, mine }) {
    const element = this.#addEntry(from, mine);
    const type = pictureType(bytes);
    element.append(type === null ? this.#fileCard(element, { name, bytes }) : this.#picture(element, { name, bytes, type }));
    return element;
  }

  /** Shows a line that nobody wrote, such as that messages were missed. */
  addNote(text) {
    this.#lastGroup = "";
    this.#append(make("li", "note", text));
  }

  /** Empties the list and frees the files. */
  clear() {
    while (this.#entries.length > 0) this.#drop(this.#entries.length - 1);
    this.#lastGroup = "";
  }

  /** Takes an entry out. */
  remove(element) {
    const index = this.#entries.findIndex((entry) => entry.element === element);
    if (index >= 0) {
      this.#drop(index);
      this.#lastGroup = "";
    }
  }

  /** Whether the reader is at the end of the list, where new messages move the view. */
  get atEnd() {
    return this.#atEnd;
  }

  /** Moves the view to the end. */
  scrollToEnd() {
    this.#atEnd = true;
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#top = this.#scroller.scrollTop;
  }

  /** A reader leaves the end by scrolling back. A list that has grown since the last frame moves nobody. */
  #scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    const near = scrollHeight - scrollTop - clientHeight < AT_END_PIXELS;
    this.#atEnd = near || (this.#atEnd && scrollTop >= this.#top);
    this.#top = scrollTop;
    // Away from the end, what is being read stays put while old entries leave above it. At the end, the end stays.
    this.#scroller.classList.toggle("reading", !this.#atEnd);
  }

  #addEntry(from, mine) {
    const now = new Date();
    const element = make("li", mine ? "entry mine" : "entry");
    const minute = Math.floor(now.getTime() / GROUP_MS);
    const group = JSON.stringify([from, mine, minute]);
    element.classList.toggle("follows", group === this.#lastGroup && from !== null);
    this.#lastGroup = group;

    const head = make("div", "head");
    const name = make("bdi", from === null ? "from unknown" : "from", from ?? "someone");
    if (from !== null) name.style.setProperty("--hue", String(hue(from)));
    const time = make("time", "", now.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
    time.dateTime = now.toISOString();
    head.append(name, mine ? make("span", "unseen", "(you)") : "", time);
    element.append(head);
    this.#append(element);
    return element;
  }

  #append(element) {
    this.#list.append(element);
    this.#entries.push({ element, url: null, bytes: 0 });
    if (this.#entries.length > ENTRIES_MAX) this.#drop(0);
  }

  #drop(index) {
    const [entry] = this.#entries.splice(index, 1);
    this.#freeFile(entry);
    entry.element.remove();
  }

  /** Makes a URL for the bytes, as long as the entry is in the list and the memory for files is not used up. */
  #fileUrl(element, bytes, type) {
    const entry = this.#entries.find((one) => one.element === element);
    entry.url = URL.createObjectURL(new Blob([bytes], { type }));
    entry.bytes = bytes.length;
    this.#fileBytes += bytes.length;
    for (const old of this.#entries) {
      if (this.#fileBytes <= FILE_BYTES_MAX || old === entry) break;
      this.#freeFile(old);
    }
    return entry.url;
  }

  #freeFile(entry) {
    if (entry.url === null) return;
    URL.revokeObjectURL(entry.url);
    this.#fileBytes -= entry.bytes;
    entry.url = null;
    entry.element.querySelector(".card, .picture")?.replaceWith(make("p", "nothing", "This file is no longer kept."));
  }

  #fileCard(element, { name, bytes }) {
    const card = make("a", "card");
    // No type of its own: a document opened from here would run as a page of this origin.
    card.href = this.#fileUrl(element, bytes, "application/octet-stream");
    card.download = fileName(name);
    const ending = /\.([a-z0-9]{1,5})$/iu.exec(name)?.[1] ?? "file";
    const badge = make("span", "badge", ending);
    badge.setAttribute("aria-hidden", "true");
    const label = make("span", "label");
    label.append(make("bdi", "file-name", name), make("span", "size", `${sizeText(bytes.length)} · Download`));
    card.append(badge, label);
    return card;
  }

  #picture(element, { name, bytes, type }) {
    const url = this.#fileUrl(element, bytes, type);
    const button = make("button", "picture");
    button.type = "button";
    button.setAttribute("aria-label", `Show ${name} large`);
    const image = make("img");
    image.alt = name;
    image.decoding = "async";
    // The first bytes promised a picture that the rest does not keep.
    image.onerror = () => {
      if (button.isConnected) button.replaceWith(this.#cardInstead(element, { name, bytes }));
    };
    image.src = url;
    button.append(image, make("span", "size", `${name} · ${sizeText(bytes.length)}`));
    button.onclick = () => this.#viewer({ url, name: fileName(name), size: sizeText(bytes.length) });
    return button;
  }

  #cardInstead(element, file) {
    const entry = this.#entries.find((one) => one.element === element);
    URL.revokeObjectURL(entry.url);
    this.#fileBytes -= entry.bytes;
    return this.#fileCard(element, file);
  }
}

/** An element with a class and a text. */
export function make(tag, className = "", text = "") {
  const element = document.createElement(tag);
  if (className !== "") element.className = className;
  element.textContent = text;
  return element;
}

/** Appends `text` with its web addresses as links. */
function appendLinked(parent, text) {
  let end = 0;
  let links = 0;
  for (const match of text.matchAll(ADDRESS)) {
    if ((links += 1) > LINKS_MAX) break;
    if (!URL.canParse(match[0])) continue;
    const link = make("a", "", match[0]);
    link.href = match[0];
    link.target = "_blank";
    link.rel = "noopener noreferrer nofollow";
    parent.append(text.slice(end, match.index), link);
    end = match.index + match[0].length;
  }
  parent.append(text.slice(end));
}

/** A colour for a name, the same on every page. */
function hue(name) {
  let sum = 0;
  for (const char of name) sum = (sum * 31 + char.codePointAt(0)) % 3600;
  return (sum * 47) % 360;
}

const ADDRESS = /https?:\/\/[^\s<>"']*[^\s<>"'.,;:!?)\]}]/giu;
const ENTRIES_MAX = 500;
const FILE_BYTES_MAX = 256 * 1024 * 1024;
const SHOWN_CHARS_MAX = 10_000;
const LINKS_MAX = 50;
const GROUP_MS = 5 * 60_000;
const AT_END_PIXELS = 60;
