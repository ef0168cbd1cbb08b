/**
 * Ways around the page without a mouse: tabs, grids of buttons in which arrows move, and single keys.
 */

/**
 * Make a `role="tablist"` work as one: arrows, Home and End move, and moving selects.
 * @param {HTMLElement} list
 * @param {(id: string) => void} chosen gets the id of the panel
 */
export function tabs(list, chosen) {
  const all = /** @type {HTMLElement[]} */ ([...list.querySelectorAll('[role="tab"]')]);
  const choose = (tab) => {
    for (const each of all) {
      each.setAttribute("aria-selected", String(each === tab));
      each.tabIndex = each === tab ? 0 : -1;
      panelOf(each).hidden = each !== tab;
    }
    chosen(panelOf(tab).id);
  };
  for (const tab of all) tab.addEventListener("click", () => choose(tab));
  list.addEventListener("keydown", (event) => {
    const at = all.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    const tab = all[(to + all.length) % all.length];
    tab.focus();
    choose(tab);
  });
}

function panelOf(tab) {
  return document.getElementById(tab.getAttribute("aria-controls"));
}

const STEPS = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] };

/** One stop of the Tab key for a whole table of buttons; arrows move inside. @param {HTMLTableElement} table */
export function grid(table) {
  const first = table.querySelector("button");
  if (first) first.tabIndex = 0;
  table.addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    const from = event.target instanceof Element ? event.target.closest("td, th") : null;
    const to = step && from && neighbor(table, /** @type {HTMLTableCellElement} */ (from), step);
    if (!to) return;
    event.preventDefault();
    for (const each of table.querySelectorAll("button")) each.tabIndex = -1;
    to.tabIndex = 0;
    to.focus();
  });
}

/** The next button in a direction, past cells that have none. */
function neighbor(table, cell, [down, right]) {
  const rows = [...table.rows];
  let row = rows.indexOf(/** @type {HTMLTableRowElement} */ (cell.parentElement));
  let column = cell.cellIndex;
  for (;;) {
    row += down;
    column += right;
    const next = rows[row]?.cells[column];
    if (!next) return null;
    const button = next.querySelector("button");
    if (button) return button;
  }
}

/**
 * Single keys, where nobody is typing and no other key is held.
 * @param {Record<string, () => void>} actions
 */
export function keys(actions) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
}

function typing(target) {
  return (
    target instanceof HTMLElement &&
    target.matches("input:not([type=range], [type=checkbox]), textarea, select")
  );
}
