/** The rewards of the group under any scheme, worked out here and at once, with a slider for its share. */

import { controls } from "./controls.js";
import { byId, fill, h, quoted } from "./elements.js";
import { bar, brief, number } from "./numbers.js";
import { SCHEMES, groupOf, obstacle, rewardGroup, schemeOf } from "./schemes.js";
import { stepsOf } from "./steps.js";

const MOST_ROWS = 64;

/** Shows the rewards of one group. */
export class Rewards {
  #index = 0;
  #scheme;

  /**
   * @param {any} request
   * @param {any} reply
   * @param {{ask: (scheme: any) => void, bare?: boolean}} options `ask` scores the group again, under this scheme,
   *   at the server; `bare` is a request that was made up from its reply
   */
  constructor(request, reply, { ask, bare = false }) {
    this.reply = reply;
    this.ask = ask;
    this.group = groupOf(request, reply, { toldOnly: bare });
    this.own = schemeOf(reply);
    const all = byId("all-schemes");
    all.open = false;
    all.ontoggle = () => this.#drawAll();
    this.#change(this.own);
  }

  /** Work out the reward of this rollout. */
  choose(index) {
    this.#index = index;
    this.#draw();
  }

  #change(scheme) {
    this.#scheme = scheme;
    const change = (other) => this.#change(other);
    const adjust = (name, value) => {
      this.#scheme = { ...this.#scheme, [name]: value };
      this.#draw();
    };
    const ask = () => this.ask(this.#scheme);
    fill(byId("scheme-controls"), controls(scheme, this.own, { change, adjust, ask }));
    this.#draw();
  }

  #draw() {
    const own = same(this.#scheme, this.own);
    const why = obstacle(this.group, this.#scheme);
    byId("ask-server").hidden = own || why === null;
    byId("own-scheme").hidden = own;
    byId("rewards").classList.toggle("guess", !own);
    if (why) this.#drawTold(why, own);
    else this.#drawWorked(rewardGroup(this.group, this.#scheme), own);
    this.#drawAll();
  }

  #drawTold(why, own) {
    fill(byId("working"), h("p", { class: "warning" }, why, own ? "" : " Ask the server for it."));
    fill(byId("reward-rows"), own && this.#rows(asTold(this.reply)));
    fill(byId("reward-sums"), null);
  }

  #drawWorked(worked, own) {
    fill(byId("working"), working(worked, this.reply.rollouts[this.#index], this.#index, this.#scheme));
    fill(byId("reward-rows"), this.#rows(worked));
    fill(byId("reward-sums"), sums(worked, this.reply, own));
  }

  #drawAll() {
    if (byId("all-schemes").open) fill(byId("all-rows"), everyScheme(this.group, this.reply, this.#scheme));
  }

  #rows(worked) {
    return rows(worked, this.reply, this.#index, (index) => this.choose(index));
  }
}

function same(one, other) {
  const names = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...names].every((name) => JSON.stringify(one[name]) === JSON.stringify(other[name]));
}

/** What the reply says, where nothing can be worked out. */
function asTold(reply) {
  return {
    rollouts: reply.rollouts.map((each) =>
      each.status === "ok"
        ? { outcome: each.outcome?.value ?? null, ...each.rubric, reward: each.reward }
        : null,
    ),
    mean: reply.group.reward_mean,
    deviation: reply.group.reward_std,
  };
}

// --- the numbers ---------------------------------------------------------------------------------------------

function working(worked, rollout, index, scheme) {
  const found = worked.rollouts[index];
  if (!found) {
    return h(
      "p",
      { class: "note" },
      quoted(rollout.id),
      ` ${rollout.status}: no reward, and nobody else's is changed by it.`,
    );
  }
  return h(
    "ol",
    { class: "steps", "aria-label": `How the reward of ${rollout.id} comes about` },
    stepsOf(found, worked, scheme).map(({ name: step, sum, note }) =>
      h(
        "li",
        { data: { step } },
        h("span", { class: "sum" }, sum),
        note && h("span", { class: "note" }, note),
      ),
    ),
  );
}

function rows(worked, reply, index, choose) {
  const most = Math.max(1, ...worked.rollouts.map((each) => each?.reward ?? 0));
  const shown = worked.rollouts.slice(0, MOST_ROWS);
  return shown.map((found, at) =>
    h(
      "tr",
      { class: at === index ? "chosen" : null },
      h(
        "th",
        { scope: "row" },
        h(
          "button",
          { type: "button", "aria-pressed": at === index, on: { click: () => choose(at) } },
          quoted(reply.rollouts[at].id),
        ),
      ),
      found
        ? [
            number(found.outcome),
            number(found.score),
            number(found.normalized),
            bar(found.reward, { most, kind: "worked" }),
            advantage(found, worked),
          ].map((each) => h("td", {}, each))
        : h("td", { colspan: 5, class: "note" }, reply.rollouts[at].status),
    ),
  );
}

/** The group under every scheme: the one that is looked at as it is set, the others as they come. */
function everyScheme(group, reply, scheme) {
  const columns = Object.entries(SCHEMES).map(([name, options]) => {
    const chosen = name === scheme.name ? scheme : { name, ...options };
    return { name, worked: obstacle(group, chosen) ? null : rewardGroup(group, chosen) };
  });
  const shown = columns.filter((each) => each.worked);
  const most = (worked) => Math.max(1, ...worked.rollouts.map((each) => each?.reward ?? 0));
  const head = (each) =>
    h("th", { scope: "col", class: each.name === scheme.name ? "chosen" : null }, each.name);
  return [
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "rollout"), shown.map(head))),
    h(
      "tbody",
      {},
      reply.rollouts.slice(0, MOST_ROWS).map((rollout, at) =>
        h(
          "tr",
          {},
          h("th", { scope: "row" }, quoted(rollout.id)),
          shown.map(({ worked }) =>
            h("td", {}, bar(worked.rollouts[at]?.reward, { most: most(worked), decimals: 3 })),
          ),
        ),
      ),
    ),
  ];
}

/** Where the reward stands in its group: what GRPO learns from. */
function advantage(found, { mean, deviation }) {
  if (!deviation) return number(null);
  const value = (found.reward - mean) / deviation;
  return h(
    "span",
    { class: `number ${value < 0 ? "down" : "up"}`, title: value },
    `${value < 0 ? "−" : "+"}${brief(Math.abs(value), 2)}`,
  );
}

function sums(worked, reply, own) {
  const equal = reply.rollouts.every((each, at) => each.reward === (worked.rollouts[at]?.reward ?? null));
  const verdict = equal
    ? h("span", { class: "agrees" }, "✓ the server's rewards, to the last digit")
    : h("span", { class: "warning" }, "These are not the rewards of the reply: is this its request?");
  return [
    h("span", {}, "mean ", number(worked.mean)),
    h("span", {}, "deviation ", number(worked.deviation)),
    worked.degenerate && h("span", { class: "flag" }, "all equal: teaches nothing"),
    worked.deferred && h("span", { class: "note" }, "normalization is left to a later group"),
    own ? verdict : h("span", { class: "note" }, "not what the server was asked for"),
  ];
}
