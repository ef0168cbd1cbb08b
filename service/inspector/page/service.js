/**
 * What is asked of the server: the same routes that trainers use. The key lives in this module and nowhere else:
 * not in a cookie, not in storage, gone with the page.
 */

let key = "";

/** Remember the key until the page is left. */
export function useKey(value) {
  key = value.trim();
}

/** The server said no; `faults` are those of a 422, each with its JSON path. */
export class Refused extends Error {
  /** @param {number} status @param {any} problem RFC 9457 */
  constructor(status, problem) {
    super(problem?.detail || problem?.title || `the server answered ${status}`);
    this.status = status;
    this.faults = Array.isArray(problem?.errors) ? problem.errors : [];
  }
}

/** The reply to a `/score` body. Throws `Refused`, or `TypeError` without a connection. */
export function score(request, signal) {
  return ask("score", {
    method: "POST",
    headers: { "content-type": "application/json", ...authorization() },
    body: JSON.stringify({ ...request, explain: true }),
    signal,
  });
}

/** The windows beside the reference. */
export function drift() {
  return ask("drift");
}

/** The server's version and fingerprint. */
export function version() {
  return ask("version");
}

/** The ids of the groups that the server keeps, the newest first; none where it keeps nothing. */
export async function keptGroups() {
  const { groups } = await ask("inspector/groups", { headers: authorization() });
  return /** @type {Array<{id: string, rollouts: number}>} */ (groups);
}

/** A kept group with its reply, as text. Throws `Refused` with 404 where it is not there any more. */
export async function keptGroup(id) {
  const path = `inspector/groups/${encodeURIComponent(id)}`;
  return (await reached(path, { headers: authorization() })).text();
}

/** The group that comes with the page, as text. */
export async function example() {
  return (await reached("inspector/example.json")).text();
}

function authorization() {
  return key ? { authorization: `Bearer ${key}` } : {};
}

async function ask(path, options) {
  return (await reached(path, options)).json();
}

async function reached(path, options = {}) {
  const response = await fetch(new URL(path, document.baseURI), { credentials: "same-origin", ...options });
  if (!response.ok) throw new Refused(response.status, await response.json().catch(() => null));
  return response;
}
