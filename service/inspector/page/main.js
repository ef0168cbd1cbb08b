/** The page: what is opened is scored, what is scored is shown, and every part knows which group it is about. */

import { showComparison } from "./compare.js";
import { nameOf, read } from "./documents.js";
import { watchDrift } from "./drift.js";
import { announce, byId, fill, h, quoted } from "./elements.js";
import { keys, tabs } from "./keyboard.js";
import { matrix, pagesOf } from "./matrix.js";
import { Responses } from "./responses.js";
import { Rewards } from "./rewards.js";
import { schemeOf } from "./schemes.js";
import { Refused, example, keptGroup, keptGroups, score, useKey, version } from "./service.js";
import { showLegend, showSummary } from "./summary.js";
import { EDITABLE, onChosen, onDropped, onLargePaste } from "./taking.js";

/** @type {{groups: import("./documents.js").Opened[], at: number, view: Responses|null, dirty: boolean, asking: AbortController|null}} */
const state = { groups: [], at: 0, view: null, dirty: false, asking: null };

const source = /** @type {HTMLTextAreaElement} */ (byId("source"));
const list = /** @type {HTMLSelectElement} */ (byId("group-list"));

// --- what is opened ------------------------------------------------------------------------------------------

/** Take texts in, and show the first group of them. */
async function open(texts) {
  const { groups, faults } = read(texts);
  tell(faults.map((each) => [each]));
  if (!groups.length) return;
  Object.assign(state, { groups, dirty: false });
  fill(
    list,
    groups.map((each, at) => h("option", { value: at }, nameOf(each, at))),
  );
  byId("groups-nav").hidden = groups.length < 2;
  await turnTo(0);
}

async function turnTo(at) {
  if (at < 0 || at >= state.groups.length) return;
  state.asking?.abort();
  state.at = at;
  list.value = String(at);
  const group = state.groups[at];
  const text = JSON.stringify(group.request, null, 1);
  source.value = text.length <= EDITABLE && !group.bare ? text : "";
  state.dirty = false;
  for (const id of ["score", "compare-profile"]) byId(id).toggleAttribute("disabled", group.bare === true);
  fill(byId("comparison"));
  if (group.replies.length) return showStored(group);
  await ask();
  if (group === state.groups[state.at] && !group.replies.length) hide();
}

async function showExample() {
  await open([await example()]);
  byId("source-details").open = false;
}

/** Files that were chosen or dropped. */
async function openFiles(files) {
  progress("reading …");
  const texts = await Promise.all(files.map((each) => each.text()));
  progress("");
  await open(texts);
  byId("source-details").open = false;
}

/** A reply, or a pair, to hold against the one that is shown. */
async function openOther(files) {
  const group = state.groups[state.at];
  const { groups, faults } = read([JSON.stringify(group.request), await files[0].text()]);
  const replies = groups.flatMap((each) => each.replies);
  const fits = (each) => each.rollouts.length === group.request.rollouts.length;
  if (replies.length) contrast(group.replies[0], replies.find(fits) ?? replies[0]);
  else tell([[faults[0] ?? "There is no reply to this group in the file."]]);
}

// --- what is asked -------------------------------------------------------------------------------------------

/** Score the group that is shown; `changes` are fields of the body that win over what it says. */
async function ask(changes = {}) {
  const group = state.groups[state.at];
  if (!group || group.bare) return;
  const reply = await scored({ ...group.request, ...chosenProfile(), ...changes });
  if (!reply) return;
  group.replies = [reply];
  fill(byId("comparison"));
  show({ ...group.request, ...changes }, reply);
}

async function askTyped() {
  if (!state.dirty) return state.groups.length ? ask() : open([source.value]);
  return open([source.value]);
}

/** The reply to a body, or null: then it is told why. */
async function scored(request) {
  state.asking?.abort();
  const asking = new AbortController();
  state.asking = asking;
  progress("scoring …");
  const started = performance.now();
  try {
    const reply = await score(request, asking.signal);
    tell([]);
    progress(`answered in ${Math.round(performance.now() - started)} ms`);
    listKept();
    return reply;
  } catch (error) {
    if (error.name === "AbortError") return null;
    progress("");
    tell(reasons(error));
    if (error.status === 401 || error.status === 403) byId("key").focus();
    return null;
  } finally {
    if (state.asking === asking) state.asking = null;
  }
}

function reasons(error) {
  if (!(error instanceof Refused)) return [["The server does not answer."]];
  if (error.faults.length === 0) return [[error.message]];
  return error.faults.map((each) => [h("code", {}, quoted(each.path)), " ", quoted(each.message)]);
}

function chosenProfile() {
  const profile = /** @type {HTMLSelectElement} */ (byId("profile")).value;
  return profile ? { profile } : {};
}

async function compareProfiles() {
  const group = state.groups[state.at];
  const before = group.replies[0];
  const profile = /** @type {HTMLSelectElement} */ (byId("other-profile")).value;
  const after = await scored({ ...group.request, profile, scheme: schemeOf(before) });
  if (after) contrast(before, after);
}

// --- what is shown -------------------------------------------------------------------------------------------

/** A reply out of a file, and another one to hold against it: they may be anything. */
function showStored({ request, replies }) {
  progress("as it was stored");
  try {
    show(request, replies[0]);
    if (replies.length > 1) contrast(replies[0], replies[1]);
  } catch (error) {
    hide();
    tell([["This is not a reply in the form of this version: ", error.message]]);
  }
}

