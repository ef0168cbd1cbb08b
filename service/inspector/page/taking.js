/** Files and texts that come in by hand: chosen, dropped anywhere, or pasted. */

import { byId } from "./elements.js";

/** Larger texts are opened in the place of being typed. */
export const EDITABLE = 100_000;

/** Call `use` with the files that are chosen. @param {HTMLInputElement} input */
export function onChosen(input, use) {
  input.addEventListener("change", () => {
    const files = [...input.files];
    input.value = "";
    if (files.length) use(files);
  });
}

/** Call `use` with a text that is too large for the box. @param {HTMLTextAreaElement} box */
export function onLargePaste(box, use) {
  box.addEventListener("paste", (event) => {
    const text = event.clipboardData.getData("text/plain");
    if (text.length <= EDITABLE) return;
    event.preventDefault();
    use(text);
  });
}

/** Call `use` with files that are dropped anywhere, and show where they may be dropped. */
export function onDropped(use) {
  const hint = byId("drop-hint");
  let depth = 0;
  const over = (by) => {
    depth = Math.max(0, depth + by);
    hint.hidden = depth === 0;
  };
  document.addEventListener("dragenter", () => over(1));
  document.addEventListener("dragleave", () => over(-1));
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    over(-depth);
    if (event.dataTransfer.files.length) use([...event.dataTransfer.files]);
  });
}
