/**
 * Rewards of a group under any scheme, at once: what rubric/credits.py and rubric/schemes.py do, to the last bit.
 *
 *     const group = groupOf(request, reply);
 *     rewardGroup(group, { name: "longtrace", eta: 0.5, gate: "positive", normalize: "group_max" }).rollouts[0].reward
 *
 * Numbers are the same doubles in the same order of operations, and sums are exact before they are rounded once.
 * tests/inspector/test_schemes.py holds this file to the Python over random groups.
 *
 * Two things only the server can count, and for them a reply's own scores are taken: which criteria rubric dropout
 * left out, and which chunks a response cites. `obstacle` says where a scheme cannot be worked out from a reply.
 */

/** Each scheme with its options, as the wire has them. @type {Record<string, Record<string, any>>} */
export const SCHEMES = {
  outcome: {},
  longtrace: { eta: 0.3, gate: "positive", normalize: "group_max" },
  "e-grpo": { alpha: 0.3, normalize: "group_max" },
  "c-grpo": { alpha: 0.3, normalize: "group_max" },
  longrlvr: { eta: 0.1, beta: 2.0, counting: "sets" },
  rar: {},
  healthbench: { clip: true },
  gear: { lambda: 0.0 },
};

const NEEDS_NO_OUTCOME = new Set(["rar", "healthbench", "gear"]);

/**
 * @typedef {object} Judged one rollout before any scheme; null where it failed or is masked
 * @property {number|null} outcome
 * @property {boolean} zeroed truncated, aborted or ill-formed
 * @property {number[]|null} earned per entity, before prerequisites; null where only a score is known
 * @property {Set<number>} ignored entities that do not count for this rollout
 * @property {{score: number, hits: number, total: number}} told what the reply says
 *
 * @typedef {object} Group
 * @property {Array<Judged|null>} judged
 * @property {number[]} weights
 * @property {Array<[number, number[]]>} requires what is required stands before what requires it
 * @property {Record<string, any>} scheme the reply's own
 * @property {boolean} alone
 * @property {boolean} counted whether scores come from criteria, and not from the reply
 */

/**
 * What schemes see of a request and its reply; `toldOnly` takes the scores of the reply, where its request is gone.
 * @returns {Group}
 */
export function groupOf(request, reply, { toldOnly = false } = {}) {
  const entities = request.rubric.entities.map((each) => (typeof each === "string" ? { name: each } : each));
  const counted =
    !toldOnly &&
    reply.scheme.name !== "longrlvr" &&
    !reply.scheme.dropout &&
    reply.rollouts.every(
      (each) => each.status !== "ok" || zeroed(each) || each.criteria?.length === entities.length,
    );
  return {
    judged: reply.rollouts.map((each) => judged(each, request.rubric.policy ?? {}, counted)),
    weights: entities.map((each) => each.weight ?? 1),
    requires: inOrder(entities),
    scheme: reply.scheme,
    alone: request.alone === true,
    counted,
  };
}

function zeroed(rollout) {
  return rollout.outcome?.verifier === "status";
}

function judged(rollout, policy, counted) {
  if (rollout.status !== "ok") return null;
  const criteria = zeroed(rollout) ? [] : (rollout.criteria ?? []);
  const over = (rollout.flags ?? []).map((flag) => policy[flag]);
  const done = criteria.map((each) => [...over, ...(each.flags ?? []).map((flag) => policy[flag])]);
  return {
    outcome: rollout.outcome?.value ?? null,
    zeroed: zeroed(rollout),
    earned: counted ? criteria.map((each, at) => (each.hit && !done[at].includes("zero") ? 1 : 0)) : null,
    ignored: new Set(done.flatMap((what, at) => (what.includes("ignore") ? [at] : []))),
    told: rollout.rubric,
  };
}