function show(request, reply) {
  if (reply.rollouts.length !== request.rollouts.length) {
    hide();
    return tell([["This reply has another number of rollouts than the request."]]);
  }
  performance.mark("cairn-show");
  byId("shown").hidden = false;
  byId("welcome").hidden = true;
  showSummary(request, reply);
  state.view?.close();
  const { bare } = state.groups[state.at];
  const worked = new Rewards(request, reply, { ask: (scheme) => ask({ scheme }), bare });
  const view = new Responses(request, reply, { bare, turned: (index) => worked.choose(index) });
  const chosen = (rollout, criterion) => view.choose(rollout, criterion);
  const page = (first) => fill(byId("matrix"), matrix(request, reply, { first, chosen }));
  const pages = pagesOf(reply.rollouts.length);
  fill(
    byId("pages"),
    pages.length > 1 &&
      pages.map((first) =>
        h("button", { type: "button", on: { click: () => page(first) } }, `${first + 1}–`),
      ),
  );
  page(0);
  state.view = view;
  byId("together").checked = false;
  performance.measure("cairn-render", "cairn-show");
}

/** There is nothing to show of this group. */
function hide() {
  state.view?.close();
  state.view = null;
  byId("shown").hidden = true;
}

function contrast(before, after) {
  if (before.rollouts.length !== after.rollouts.length) {
    return tell([["The two replies are of groups of different sizes."]]);
  }
  const { request } = state.groups[state.at];
  const chosen = (rollout, criterion) => state.view.choose(rollout, criterion);
  showComparison({ request, before, after, chosen });
}

function tell(faults) {
  fill(
    byId("faults"),
    faults.length > 0 &&
      h(
        "ul",
        {},
        faults.slice(0, 20).map((each) => h("li", {}, each)),
      ),
  );
}

function progress(text) {
  byId("progress").textContent = text;
}

// --- what the person does ------------------------------------------------------------------------------------

function listen() {
  const on = (id, event, listener) => byId(id).addEventListener(event, listener);
  onChosen(byId("file"), openFiles);
  onChosen(byId("other-file"), openOther);
  onDropped(openFiles);
  onLargePaste(source, (text) => open([text]));
  for (const id of ["example", "example-too"]) on(id, "click", showExample);
  on("score", "click", askTyped);
  on("profile", "change", () => state.groups.length && ask());
  on("compare-profile", "click", compareProfiles);
  on("key", "input", (event) => useKey(event.target.value));
  on("key", "change", listKept);
  on("key-form", "submit", (event) => event.preventDefault());
  on("kept", "change", (event) => openKept(event.target.value));
  window.addEventListener("hashchange", follow);
  on("group-list", "change", () => turnTo(Number(list.value)));
  on("group-before", "click", () => turnTo(state.at - 1));
  on("group-after", "click", () => turnTo(state.at + 1));
  on("match-before", "click", () => state.view?.step(-1));
  on("match-after", "click", () => state.view?.step(1));
  on("together", "change", (event) => state.view?.together(event.target.checked));
  on("help-button", "click", () => byId("help").showModal());
  source.addEventListener("input", () => (state.dirty = true));
  source.addEventListener(
    "keydown",
    (event) => event.key === "Enter" && (event.ctrlKey || event.metaKey) && askTyped(),
  );
  keys({
    n: () => state.view?.step(1),
    p: () => state.view?.step(-1),
    j: () => state.view?.turn(1),
    k: () => state.view?.turn(-1),
    "]": () => turnTo(state.at + 1),
    "[": () => turnTo(state.at - 1),
    s: () => byId("together").click(),
    "?": () => byId("help").showModal(),
  });
}

// --- where the address leads ---------------------------------------------------------------------------------

/** `#example`, `#drift`, or `#group=ID` for a group that the server keeps. */
async function follow() {
  const where = location.hash.slice(1);
  const group = new URLSearchParams(where).get("group");
  if (where === "drift") byId("tab-drift").click();
  else if (where) byId("tab-group").click();
  if (where === "example") await showExample();
  if (group) await openKept(group);
}

async function openKept(id) {
  try {
    await open([await keptGroup(id)]);
  } catch (error) {
    tell(error.status === 404 ? [["The server does not keep ", quoted(id), " (any more)."]] : reasons(error));
  }
}

/** The list is there where the server keeps groups, and lets this person see them. */
async function listKept() {
  const groups = await keptGroups().catch(() => []);
  byId("kept-label").hidden = groups.length === 0;
  const option = (each) => h("option", { value: each.id }, `${each.id} (${each.rollouts})`);
  fill(
    byId("kept"),
    h("option", { value: "", disabled: true, selected: true }, "choose …"),
    groups.map(option),
  );
}

async function greet() {
  try {
    const told = await version();
    fill(
      byId("server"),
      `v${told.version} · `,
      h("code", { title: "fingerprint of the server's defaults" }, told.fingerprint),
    );
  } catch {
    announce("The server does not tell its version.");
  }
}

showLegend();
listen();
tabs(/** @type {HTMLElement} */ (document.querySelector('[role="tablist"]')), (id) =>
  watchDrift(id === "drift"),
);
greet();
listKept();
follow();
