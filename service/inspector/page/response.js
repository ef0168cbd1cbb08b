/** One response: what it earned, and its texts with the evidence marked. Long parts are painted when they are needed. */

import { fill, h, quoted } from "./elements.js";
import { marksOf, painted } from "./marks.js";
import { brief } from "./numbers.js";
import { lengthOf, textsOf } from "./texts.js";

const NAMES = { reasoning: "Thinking", content: "Content" };

/** @type {WeakMap<Element, () => void>} what is still to be painted */
const waiting = new WeakMap();

/** Put off what fills an element. */
export function later(element, paint) {
  waiting.set(element, paint);
  return element;
}

/** Do it now, if it was put off. */
export function now(element) {
  const paint = waiting.get(element);
  waiting.delete(element);
  paint?.();
}

/**
 * A response with what was found in it.
 * @typedef {object} Read
 * @property {number} index
 * @property {any} rollout of the reply
 * @property {import("./texts.js").Texts} texts
 * @property {string[]} matched the fields in which names were looked for
 * @property {import("./marks.js").Mark[]} marks
 * @property {number[]} strays criteria whose evidence is not in the texts
 * @property {boolean} bare there are no texts to show
 */

/** @returns {Read} */
export function readResponse(request, reply, index, { bare = false } = {}) {
  const rollout = reply.rollouts[index];
  const texts = textsOf(request.rollouts[index]);
  const { marks, strays } = bare ? { marks: [], strays: [] } : marksOf(rollout, texts);
  return { index, rollout, texts, matched: request.fields ?? ["content"], marks, strays, bare };
}

/** What stands over a response. @param {any} rollout of the reply */
export function head(rollout) {
  return h(
    "header",
    { class: "response-head" },
    h("h3", {}, quoted(rollout.id)),
    h(
      "span",
      { class: "reward" },
      rollout.status === "ok" ? `reward ${brief(rollout.reward)}` : rollout.status,
    ),
    outcome(rollout),
    rollout.flags.map((flag) => h("span", { class: "flag" }, flag.replaceAll("_", " "))),
  );
}

function outcome({ outcome: judged, failure }) {
  if (failure) return h("span", { class: "failure" }, quoted(`${failure.type}: ${failure.detail}`));
  if (!judged) return null;
  const how = [judged.verifier, judged.detail].filter(Boolean).join(": ");
  return h("span", { class: "outcome" }, `outcome ${brief(judged.value)} `, how && quoted(`(${how})`));
}

/** The thinking and the content. @param {Read} read */
export function texts(read) {
  const fields = ["reasoning", "content"].filter((field) => field === "content" || read.texts[field]);
  return h(
    "div",
    { class: "texts" },
    remark(read),
    !read.bare && fields.map((field) => fieldOf(read, field)),
  );
}

function remark({ rollout, strays, bare }) {
  if (bare) {
    return h(
      "p",
      { class: "note" },
      "The reply was opened without its request, so there are no texts. Open both together.",
    );
  }
  if (strays.length) {
    const told = `The evidence of ${strays.length} criteria does not stand in this text: is this the reply to this request?`;
    return h("p", { class: "warning" }, told);
  }
  const hits = (rollout.criteria ?? []).filter((each) => each.hit);
  const mute = hits.length > 0 && hits.every((each) => each.start === null);
  return mute && h("p", { class: "note" }, "It does not say where it found the names.");
}

/** Folded away where nothing was looked for in it, and painted when it is unfolded. */
function fieldOf({ index, texts: both, matched, marks }, field) {
  const own = marks.filter((each) => each.field === field).map((mark) => ({ mark, id: idOf(index, mark) }));
  const body = h("div", { class: "text" });
  const open = field === "content" || own.length > 0 || matched.includes(field);
  const told = `${sizeOf(both[field])}${matched.includes(field) ? "" : " · not matched"}`;
  const summary = h("summary", {}, NAMES[field], h("span", { class: "note" }, ` ${told}`));
  const details = h("details", { class: "field", data: { field }, open }, summary, body);
  later(details, () => fill(body, painted(both[field], own)));
  if (open) now(details);
  details.addEventListener("toggle", () => now(details));
  return details;
}

/** How a mark is found again in the page. */
export function idOf(index, mark) {
  return `m${index}-${mark.criterion}`;
}

function sizeOf(text) {
  const count = lengthOf(text);
  return count ? `${count.toLocaleString("en-US")} characters` : "nothing";
}
