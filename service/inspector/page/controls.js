/** What a scheme can be asked with: a slider for its share, lists for its options. */

import { h } from "./elements.js";
import { brief } from "./numbers.js";
import { SCHEMES } from "./schemes.js";

const SLIDERS = { eta: "η", alpha: "α", lambda: "λ" };
const CHOICES = {
  gate: ["positive", "negative", "none"],
  normalize: ["group_max", "gated_max", "none"],
  counting: ["sets", "repeats"],
};

/**
 * @param {any} scheme the one that is looked at
 * @param {any} own the one that the reply was made with
 * @param {{change: (scheme: any) => void, adjust: (name: string, value: any) => void, ask: () => void}} listeners
 *   `change` takes another scheme, `adjust` another value of this one, `ask` sends it to the server
 */
export function controls(scheme, own, { change, adjust, ask }) {
  const option = (name) => h("option", { value: name, selected: name === scheme.name }, name);
  const pick = (name) => change(name === own.name ? own : { name, ...SCHEMES[name] });
  return [
    h(
      "label",
      {},
      "scheme",
      h(
        "select",
        { id: "scheme", on: { change: (event) => pick(event.target.value) } },
        Object.keys(SCHEMES).map(option),
      ),
    ),
    Object.keys(SCHEMES[scheme.name] ?? {}).map((name) => control(name, scheme[name], adjust)),
    h("button", { type: "button", id: "ask-server", hidden: true, on: { click: ask } }, "Ask the server"),
    h("button", { type: "button", id: "own-scheme", on: { click: () => change(own) } }, "As scored"),
  ];
}

function control(name, value, adjust) {
  if (SLIDERS[name]) return slider(name, value, adjust);
  if (CHOICES[name]) {
    const option = (each) => h("option", { value: each, selected: each === value }, each);
    return h(
      "label",
      {},
      name,
      h(
        "select",
        { id: name, on: { change: (event) => adjust(name, event.target.value) } },
        CHOICES[name].map(option),
      ),
    );
  }
  if (typeof value === "boolean") {
    return h(
      "label",
      {},
      h("input", {
        type: "checkbox",
        id: name,
        checked: value,
        on: { change: (event) => adjust(name, event.target.checked) },
      }),
      name,
    );
  }
  return h("span", { class: "note" }, `${name === "beta" ? "β" : name} = ${brief(value)}`);
}

function slider(name, value, adjust) {
  const shown = h("output", { for: name }, brief(value));
  const move = (event) => {
    shown.textContent = brief(Number(event.target.value));
    adjust(name, Number(event.target.value));
  };
  const input = h("input", {
    type: "range",
    id: name,
    min: 0,
    max: 1,
    step: "any",
    value,
    on: { input: move, keydown: byHundredths },
  });
  return h("label", { class: "slider" }, SLIDERS[name], input, shown);
}

/** Arrows move by a hundredth and land on whole ones; the mouse may stop anywhere. */
function byHundredths(event) {
  const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10 }[
    event.key
  ];
  if (!step) return;
  event.preventDefault();
  event.target.value = String(Math.min(100, Math.max(0, Math.round(event.target.value * 100) + step)) / 100);
  event.target.dispatchEvent(new Event("input"));
}
