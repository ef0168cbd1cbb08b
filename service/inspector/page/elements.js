/**
 * The one place that makes elements. Whatever is shown becomes a text node: no string is ever read as markup.
 *
 *     h("p", { class: "note" }, "found ", h("b", {}, name))
 */

const SVG = "http://www.w3.org/2000/svg";

/**
 * @param {string} tag
 * @param {Record<string, any>} [options] attributes; `on` holds listeners, `data` data attributes, `vars` CSS
 *   variables; null, undefined and false leave an attribute out
 * @param {...any} children elements, texts, lists of them; null and false are left out
 * @returns {HTMLElement}
 */
export function h(tag, options = {}, ...children) {
  return build(document.createElement(tag), options, children);
}

/** The same for SVG. @returns {SVGElement} */
export function svg(tag, options = {}, ...children) {
  return build(document.createElementNS(SVG, tag), options, children);
}

function build(element, { on = {}, data = {}, vars = {}, ...attributes }, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  for (const [name, listener] of Object.entries(on)) element.addEventListener(name, listener);
  for (const [name, value] of Object.entries(data)) element.dataset[name] = String(value);
  for (const [name, value] of Object.entries(vars)) element.style.setProperty(`--${name}`, String(value));
  element.append(...nodes(children));
  return element;
}

function nodes(children) {
  return children
    .flat(Infinity)
    .filter((each) => each !== null && each !== undefined && each !== false)
    .map((each) => (each instanceof Node ? each : document.createTextNode(String(each))));
}

/** What stands in an element is replaced. */
export function fill(element, ...children) {
  element.replaceChildren(...nodes(children));
  return element;
}

/** A text that somebody else wrote: kept apart, so that its direction does not turn the line around it. */
export function quoted(text, options = {}) {
  return h("bdi", { ...options, class: `quoted ${options.class ?? ""}`.trim() }, text ?? "");
}

/** The element with this id, which the page has. @returns {any} of whatever kind it is there */
export function byId(id) {
  return document.getElementById(id);
}

/** Tell whoever listens instead of looks. */
export function announce(text) {
  byId("announcer").textContent = text;
}
