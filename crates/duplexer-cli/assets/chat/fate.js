// What a person sees of a message's way out: the line under it that says that it waits, is being sent, or got lost.
// An element and the outbox's word in, a line under the element out.

import { make } from "./log.js";
import { sizeText } from "./wire.js";

/** Shows how far `item` has got under its `element`; `outbox` is asked to remove or to repeat it. */
export function showFate(element, item, outbox) {
  element.dataset.fate = item.fate;
  element.querySelector(".fate")?.remove();
  const line = LINES[item.fate]?.(item);
  if (line === undefined) return;
  const fate = make("div", "fate");
  fate.append(...line);
  if (item.fate === "unsure") {
    fate.append(action("Send again", () => outbox.retry(item)));
  }
  if (item.fate === "unsure" || item.fate === "waiting") {
    fate.append(action("Remove", () => outbox.remove(item)));
  }
  element.append(fate);
}

function progress({ progress, size }) {
  // What is gone in the blink of an eye needs no bar.
  if (size < PROGRESS_BYTES_MIN) return undefined;
  const bar = make("progress");
  bar.value = progress;
  bar.setAttribute("aria-label", "Sent so far");
  return [bar, make("span", "", `${sizeText(size * progress)} of ${sizeText(size)}`)];
}

function action(text, run) {
  const button = make("button", "link", text);
  button.type = "button";
  button.onclick = run;
  return button;
}

const LINES = {
  waiting: () => [make("span", "", "Waiting to be sent")],
  sending: progress,
  unsure: () => [make("span", "bad", "Cut off: it may not have arrived")],
  refused: () => [make("span", "bad", "Not sent: too large for this server")],
};
const PROGRESS_BYTES_MIN = 256 * 1024;