/** Prerequisites by index, those of others first. The server has refused circles and ids of nobody; a file has not. */
function inOrder(entities) {
  const places = new Map(entities.map((each, at) => [each.id ?? `e${at}`, at]));
  const known = (ids) => ids.flatMap((id) => places.get(id) ?? []);
  const needed = entities.map((each) => [...new Set(known(each.requires ?? []))]);
  const order = [];
  const seen = new Set();
  const visit = (at) => {
    if (seen.has(at)) return;
    seen.add(at);
    needed[at].forEach(visit);
    if (needed[at].length) order.push([at, needed[at]]);
  };
  needed.forEach((_, at) => visit(at));
  return order;
}

/** The scheme of a reply as it was asked for; the reply tells of one that was put off to a later group. */
export function schemeOf(reply) {
  const { deferred, ...scheme } = reply.scheme;
  return scheme.normalize === "deferred" ? { ...scheme, normalize: deferred ?? "group_max" } : scheme;
}

/** Why a scheme cannot be worked out from this reply, or null. @param {Group} group */
export function obstacle(group, scheme) {
  const own = group.scheme;
  const unknown = "The reply tells scores without the criteria behind them.";
  const same = own.name === scheme.name;
  if (scheme.name === "longrlvr" && !(same && own.beta === scheme.beta && own.counting === scheme.counting)) {
    return "F is over the chunks that each response cites, and only the server counts them.";
  }
  if (own.name === "longrlvr" && !same)
    return "This reply looked for chunk ids; other schemes look for names.";
  const gears = scheme.name === "gear" || own.name === "gear";
  if (!group.counted && gears && !(same && own.lambda === scheme.lambda)) return unknown;
  if (!group.counted && scheme.name === "healthbench" && scheme.clip === false) {
    return "The reply tells no score below 0.";
  }
  if (
    needsOutcome(group, scheme) &&
    group.judged.some((each) => each && !each.zeroed && each.outcome === null)
  ) {
    return "This scheme needs an outcome, and a rollout has none.";
  }
  return null;
}

function needsOutcome(group, scheme) {
  if (scheme.name === "longtrace") return scheme.gate !== "none" || scheme.eta !== 1 || !hasPositive(group);
  return !NEEDS_NO_OUTCOME.has(scheme.name);
}

function hasPositive(group) {
  return group.weights.some((weight) => weight > 0);
}

/**
 * The rewards of a group and what each is made of. Ask `obstacle` first.
 * @param {Group} group
 */
export function rewardGroup(group, scheme) {
  const found = group.judged.map((each) => each && foundBy(each, group, scheme));
  const normalize = scheme.normalize ?? "none";
  const scored = found.filter((each) => each !== null);
  const deferred = normalize !== "none" && (group.alone || scored.length <= 1);
  const best = deferred ? 0 : bestOf(scored, scheme, normalize);
  const rollouts = found.map((each) => each && rewarded(each, best, scheme));
  return {
    rollouts,
    best,
    deferred,
    ...statistics(rollouts.filter((each) => each !== null).map((each) => each.reward)),
  };
}

// --- one rollout ---------------------------------------------------------------------------------------------

function foundBy(rollout, group, scheme) {
  const weights = group.weights.map((weight, at) =>
    rollout.ignored.has(at) && !rollout.zeroed ? 0 : weight,
  );
  const gains = weights.filter((weight) => weight > 0);
  const positive = exactSum(gains);
  if (rollout.zeroed) {
    const credits = weights.map(() => 0);
    return {
      outcome: 0,
      credits,
      weights,
      positive,
      balance: 0,
      score: 0,
      hits: 0,
      total: gains.length,
      zeroed: true,
    };
  }
  const outcome = rollout.outcome ?? 0;
  if (!rollout.earned) {
    const { score, hits, total } = rollout.told;
    return {
      outcome,
      credits: null,
      weights,
      positive: total,
      balance: score,
      score,
      hits,
      total,
      zeroed: false,
    };
  }
  const credits = creditsOf(rollout, group, scheme);
  const balance = positive ? exactSum(weights.map((weight, at) => weight * credits[at])) / positive : 0;
  return {
    outcome,
    credits,
    weights,
    positive,
    balance,
    score: Math.max(0, balance),
    hits: weights.filter((weight, at) => weight > 0 && credits[at] > 0).length,
    total: gains.length,
    zeroed: false,
  };
}

