/**
 * What people paste and open, turned into groups: `/score` bodies, replies, and pairs of both, as JSON or JSONL.
 *
 *     read(['{"rubric": …, "rollouts": […]}']) // { groups: [{ request, replies: [] }], faults: [] }
 *
 * Replies find their request by its id, and those without an id by their order, so that `groups.jsonl` and the
 * `verdicts.jsonl` that `cairn score` made of it are simply opened together.
 * A reply whose request is not there is shown all the same, without texts.
 *
 * @typedef {object} Opened
 * @property {any} request a `/score` body
 * @property {any[]} replies what was opened with it, in order
 * @property {boolean} [bare] the request was made up from its reply: it has no texts, and cannot be scored
 */

/**
 * @param {string[]} texts one per file
 * @returns {{groups: Opened[], faults: string[]}}
 */
export function read(texts) {
  /** @type {Opened[]} */
  const groups = [];
  const loose = [];
  const faults = [];
  for (const { value, place } of texts.flatMap((text) => values(text, faults))) {
    if (isRequest(value?.request) && isReply(value?.reply))
      groups.push({ request: value.request, replies: [value.reply] });
    else if (isRequest(value)) groups.push({ request: value, replies: [] });
    else if (isReply(value)) loose.push(value);
    else
      faults.push(
        `${place}: ${value?.error ? "holds an error and no verdict" : "neither a /score body nor its reply"}`,
      );
  }
  for (const each of loose) join(groups, each);
  return { groups, faults };
}

/** Every JSON value of a text: one document, a list of them, or one a line. */
function values(text, faults) {
  const whole = parsed(text);
  if (whole.ok) {
    const items = Array.isArray(whole.value) ? whole.value : [whole.value];
    return items.map((value, at) => ({ value, place: items.length > 1 ? `item ${at + 1}` : "this text" }));
  }
  const lines = text.split("\n").map((line, at) => ({ line, place: `line ${at + 1}` }));
  const filled = lines.filter(({ line }) => line.trim());
  const read = filled.map(({ line, place }) => ({ ...parsed(line), place }));
  if (!read.some((each) => each.ok)) {
    faults.push(filled.length ? `not JSON: ${whole.why}` : "there is no text");
    return [];
  }
  for (const each of read) if (!each.ok) faults.push(`${each.place}: not JSON: ${each.why}`);
  return read.filter((each) => each.ok);
}

function parsed(text) {
  try {
    return { ok: true, value: JSON.parse(text) };
  } catch (error) {
    return { ok: false, why: error.message };
  }
}

function isRequest(value) {
  return Array.isArray(value?.rollouts) && value.rollouts.length > 0 && Array.isArray(value.rubric?.entities);
}

function isReply(value) {
  const whole = Array.isArray(value?.rollouts) && value.group && typeof value.scheme?.name === "string";
  return whole && value.rollouts.every(isRolloutOut);
}

function isRolloutOut(value) {
  const told = ["ok", "failed", "masked"].includes(value?.status) && Array.isArray(value.flags);
  return (
    told && (value.criteria === null || (Array.isArray(value.criteria) && value.criteria.every(isCriterion)))
  );
}

function isCriterion(value) {
  return typeof value?.entity === "string" && Array.isArray(value.flags);
}

function join(groups, reply) {
  const fits = (each) => each.request.rollouts.length === reply.rollouts.length;
  const named = groups.filter((each) => reply.id && each.request.id === reply.id && fits(each));
  const nameless = groups.filter((each) => !reply.id && !each.request.id && fits(each));
  const group = named[0] ?? nameless.find((each) => each.replies.length === 0) ?? nameless[0];
  if (group) group.replies.push(reply);
  else groups.push({ request: bareRequest(reply), replies: [reply], bare: true });
}

/** What a reply says of its request: names and ids. */
function bareRequest({ id, rollouts }) {
  const criteria = rollouts.find((each) => each.criteria?.length)?.criteria ?? [];
  return {
    id,
    rubric: { entities: criteria.map((each) => ({ id: each.id, name: each.entity })) },
    rollouts: rollouts.map((each) => ({ id: each.id, response: "" })),
  };
}

/** A name to tell a group by. @param {Opened} group */
export function nameOf({ request }, at) {
  return typeof request.id === "string" && request.id ? request.id : `group ${at + 1}`;
}
