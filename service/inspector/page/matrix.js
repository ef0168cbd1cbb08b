/** The whole group at a glance: a row per entity, a column per rollout, how each was found in the cell. */

import { h, quoted } from "./elements.js";
import { grid } from "./keyboard.js";
import { STAGES, TAGS, stageOf } from "./marks.js";
import { bar, brief, number } from "./numbers.js";

const MOST_COLUMNS = 32;
const MOST_ROWS = 100;

/**
 * @param {any} request
 * @param {any} reply
 * @param {{first: number, changed?: Set<string>, before?: any, chosen: (rollout: number, criterion?: number) => void}} options
 *   `first` is the rollout of the first column; `changed` holds the cells that stand out, as `rollout/criterion`,
 *   and `before` is the reply that they are compared with
 */
export function matrix(request, reply, { first, chosen, changed = new Set(), before = null }) {
  const columns = reply.rollouts
    .slice(first, first + MOST_COLUMNS)
    .map((rollout, at) => ({ rollout, index: first + at }));
  const entities = request.rubric.entities.map((each) => (typeof each === "string" ? { name: each } : each));
  const rows = entities.slice(0, MOST_ROWS);
  const shown = (rollout, at) => reply.rollouts[rollout]?.criteria?.[at] ?? null;
  const table = h(
    "table",
    { class: "matrix", "aria-label": "Entities by rollouts" },
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        h("td"),
        columns.map((each) => head(each, chosen)),
      ),
    ),
    h(
      "tbody",
      {},
      rows.map((entity, at) =>
        h(
          "tr",
          {},
          h("th", { scope: "row" }, quoted(entity.name, { title: entity.name }), weight(entity)),
          columns.map(({ index }) => {
            const old = changed.has(`${index}/${at}`) ? before?.rollouts[index]?.criteria?.[at] : null;
            return cell(shown(index, at), { entity, old, press: () => chosen(index, at) });
          }),
        ),
      ),
    ),
    h("tfoot", {}, totals(columns)),
  );
  grid(/** @type {HTMLTableElement} */ (table));
  const left = entities.length - rows.length;
  return [
    table,
    left > 0 && h("p", { class: "note" }, `${left} more entities are listed beside each response.`),
  ];
}

/** The first rollouts of the pages that a group is shown in. */
export function pagesOf(size) {
  return Array.from({ length: Math.ceil(size / MOST_COLUMNS) }, (_, at) => at * MOST_COLUMNS);
}

function head({ rollout, index }, chosen) {
  return h(
    "th",
    { scope: "col", data: { rollout: index } },
    h("button", { type: "button", tabindex: -1, on: { click: () => chosen(index) } }, quoted(rollout.id)),
  );
}

function weight(entity) {
  const value = entity.weight ?? 1;
  return value !== 1 && h("span", { class: `weight${value < 0 ? " penalty" : ""}` }, `× ${brief(value)}`);
}

function cell(criterion, { entity, old, press }) {
  if (!criterion)
    return h("td", { class: "cell" }, h("span", { class: "tag nothing", "aria-label": "not judged" }, "·"));
  const told = old
    ? `${saying(entity, criterion)}; before: ${saying(entity, old)}`
    : saying(entity, criterion);
  return h(
    "td",
    { class: `cell${old ? " changed" : ""}` },
    h(
      "button",
      { type: "button", tabindex: -1, title: told, "aria-label": told, on: { click: press } },
      old && [tag(old), h("span", { class: "arrow", "aria-hidden": true }, "→")],
      tag(criterion),
      criterion.flags.length > 0 && h("span", { class: "flagged", "aria-hidden": true }),
    ),
  );
}

/** The sign of a criterion. */
export function tag(criterion) {
  const stage = stageOf(criterion);
  const lost = criterion.hit && !criterion.credit;
  return h(
    "span",
    { class: `tag${lost ? " lost" : ""}`, data: { stage: stage ?? "none" } },
    stage ? TAGS[stage] : "·",
  );
}

function saying(entity, criterion) {
  const stage = stageOf(criterion);
  const what =
    stage === "near" ? `refused: ${criterion.near_miss.reason}` : stage ? STAGES[stage] : "not found";
  const lost = criterion.hit && !criterion.credit ? ", without credit" : "";
  const flags = criterion.flags.length ? `; ${criterion.flags.join(", ")}` : "";
  return `${entity.name}: ${what}${lost}${flags}`;
}

function totals(columns) {
  const most = Math.max(1, ...columns.map(({ rollout }) => rollout.reward ?? 0));
  const row = (name, value) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, name),
      columns.map(({ rollout }) => h("td", {}, value(rollout))),
    );
  return [
    row("outcome", (each) => number(each.outcome?.value, { decimals: 3 })),
    row("score", (each) => number(each.rubric?.score, { decimals: 3 })),
    row("reward", (each) =>
      each.status === "ok"
        ? bar(each.reward, { most, decimals: 3 })
        : h("span", { class: "status" }, each.status),
    ),
  ];
}
