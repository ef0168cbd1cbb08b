/** How a reward comes about, in steps that a person can follow with a pencil. */

import { brief } from "./numbers.js";

const MOST_TERMS = 12;

/**
 * @typedef {object} Step
 * @property {string} name what is worked out
 * @property {string} sum how, ending with the value
 * @property {string} [note] why
 */

/**
 * @param {any} found one of the rollouts of `rewardGroup`
 * @param {{best: number, deferred: boolean}} rewards
 * @returns {Step[]}
 */
export function stepsOf(found, rewards, scheme) {
  return [
    outcomeStep(found),
    ...scoreSteps(found, scheme),
    ...shareSteps(found, rewards, scheme),
    rewardStep(found, scheme),
  ];
}

function outcomeStep(found) {
  const sum = `o = ${brief(found.outcome)}`;
  if (found.zeroed) return { name: "outcome", sum, note: "cut off or ill-formed: judged, and worth nothing" };
  return { name: "outcome", sum };
}

function scoreSteps(found, scheme) {
  if (scheme.name === "outcome" || found.zeroed) return [];
  const score = brief(found.score);
  if (scheme.name === "longrlvr") {
    return [
      {
        name: "score",
        sum: `F = ${score}`,
        note: `of cited chunks, β = ${brief(scheme.beta)}, counted by the server`,
      },
    ];
  }
  if (!found.credits) return [{ name: "score", sum: `s = ${score}`, note: "as the reply says" }];
  if (!found.positive) return [{ name: "score", sum: `s = 0`, note: "no entity has a positive weight" }];
  const quotient = `${terms(found)} / ${brief(found.positive)} = ${brief(found.balance)}`;
  if (found.balance >= 0 || scheme.clip === false) return [{ name: "score", sum: `s = ${quotient}` }];
  return [{ name: "score", sum: `s = max(0, ${quotient}) = 0`, note: "penalties outweigh what was found" }];
}

/** Weight times credit, where there is any. */
function terms({ weights, credits }) {
  const paid = weights.flatMap((weight, at) => (weight && credits[at] ? [term(weight, credits[at])] : []));
  if (paid.length === 0) return "0";
  if (paid.every((each) => each === "1")) return String(paid.length);
  if (paid.length === 1) return paid[0];
  const shown = paid.slice(0, MOST_TERMS).join(" + ").replaceAll("+ −", "− ");
  return `(${shown}${paid.length > MOST_TERMS ? ` + ${paid.length - MOST_TERMS} more` : ""})`;
}

function term(weight, credit) {
  const shown = credit === 1 ? brief(Math.abs(weight)) : `${brief(Math.abs(weight))} · ${brief(credit)}`;
  return weight < 0 ? `−${shown}` : shown;
}

function shareSteps(found, { best, deferred }, scheme) {
  if (!scheme.normalize || scheme.normalize === "none" || found.zeroed) return [];
  const sum = `ŝ = s = ${brief(found.normalized)}`;
  if (deferred) return [{ name: "share", sum, note: "a rollout alone keeps its score" }];
  if (best <= 0)
    return [{ name: "share", sum, note: "nothing was found that could be the best of the group" }];
  const whose =
    scheme.normalize === "gated_max"
      ? "the best score that the rubric pays for"
      : "the best score of the group";
  if (found.score > best)
    return [{ name: "share", sum: `ŝ = min(1, ${brief(found.score)} / ${brief(best)}) = 1`, note: whose }];
  return [
    {
      name: "share",
      sum: `ŝ = ${brief(found.score)} / ${brief(best)} = ${brief(found.normalized)}`,
      note: whose,
    },
  ];
}

function rewardStep(found, scheme) {
  const [sum, note] = formulaOf(found, scheme);
  return {
    name: "reward",
    sum: `r = ${sum}${sum === brief(found.reward) ? "" : ` = ${brief(found.reward)}`}`,
    note,
  };
}

function formulaOf(found, scheme) {
  const [o, s, share] = [found.outcome, found.score, found.normalized].map((each) => brief(each));
  const part = brief(scheme.eta ?? scheme.alpha);
  switch (scheme.name) {
    case "longtrace":
      if (found.positive === 0 && scheme.empty_rubric !== "scaled")
        return [o, "without a rubric, the outcome alone"];
      if (scheme.gate === "positive" && found.outcome <= 0)
        return ["0", "the gate: a wrong answer is worth nothing"];
      if (scheme.gate === "negative" && found.outcome > 0)
        return [o, "the gate: a right answer is paid in full"];
      if (scheme.gate === "negative") return [`${part} · ${share}`, "η · ŝ, for a wrong answer"];
      return [`(1 − ${part}) · ${o} + ${part} · ${share}`, "(1 − η) · o + η · ŝ"];
    case "e-grpo":
      return found.outcome > 0
        ? ["1", "a right answer is paid in full"]
        : [`${part} · ${share}`, "α · ŝ, for a wrong answer"];
    case "c-grpo":
      return [`(1 − ${part}) · ${o} + ${part} · ${o} · ${share}`, "(1 − α) · o + α · o · ŝ"];
    case "longrlvr":
      return [`${o} + (${part} · ${s} + (1 − ${part}) · ${o} · ${s})`, "o + (η · F + (1 − η) · o · F)"];
    case "healthbench":
      return scheme.clip === false ? [brief(found.balance), "s, below 0 where penalties outweigh"] : [s, "s"];
    case "gear":
      return [s, `s, each credit scaled by its prerequisites, λ = ${brief(scheme.lambda)}`];
    case "outcome":
      return [o, "o"];
    default:
      return [s, "s"];
  }
}
