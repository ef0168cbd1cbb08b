/**
 * Two replies to one request: which criteria were decided otherwise, and what that did to the rewards.
 *
 *     compare(before, after).changes[0] // { rollout: 0, criterion: 3, before: {…}, after: {…} }
 */

import { byId, fill, h, quoted } from "./elements.js";
import { STAGES, stageOf } from "./marks.js";
import { matrix, tag } from "./matrix.js";
import { brief } from "./numbers.js";

const MOST_CHANGES = 200;

/** What is told of a criterion when two are held beside each other. */
const TOLD = [
  "hit",
  "credit",
  "stage",
  "surface",
  "field",
  "start",
  "end",
  "similarity",
  "flags",
  "near_miss",
];

/** @param {any} before @param {any} after replies of equal size */
export function compare(before, after) {
  const changes = before.rollouts.flatMap((old, rollout) => {
    const now = after.rollouts[rollout];
    const length = Math.max(old.criteria?.length ?? 0, now.criteria?.length ?? 0);
    return Array.from({ length }, (_, criterion) => ({
      rollout,
      criterion,
      before: old.criteria?.[criterion] ?? null,
      after: now.criteria?.[criterion] ?? null,
    })).filter((each) => !alike(each.before, each.after));
  });
  const moved = before.rollouts.flatMap((old, rollout) =>
    old.reward === after.rollouts[rollout].reward ? [] : [rollout],
  );
  return { changes, moved };
}

function alike(one, other) {
  return one && other
    ? TOLD.every((name) => JSON.stringify(one[name]) === JSON.stringify(other[name]))
    : one === other;
}

/** Whether the entity was found by one and not by the other: the changes that a reward feels. */
function flips({ before, after }) {
  return before?.hit !== after?.hit || before?.credit !== after?.credit;
}

/**
 * Show what is different. @param {{request: any, before: any, after: any, chosen: (rollout: number, criterion?: number) => void}} sides
 */
export function showComparison({ request, before, after, chosen }) {
  const { changes, moved } = compare(before, after);
  const sorted = [...changes].sort((a, b) => Number(flips(b)) - Number(flips(a)));
  const flipped = sorted.filter(flips);
  const cells = new Set(flipped.map((each) => `${each.rollout}/${each.criterion}`));
  fill(
    byId("comparison"),
    h("dl", { class: "sides" }, side("before", before), side("after", after)),
    h("p", { class: "found", role: "status" }, summary(changes, moved, before)),
    moved.length > 0 && rewardList(moved, before, after),
    changes.length > 0 &&
      h("div", { class: "contrast" }, [
        h(
          "div",
          { class: "scroll", tabindex: 0, role: "group", "aria-label": "What is different" },
          matrix(request, after, { first: 0, chosen, changed: cells, before }),
        ),
        h("div", {}, [
          flipped.length > 0 && listed(flipped, after, chosen),
          sorted.length > flipped.length &&
            h("details", {}, [
              h("summary", {}, `${sorted.length - flipped.length} decided alike, on other evidence`),
              listed(sorted.slice(flipped.length), after, chosen),
            ]),
        ]),
      ]),
  );
}

function listed(changes, after, chosen) {
  return h(
    "ol",
    { class: "changes" },
    changes.slice(0, MOST_CHANGES).map((each) => change(each, after, chosen)),
  );
}

function side(name, reply) {
  return [
    h("dt", {}, name),
    h(
      "dd",
      {},
      h("b", {}, quoted(reply.profile)),
      " · ",
      quoted(schemeName(reply)),
      h("code", { title: reply.fingerprint }, quoted(reply.fingerprint)),
    ),
  ];
}

function schemeName({ scheme }) {
  const share = scheme.eta ?? scheme.alpha ?? scheme.lambda;
  return share === undefined ? scheme.name : `${scheme.name} ${brief(share)}`;
}

function summary(changes, moved, before) {
  const told = before.rollouts.reduce((sum, each) => sum + (each.criteria?.length ?? 0), 0);
  if (!changes.length && !moved.length) return "No criterion and no reward is different.";
  const flipped = changes.filter(flips).length;
  return `${flipped} of ${told} verdicts on criteria differ, and ${moved.length} of ${before.rollouts.length} rewards.`;
}

function rewardList(moved, before, after) {
  return h(
    "ul",
    { class: "moved" },
    moved.map((at) => {
      const [old, now] = [before.rollouts[at].reward, after.rollouts[at].reward];
      return h(
        "li",
        {},
        quoted(after.rollouts[at].id),
        ` ${brief(old)} → `,
        h("b", { class: now < old ? "down" : "up" }, brief(now)),
      );
    }),
  );
}

function change(each, after, chosen) {
  const criterion = each.after ?? each.before;
  return h(
    "li",
    { class: flips(each) ? "flip" : null },
    h(
      "button",
      { type: "button", class: "line", on: { click: () => chosen(each.rollout, each.criterion) } },
      quoted(after.rollouts[each.rollout].id),
      h("b", {}, quoted(criterion.entity)),
      h("span", {}, told(each.before)),
      h("span", { "aria-label": "became" }, "→"),
      h("span", {}, told(each.after)),
    ),
  );
}

function told(criterion) {
  if (!criterion) return "not judged";
  const stage = stageOf(criterion);
  if (!stage) return [tag(criterion), " not found"];
  if (stage === "near")
    return [
      tag(criterion),
      " refused ",
      quoted(criterion.near_miss.surface),
      ` (`,
      quoted(criterion.near_miss.reason),
      ")",
    ];
  const flags = criterion.flags.length ? ` · ${criterion.flags.join(", ").replaceAll("_", " ")}` : "";
  return [
    tag(criterion),
    ` ${STAGES[stage]} `,
    criterion.surface !== null && quoted(criterion.surface),
    flags,
  ];
}
