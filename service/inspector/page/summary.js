/** What a group is about and how it came out, in a few lines; and the signs that the page uses. */

import { byId, fill, h, quoted } from "./elements.js";
import { STAGES, TAGS } from "./marks.js";
import { brief, number } from "./numbers.js";

/** Question, answer, statistics, and what made the numbers. */
export function showSummary(request, reply) {
  const answer = typeof request.answer === "string" ? { value: request.answer } : request.answer;
  fill(
    byId("question"),
    request.question ? quoted(request.question) : h("span", { class: "note" }, "no question"),
  );
  fill(
    byId("gold"),
    answer && [
      "answer ",
      h("b", {}, quoted(answer.value)),
      answer.aliases?.length > 0 && h("span", { class: "note" }, " or ", quoted(answer.aliases.join(", "))),
    ],
  );
  const { group } = reply;
  fill(
    byId("facts"),
    h("span", {}, `${group.scored} of ${group.size} scored`),
    h("span", {}, "mean ", number(group.reward_mean)),
    h("span", {}, "deviation ", number(group.reward_std)),
    group.degenerate && h("span", { class: "flag" }, "all rewards equal: teaches nothing"),
    h("span", {}, "profile ", h("b", {}, quoted(reply.profile))),
    reply.degraded?.length > 0 && h("span", { class: "flag" }, "without ", quoted(reply.degraded.join(", "))),
    h(
      "span",
      { title: "Equal fingerprints promise equal rewards." },
      "fingerprint ",
      h("code", {}, quoted(reply.fingerprint)),
    ),
    reply.timings_ms && h("span", { class: "note" }, `${brief(reply.timings_ms.total, 1)} ms at the server`),
  );
}

/** Every stage with its sign. */
export function showLegend() {
  const told = Object.keys(TAGS).map((stage) =>
    h("span", {}, h("span", { class: "tag", data: { stage } }, TAGS[stage]), " ", STAGES[stage]),
  );
  const lost = h(
    "span",
    {},
    h("span", { class: "tag lost", data: { stage: "exact" } }, TAGS.exact),
    " found, without credit",
  );
  fill(byId("legend"), told, lost, h("span", {}, h("span", { class: "flagged" }), " flagged"));
}
