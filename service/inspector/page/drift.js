/** The drift windows as they stand, asked for every few seconds while somebody looks. */

import { byId, fill, h, quoted, svg } from "./elements.js";
import { brief, counted, number } from "./numbers.js";
import { drift } from "./service.js";

const EVERY_MS = 5000;
const SURPRISING = 3;
const STATISTICS = { psi: "PSI", wasserstein: "Wasserstein", ks: "KS", js: "JS" };
const UNITS = {
  score: "of the rubric",
  length: "ln(1 + characters)",
  similarity: "of fuzzy hits",
};
const ALARMS = 3;

let timer = 0;
let asking = 0;

/** Begin to look, or stop. @param {boolean} yes */
export function watchDrift(yes) {
  clearTimeout(timer);
  asking += 1;
  if (yes) pass(asking);
}

async function pass(turn) {
  if (!document.hidden) {
    const state = byId("drift-state");
    try {
      const report = await drift();
      if (turn !== asking) return;
      show(report);
      state.textContent = `as of ${new Date().toLocaleTimeString("en-GB")}, every ${EVERY_MS / 1000} s`;
      state.className = "note";
    } catch (error) {
      if (turn !== asking) return;
      state.textContent =
        error.status === 404 ? "This port does not serve /drift." : `No answer: ${error.message}`;
      state.className = "warning";
    }
  }
  timer = setTimeout(() => pass(turn), EVERY_MS);
}

function show({ reference, windows, canary }) {
  fill(byId("drift-facts"), canaryFact(canary), referenceFact(reference));
  const busy = windows.filter((each) => each.groups > 0);
  fill(
    byId("drift-windows"),
    busy.length
      ? busy.map(windowCard)
      : h("p", { class: "empty" }, "No group has been scored yet. They appear here as they come."),
  );
}

function canaryFact(canary) {
  if (!canary) return null;
  const last = canary.last;
  const said = last
    ? `${last.cases} golden cases, ${last.mismatches} differ, ${Math.round(last.age_s)} s ago`
    : "no pass yet";
  return h(
    "p",
    { class: `fact ${{ ok: "well", mismatch: "ill" }[canary.state] ?? ""}` },
    h("b", {}, "Canary "),
    quoted(canary.state),
    ` · ${said}`,
  );
}

function referenceFact(reference) {
  if (!reference) {
    return h(
      "p",
      { class: "fact" },
      h("b", {}, "Reference "),
      "none: numbers stand alone. Freeze one with ",
      h("code", {}, "cairn reference freeze"),
      ".",
    );
  }
  return h(
    "p",
    { class: "fact" },
    h("b", {}, "Reference "),
    quoted(reference.source),
    " of ",
    quoted(String(reference.made).slice(0, 16).replace("T", " ")),
  );
}

function windowCard(view) {
  const labels = Object.entries(view.labels);
  return h(
    "section",
    { class: `window${view.compared ? " compared" : ""}${view.alarms.length ? " alarmed" : ""}` },
    h(
      "h3",
      {},
      labels.length
        ? labels.map(([name, value]) => h("span", { class: "label" }, quoted(`${name}=${value}`)))
        : "All groups",
    ),
    h(
      "p",
      { class: "note" },
      [
        counted(view.groups, "group"),
        counted(view.prompts, "prompt"),
        counted(view.rollouts, "rollout"),
      ].join(", "),
    ),
    view.compared && evidence(view.evidence),
    view.alarms.length > 0 && alarms([...view.alarms].reverse()),
    h("div", { class: "scroll", tabindex: 0 }, numbersTable(view.numbers)),
  );
}

/** How near the next alarm is. */
function evidence(value) {
  return h(
    "p",
    {},
    "evidence for a change ",
    h("meter", { min: 0, max: 1, high: 0.8, value: Math.max(0, Math.min(1, value)) }),
    " ",
    number(value),
  );
}

/** The newest first, and few of them: a change that lasts tells itself again and again. */
function alarms(newest) {
  const older = newest.slice(ALARMS);
  return h(
    "div",
    { class: "alarms" },
    h("ul", {}, newest.slice(0, ALARMS).map(alarm)),
    older.length > 0 &&
      h("details", {}, h("summary", {}, `${older.length} before`), h("ul", {}, older.map(alarm))),
  );
}

function alarm({ group, since, causes }) {
  const told = causes.map(
    (each) => `${each.feature} ${each.direction === "up" ? "↑" : "↓"} ${Math.round(each.share * 100)} %`,
  );
  return h("li", {}, `▲ at group ${group}, seen after ${counted(since, "group")}: `, quoted(told.join(", ")));
}

function numbersTable(numbers) {
  const filled = Object.entries(numbers).filter(([, each]) => each.values > 0);
  const compared = filled.some(([, each]) => Object.keys(each.distances).length);
  const heads = [
    "",
    "mean ± deviation",
    "5 % · 25 % · median · 75 % · 95 %",
    ...(compared ? Object.values(STATISTICS) : []),
  ];
  return h(
    "table",
    { class: "drift-numbers" },
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        heads.map((each) => h("th", { scope: "col" }, each)),
      ),
    ),
    h(
      "tbody",
      {},
      filled.map(([name, each]) =>
        h(
          "tr",
          {},
          h(
            "th",
            { scope: "row" },
            quoted(name),
            h("span", { class: "note" }, UNITS[name] ?? null),
            h("span", { class: "note" }, counted(each.values, "value")),
          ),
          h("td", {}, `${brief(each.mean, 3)} ± ${brief(each.deviation, 3)}`),
          h("td", {}, box(each.quantiles)),
          compared && Object.keys(STATISTICS).map((key) => h("td", {}, distance(each.distances[key]))),
        ),
      ),
    ),
  );
}

/** Five quantiles as a box between whiskers. */
function box(quantiles) {
  const values = ["0.05", "0.25", "0.5", "0.75", "0.95"].map((rank) => quantiles[rank]);
  if (values.some((each) => typeof each !== "number")) return "–";
  const low = Math.min(0, values[0]);
  const high = Math.max(1, values[4]);
  const [a, b, c, d, e] = values.map((each) => 4 + (152 * (each - low)) / (high - low));
  const told = values.map((each) => brief(each, 3)).join(" · ");
  return h(
    "span",
    { class: "box" },
    svg(
      "svg",
      { viewBox: "0 0 160 20", role: "img", "aria-label": told },
      svg("line", { class: "range", x1: 4, x2: 156, y1: 10, y2: 10 }),
      svg("line", { class: "whisker", x1: a, x2: e, y1: 10, y2: 10 }),
      svg("rect", { class: "middle", x: b, y: 4, width: Math.max(1.5, d - b), height: 12, rx: 2 }),
      svg("line", { class: "median", x1: c, x2: c, y1: 2, y2: 18 }),
    ),
    h("span", { class: "note" }, told),
  );
}

/** A distance beside what noise alone would make of it. */
function distance(found) {
  if (!found || found.value === null) return number(null);
  const far = found.surprise !== null && found.surprise > SURPRISING;
  const noise = found.noise_mean === null ? null : ` noise ${brief(found.noise_mean, 3)}`;
  return h(
    "span",
    { class: far ? "far" : null },
    number(found.value),
    far && ` ▲ ${brief(found.surprise, 1)} σ`,
    h("span", { class: "note" }, noise),
  );
}
