/** The responses of a group, one with its criteria beside it or all side by side, and the way from match to match. */

import { criteriaList } from "./criteria.js";
import { announce, byId, fill, h, quoted } from "./elements.js";
import { titleOf } from "./marks.js";
import { brief } from "./numbers.js";
import { head, idOf, later, now, readResponse, texts } from "./response.js";

/** Shows one group until it is closed. */
export class Responses {
  #host = byId("responses");
  #read = new Map();
  #index = 0;
  #at = -1;
  #together = false;
  #watcher;

  /**
   * @param {any} request
   * @param {any} reply
   * @param {{bare?: boolean, turned: (index: number) => void}} options `turned` is told of every other rollout
   */
  constructor(request, reply, { bare = false, turned }) {
    this.request = request;
    this.reply = reply;
    this.bare = bare;
    this.turned = turned;
    this.#watcher = new IntersectionObserver(
      (entries) => entries.filter((each) => each.isIntersecting).forEach((each) => now(each.target)),
      {
        root: this.#host,
        rootMargin: "0px 60% 0px 60%",
      },
    );
    fill(
      byId("picker"),
      reply.rollouts.map((rollout, index) => pick(rollout, index, () => this.choose(index))),
    );
    this.#draw();
  }

  /** Let the page be used for another group. */
  close() {
    this.#watcher.disconnect();
  }

  /** Show a rollout; with a criterion, its evidence. */
  choose(index, criterion = null) {
    if (index < 0 || index >= this.reply.rollouts.length) return;
    const moved = index !== this.#index;
    this.#settle(index);
    if (moved && !this.#together) this.#draw();
    this.#article().scrollIntoView({ block: "nearest", inline: "start" });
    if (criterion !== null) this.#jump(criterion);
    else announce(`Rollout ${this.reply.rollouts[index].id}`);
  }

  /** The rollout so many places further on. */
  turn(by) {
    this.choose(this.#index + by);
  }

  /** The match so many places further on, around the end. */
  step(by) {
    this.#go(this.#at < 0 && by < 0 ? -1 : this.#at + by);
  }

  /** All side by side, or one. */
  together(yes) {
    this.#together = yes;
    this.#at = -1;
    this.#draw();
  }

  #readOf(index) {
    if (!this.#read.has(index)) {
      this.#read.set(index, readResponse(this.request, this.reply, index, { bare: this.bare }));
    }
    return this.#read.get(index);
  }

  #draw() {
    this.#watcher.disconnect();
    this.#host.classList.toggle("together", this.#together);
    fill(
      this.#host,
      this.#together ? this.reply.rollouts.map((_, index) => this.#column(index)) : this.#single(),
    );
    this.#tell();
  }

  #single() {
    const read = this.#readOf(this.#index);
    const jump = (criterion) => this.#jump(criterion);
    return [
      h("article", { class: "response", data: { rollout: this.#index } }, head(read.rollout), texts(read)),
      criteriaList(read.rollout, this.request.rubric.entities, { jump }),
    ];
  }

  /** One of many: its texts are painted when it comes near. */
  #column(index) {
    const options = {
      class: "response",
      data: { rollout: index },
      on: { pointerdown: () => this.#settle(index) },
    };
    const article = h("article", options, head(this.reply.rollouts[index]));
    later(article, () => article.append(texts(this.#readOf(index))));
    this.#watcher.observe(article);
    return article;
  }

  #article() {
    return this.#host.querySelector(`article[data-rollout="${this.#index}"]`);
  }

  #settle(index) {
    if (index !== this.#index) {
      this.#index = index;
      this.#at = -1;
      this.turned(index);
    }
    this.#tell();
  }

  #jump(criterion) {
    const at = this.#readOf(this.#index).marks.findIndex((each) => each.criterion === criterion);
    if (at >= 0) this.#go(at);
  }

  #go(to) {
    const { marks } = this.#readOf(this.#index);
    if (marks.length === 0) return;
    this.#at = (to + marks.length) % marks.length;
    const mark = marks[this.#at];
    const pieces = this.#pieces(mark);
    for (const each of this.#host.querySelectorAll(".mark.current")) each.classList.remove("current");
    for (const each of pieces) each.classList.add("current");
    pieces[0]?.scrollIntoView({ block: "center", inline: "nearest" });
    pieces[0]?.focus({ preventScroll: true });
    announce(`Match ${this.#at + 1} of ${marks.length}: ${titleOf(mark)}`);
    this.#tell();
  }

  /** The elements of a mark, painted and unfolded. @returns {HTMLElement[]} */
  #pieces(mark) {
    const article = this.#article();
    now(article);
    const field = /** @type {HTMLDetailsElement} */ (
      article.querySelector(`details[data-field="${mark.field}"]`)
    );
    field.open = true;
    now(field);
    return /** @type {HTMLElement[]} */ ([
      ...field.querySelectorAll(`.mark[data-marks~="${idOf(this.#index, mark)}"]`),
    ]);
  }

  #tell() {
    for (const each of byId("picker").querySelectorAll("button")) {
      each.setAttribute("aria-pressed", String(Number(each.dataset.rollout) === this.#index));
    }
    const { marks } = this.#readOf(this.#index);
    byId("match-count").textContent = marks.length
      ? `${this.#at < 0 ? "–" : this.#at + 1} / ${marks.length}`
      : "no evidence";
  }
}

function pick(rollout, index, press) {
  return h(
    "button",
    {
      type: "button",
      "aria-pressed": "false",
      data: { rollout: index, status: rollout.status },
      on: { click: press },
    },
    quoted(rollout.id),
    h("span", { class: "number" }, rollout.status === "ok" ? brief(rollout.reward, 3) : rollout.status),
  );
}
