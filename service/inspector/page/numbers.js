/** Numbers as they are shown: short in the text, whole where one points at them. */

import { h } from "./elements.js";

/** At most so many decimals, and no zeros behind them. @param {number|null|undefined} value */
export function brief(value, decimals = 4) {
  if (value === null || value === undefined) return "–";
  if (!Number.isFinite(value)) return String(value);
  const short = Number(value.toFixed(decimals));
  return (short === 0 && value !== 0 ? value.toExponential(1) : String(short)).replace("-", "−");
}

/** The same with every digit in its title. */
export function number(value, { decimals = 4, kind = "" } = {}) {
  return h("span", { class: `number ${kind}`.trim(), title: value ?? null }, brief(value, decimals));
}

/** `1 group`, `2 groups`. */
export function counted(count, noun) {
  return `${count.toLocaleString("en-US")} ${noun}${count === 1 ? "" : "s"}`;
}

/** A number in [0, 1] (or up to `most`) with a bar under it. */
export function bar(value, { most = 1, decimals = 4, kind = "" } = {}) {
  const share = value === null || value === undefined ? 0 : Math.max(0, Math.min(1, value / most));
  return h("span", { class: "bar", vars: { share } }, number(value, { decimals, kind }));
}
