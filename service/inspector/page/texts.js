/**
 * The texts of a rollout, taken apart as the server does it, and places in them.
 *
 * The server counts code points, JavaScript counts UTF-16 units: they part at the first emoji.
 */

const OPEN = "<think>";
const CLOSE = "</think>";
const OPENS = /^[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*<think>/; // Python's spaces
const SURROGATE = /[\ud800-\udfff]/;

/** @typedef {{reasoning: string, content: string}} Texts by the names that evidence has for its field */

/**
 * As `split` in rubric/text.py: the thinking is what stands before the last `</think>`.
 * @param {{response?: string|null, messages?: Array<any>|null}} rollout
 * @returns {Texts}
 */
export function textsOf(rollout) {
  if (typeof rollout?.response === "string") return split(rollout.response);
  const own = (rollout?.messages ?? []).filter((each) => each?.role === "assistant");
  const parts = own.map((each) => split(each.content ?? ""));
  return {
    reasoning: joined(own.flatMap((each, at) => [each.reasoning_content ?? "", parts[at].reasoning])),
    content: joined(parts.map((each) => each.content)),
  };
}

function split(text) {
  const at = text.lastIndexOf(CLOSE);
  if (at >= 0) return { reasoning: text.slice(0, at), content: text.slice(at + CLOSE.length) };
  return text.includes(OPEN) && OPENS.test(text)
    ? { reasoning: text, content: "" }
    : { reasoning: "", content: text };
}

function joined(texts) {
  return texts.filter((each) => each !== "").join("\n\n");
}

/**
 * Where code points are in UTF-16: one walk through the text for all of them.
 * @param {string} text
 * @param {number[]} points
 * @returns {Map<number, number>} past the end of the text, its length
 */
export function unitsOf(text, points) {
  const wanted = [...new Set(points)].sort((a, b) => a - b);
  if (!SURROGATE.test(text)) return new Map(wanted.map((point) => [point, Math.min(point, text.length)]));
  const units = new Map();
  let unit = 0;
  let point = 0;
  for (const each of wanted) {
    for (; point < each && unit < text.length; point += 1) unit += text.codePointAt(unit) > 0xffff ? 2 : 1;
    units.set(each, unit);
  }
  return units;
}

/** How many code points: what a person would count, nearly. */
export function lengthOf(text) {
  if (!SURROGATE.test(text)) return text.length;
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}
