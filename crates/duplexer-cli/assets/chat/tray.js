// The files that are chosen but not yet sent, shown above the message box. Files in; names and bytes out.
// Refuses, with the reason, what the server would not take.

import { make } from "./log.js";
import { fileName, pictureType, sizeText } from "./wire.js";

/** The tray above the message box. */
export class Tray {
  #list;
  #bytesMax;
  #report;
  #files = [];

  /** `bytesMax` is the most that one file may have; `report` shows a problem to the person. */
  constructor(list, bytesMax, report) {
    this.#list = list;
    this.#bytesMax = bytesMax;
    this.#report = report;
  }

  get length() {
    return this.#files.length;
  }

  /** What sending all of it takes. */
  get bytes() {
    return this.#files.reduce((sum, { bytes }) => sum + bytes.length + MARGIN_BYTES, 0);
  }

  /** Reads `files` in and shows them. Reading now means that a file that changes or vanishes meanwhile does no harm. */
  async add(files) {
    const problems = [];
    for (const file of files) {
      if (this.#files.length >= FILES_MAX) {
        problems.push(`At most ${FILES_MAX} files go at once.`);
        break;
      }
      if (file.size > this.#bytesMax) {
        problems.push(this.#tooLarge(file));
        continue;
      }
      try {
        this.#show(file.name, new Uint8Array(await file.arrayBuffer()));
      } catch {
        problems.push(`${file.name} cannot be read. Folders cannot be sent, only files.`);
      }
    }
    this.#report(problems.join(" "));
  }

  /** Takes all files out of the tray. */
  take() {
    const files = this.#files.map(({ name, bytes }) => ({ name, bytes }));
    for (const file of [...this.#files]) this.#remove(file);
    return files;
  }

  #tooLarge({ name, size }) {
    const most = this.#bytesMax + MARGIN_BYTES;
    return size > most
      ? `${name} is too large: it has ${sizeText(size)}, and one message holds at most ${sizeText(most)}.`
      : `${name} is too large: with what is sent around it, it does not fit into one message of ${sizeText(most)}.`;
  }

  #show(rawName, bytes) {
    const file = { name: fileName(rawName), bytes, url: null, element: make("li") };
    const type = pictureType(bytes);
    if (type !== null) {
      file.url = URL.createObjectURL(new Blob([bytes], { type }));
      const image = make("img");
      image.alt = "";
      image.src = file.url;
      file.element.append(image);
    }
    const label = make("span", "label");
    label.append(make("bdi", "file-name", file.name), make("span", "size", sizeText(bytes.length)));
    const button = make("button", "remove", "×");
    button.type = "button";
    button.setAttribute("aria-label", `Remove ${file.name}`);
    button.onclick = () => this.#remove(file);
    file.element.append(label, button);
    this.#files.push(file);
    this.#list.append(file.element);
    this.#list.hidden = false;
  }

  #remove(file) {
    if (file.url !== null) URL.revokeObjectURL(file.url);
    file.element.remove();
    this.#files = this.#files.filter((other) => other !== file);
    this.#list.hidden = this.#files.length === 0;
  }
}

/** What a message may weigh beyond a file's or a text's own bytes: the line with the names, and a charge of 64 bytes for each
 * fragment that the browser cuts a large message into (Chromium: some hundreds for 16 MiB). The limit covers it all. */
export const MARGIN_BYTES = 64 * 1024;
const FILES_MAX = 10;
