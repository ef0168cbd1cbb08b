/** What was decided for every entity of one rollout, with the evidence, what came close, and why it was refused. */

import { h, quoted } from "./elements.js";
import { STAGES, stageOf } from "./marks.js";
import { tag } from "./matrix.js";
import { brief } from "./numbers.js";

/**
 * @param {any} rollout of a reply
 * @param {any[]} entities of the request
 * @param {{jump: (criterion: number) => void}} options called with the criterion whose evidence is wanted
 */
export function criteriaList(rollout, entities, { jump }) {
  const criteria = rollout.criteria ?? [];
  const hits = criteria.filter((each) => each.hit).length;
  return h(
    "aside",
    { class: "criteria", "aria-label": "Criteria" },
    h(
      "h3",
      {},
      "Criteria",
      h("span", { class: "note" }, criteria.length ? ` ${hits} of ${criteria.length} found` : ""),
    ),
    criteria.length
      ? h(
          "ol",
          {},
          criteria.map((each, at) => item(each, entities[at] ?? {}, () => jump(at))),
        )
      : h(
          "p",
          { class: "note" },
          rollout.status === "ok" ? "Judged by its status alone." : "There is no verdict.",
        ),
  );
}

function item(criterion, entity, press) {
  const place = criterion.hit ? criterion : criterion.near_miss;
  const there = Number.isInteger(place?.start);
  const what = [tag(criterion), quoted(criterion.entity, { class: "entity" }), aside(criterion, entity)];
  return h(
    "li",
    { class: "criterion", data: { stage: stageOf(criterion) ?? "none" } },
    there
      ? h("button", { type: "button", class: "line", on: { click: press } }, what)
      : h("div", { class: "line" }, what),
    evidence(criterion),
    criterion.flags.length > 0 &&
      h(
        "p",
        { class: "flags" },
        criterion.flags.map((flag) => h("span", { class: "flag" }, flag.replaceAll("_", " "))),
      ),
    criterion.reasons?.length > 0 &&
      h("p", { class: "note" }, "decided by ", quoted(criterion.reasons.join(", "))),
  );
}

/** Hop and weight; and where a hit is not paid in full, that. */
function aside(criterion, { hop, weight = 1, requires = [] }) {
  const facts = [Number.isInteger(hop) && `hop ${hop}`, weight !== 1 && `weight ${brief(weight)}`];
  const lost = criterion.hit && criterion.credit !== 1;
  const why = lost && requires.length ? `, for it requires ${requires.join(", ")}` : "";
  return [
    h("span", { class: "note rubric" }, facts.filter(Boolean).join(", ")),
    lost && h("span", { class: "credit" }, quoted(`credit ${brief(criterion.credit)}${why}`)),
  ];
}

function evidence(criterion) {
  const near = criterion.near_miss;
  if (criterion.hit) {
    return h(
      "p",
      { class: "evidence" },
      STAGES[stageOf(criterion)],
      criterion.surface !== null && [": ", quoted(criterion.surface, { class: "surface" })],
      h("span", { class: "note" }, [fieldOf(criterion), similar(criterion)].filter(Boolean).join(", ")),
    );
  }
  if (!near) return h("p", { class: "evidence note" }, "not found");
  return h(
    "p",
    { class: "evidence" },
    "refused: ",
    quoted(near.surface, { class: "surface" }),
    h("span", { class: "note" }, [fieldOf(near), similar(near)].filter(Boolean).join(", ")),
    h("span", { class: "reason" }, quoted(near.reason)),
  );
}

function fieldOf({ field }) {
  return field ? (field === "reasoning" ? " in the thinking" : " in the content") : "";
}

function similar({ similarity }) {
  return similarity === null || similarity === 1 ? "" : `similarity ${brief(similarity, 3)}`;
}
