/**
 * The evidence of a rollout as places in its texts: what is highlighted, and how it is painted.
 *
 * A long text is painted in chunks that end with lines. A chunk out of sight is not laid out (`content-visibility`),
 * so that sixteen responses of 130 KB scroll like one page. Only evidence gets elements of its own.
 */

import { h } from "./elements.js";
import { unitsOf } from "./texts.js";

const CHUNK = 4096;
const LINE = 90;
const LOW_HALF = /[\udc00-\udfff]/;

/** How stages are told apart without colors. */
export const TAGS = {
  exact: "ex",
  alias: "al",
  number: "no",
  date: "da",
  fuzzy: "fz",
  embedding: "em",
  chunk: "ch",
  legacy: "lg",
  near: "≠",
};

/** In words. */
export const STAGES = {
  exact: "exact name",
  alias: "alias",
  number: "number by value",
  date: "date by value",
  fuzzy: "with typos",
  embedding: "in other words",
  chunk: "cited chunk",
  legacy: "legacy matcher",
  near: "refused",
};

/**
 * @typedef {object} Mark
 * @property {number} criterion its index
 * @property {string} entity
 * @property {string} stage a stage, or `near` for what was refused
 * @property {string} field
 * @property {number} start UTF-16, as `end`
 * @property {number} end
 * @property {string} surface
 * @property {string} detail
 */

/** The stage that a criterion is shown with: null where nothing came close. */
export function stageOf(criterion) {
  if (criterion.hit) return Object.hasOwn(TAGS, criterion.stage) ? criterion.stage : "legacy";
  return criterion.near_miss ? "near" : null;
}

/**
 * The marks of one rollout in reading order, thinking first, and the criteria whose evidence is not in the texts.
 * @returns {{marks: Mark[], strays: number[]}}
 */
export function marksOf(rollout, texts) {
  const pieces = (rollout.criteria ?? []).flatMap((each, at) => evidenceOf(each, at));
  const strays = [];
  const marks = ["reasoning", "content"].flatMap((field) => {
    const own = pieces.filter((each) => each.field === field);
    const units = unitsOf(
      texts[field],
      own.flatMap((each) => [each.start, each.end]),
    );
    const placed = own.map((each) => ({ ...each, start: units.get(each.start), end: units.get(each.end) }));
    const stands = (each) =>
      each.end > each.start && texts[field].slice(each.start, each.end) === each.surface;
    strays.push(...placed.filter((each) => !stands(each)).map((each) => each.criterion));
    return placed.filter(stands).sort((a, b) => a.start - b.start || b.end - a.end);
  });
  return { marks, strays };
}

function evidenceOf(criterion, at) {
  const stage = stageOf(criterion);
  const piece = stage === "near" ? criterion.near_miss : criterion;
  if (!stage || !Number.isInteger(piece.start) || !Number.isInteger(piece.end)) return [];
  const { field, start, end, surface } = piece;
  return [
    {
      criterion: at,
      entity: criterion.entity,
      stage,
      field,
      start,
      end,
      surface,
      detail: piece.reason ?? "",
    },
  ];
}

/**
 * A text with its marks. Where marks overlap the text is cut into pieces, and a hit is painted over a refusal.
 * Empty lines around a text are left out.
 * @param {string} text
 * @param {Array<{mark: Mark, id: string}>} marks of this text, in order
 */
export function painted(text, marks) {
  const pieces = piecesOf(marks);
  const chunks = [];
  let next = 0;
  const end = text.length - /\n*$/.exec(text)[0].length;
  for (let from = /^\n*/.exec(text)[0].length; from < end;) {
    let to = endOfChunk(text, from, end);
    const inside = [];
    for (; next < pieces.length && pieces[next].from < to; next += 1) {
      inside.push(pieces[next]);
      to = Math.max(to, pieces[next].to);
    }
    chunks.push(chunk(text, from, to, inside));
    from = to;
  }
  return chunks;
}

function piecesOf(marks) {
  const edges = [...new Set(marks.flatMap(({ mark }) => [mark.start, mark.end]))].sort((a, b) => a - b);
  const pieces = [];
  const open = [];
  let next = 0;
  for (let at = 0; at + 1 < edges.length; at += 1) {
    while (next < marks.length && marks[next].mark.start <= edges[at]) open.push(marks[next++]);
    const over = open.filter(({ mark }) => mark.end > edges[at]);
    if (over.length) pieces.push({ from: edges[at], to: edges[at + 1], over });
  }
  return pieces;
}

/** After a line that ends past the size; a line without end is cut at a space, or anywhere. */
function endOfChunk(text, from, end) {
  if (end - from <= CHUNK * 1.5) return end;
  const line = text.indexOf("\n", from + CHUNK) + 1;
  if (line > 0 && line < end && line - from <= 4 * CHUNK) return line;
  if (end - from <= 4 * CHUNK) return end;
  const space = text.lastIndexOf(" ", from + 4 * CHUNK) + 1;
  const cut = space > from + CHUNK ? space : from + 4 * CHUNK;
  return LOW_HALF.test(text[cut]) ? cut + 1 : cut;
}

function chunk(text, from, to, pieces) {
  const parts = [];
  let at = from;
  for (const piece of pieces) {
    if (piece.from > at) parts.push(text.slice(at, piece.from));
    parts.push(markElement(text, piece));
    at = piece.to;
  }
  if (at < to) parts.push(text.slice(at, to));
  return h("div", { class: "chunk", dir: "auto", vars: { lines: linesIn(text, from, to) } }, parts);
}

/** About how many lines, so that the scroll bar is right before the chunk was ever laid out. */
function linesIn(text, from, to) {
  let lines = 0;
  for (let at = from; at < to;) {
    const end = text.indexOf("\n", at);
    const stop = end < 0 || end > to ? to : end;
    lines += Math.max(1, Math.ceil((stop - at) / LINE));
    at = stop + 1;
  }
  return lines;
}

function markElement(text, { from, to, over }) {
  const { mark } = over.findLast((each) => each.mark.stage !== "near") ?? over.at(-1);
  const starts = over.filter((each) => each.mark.start === from);
  return h(
    "mark",
    {
      class: "mark",
      tabindex: -1,
      title: over.map((each) => titleOf(each.mark)).join("\n"),
      data: {
        stage: mark.stage,
        tags: starts.map((each) => TAGS[each.mark.stage]).join("\u00a0"),
        marks: over.map((each) => each.id).join(" "),
      },
    },
    text.slice(from, to),
  );
}

/** A mark in one line. */
export function titleOf(mark) {
  return `${mark.entity}: ${STAGES[mark.stage]}${mark.detail ? ` (${mark.detail})` : ""}`;
}