function creditsOf(rollout, group, scheme) {
  const credits = [...rollout.earned];
  for (const [at, needed] of group.requires) {
    if (scheme.name === "gear") {
      credits[at] *= needed.reduce(
        (all, each) => all * (credits[each] + (1 - credits[each]) * scheme.lambda),
        1,
      );
    } else if (!needed.every((each) => credits[each] > 0)) {
      credits[at] = 0;
    }
  }
  return credits.map((credit, at) => (rollout.ignored.has(at) ? 0 : credit));
}

// --- the group -----------------------------------------------------------------------------------------------

function bestOf(scored, scheme, normalize) {
  if (normalize === "none") return 0;
  const rivals = scored.filter((each) => normalize === "group_max" || passes(each, scheme));
  return rivals.reduce((best, each) => Math.max(best, each.score), 0);
}

function passes(found, scheme) {
  if (scheme.name === "longtrace" && scheme.gate === "none") return true;
  const wrong = scheme.name === "e-grpo" || scheme.gate === "negative";
  return wrong ? found.outcome <= 0 : found.outcome > 0;
}

function rewarded(found, best, scheme) {
  const share = best > 0 ? Math.min(1, found.score / best) : found.score;
  return { ...found, normalized: share, reward: formula(found, share, scheme) };
}

/** The formulas, in the order of operations of rubric/schemes.py: it decides the last bit. */
function formula({ outcome, score, balance, positive }, share, scheme) {
  switch (scheme.name) {
    case "outcome":
      return outcome;
    case "longtrace":
      if (positive === 0 && scheme.empty_rubric !== "scaled") return outcome;
      if (scheme.gate === "positive" && outcome <= 0) return 0;
      if (scheme.gate === "negative") return outcome > 0 ? outcome : scheme.eta * share;
      return (1 - scheme.eta) * outcome + scheme.eta * share;
    case "e-grpo":
      return outcome > 0 ? 1 : scheme.alpha * share;
    case "c-grpo":
      return (1 - scheme.alpha) * outcome + scheme.alpha * outcome * share;
    case "longrlvr":
      return outcome + (scheme.eta * score + (1 - scheme.eta) * outcome * score);
    case "healthbench":
      return scheme.clip === false ? balance : score;
    default:
      return score;
  }
}

function statistics(rewards) {
  const equal = new Set(rewards).size <= 1;
  const scored = rewards.length;
  if (scored <= 1) return { mean: rewards[0] ?? null, deviation: null, degenerate: equal, scored };
  const mean = equal ? rewards[0] : exactSum(rewards) / scored;
  const squares = exactSum(rewards.map((each) => (each - mean) * (each - mean)));
  return { mean, deviation: Math.sqrt(squares / (scored - 1)), degenerate: equal, scored };
}

/** The sum of doubles, rounded once: Shewchuk's partial sums, as Python's `math.fsum`. @param {number[]} values */
export function exactSum(values) {
  const partials = [];
  for (let value of values) {
    let kept = 0;
    for (let partial of partials) {
      if (Math.abs(value) < Math.abs(partial)) [value, partial] = [partial, value];
      const high = value + partial;
      const low = partial - (high - value);
      if (low) partials[kept++] = low;
      value = high;
    }
    partials.length = kept;
    partials.push(value);
  }
  return rounded(partials);
}

/** Ascending partial sums without overlap, to one double; a tie is broken by what lies below it. */
function rounded(partials) {
  let at = partials.length - 1;
  let high = partials[at] ?? 0;
  let low = 0;
  while (at > 0) {
    const before = high;
    const next = partials[--at];
    high = before + next;
    low = next - (high - before);
    if (low) break;
  }
  if (at > 0 && ((low < 0 && partials[at - 1] < 0) || (low > 0 && partials[at - 1] > 0))) {
    const twice = low * 2;
    const moved = high + twice;
    if (twice === moved - high) high = moved;
  }
  return high;
}
