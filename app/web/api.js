// @ts-check
// Owns the calls to the JSON API: same origin, JSON only, problems as typed errors.

const BASE = "/api/v1/";

/** A refusal of the server, or the loss of the connection (`code` OFFLINE). */
export class ApiError extends Error {
  /** @param {number} status @param {Partial<import("./wire.js").Problem>} problem */
  constructor(status, problem) {
    super(problem.message || "the server did not answer");
    this.status = status;
    this.code = problem.code ?? "OFFLINE";
    this.hint = problem.hint ?? "";
    this.field = problem.field ?? "";
    this.retryable = problem.retryable ?? status === 0;
    this.facts = problem.facts ?? {};
    this.requestId = problem.request_id ?? "";
  }
}

/** Returns a new idempotency key. */
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @template T @param {string} path @param {AbortSignal} [signal] @returns {Promise<T>} */
export function get(path, signal) {
  return call("GET", path, undefined, "", signal);
}

/** Sends a mutation; the same `key` asks for the same answer once more.
 * @template T @param {string} path @param {unknown} [body] @param {string} [key]
 * @returns {Promise<T>} */
export function post(path, body = {}, key = newKey()) {
  return call("POST", path, body, key);
}

/** @template T @param {string} path @param {unknown} body @returns {Promise<T>} */
export function patch(path, body) {
  return call("PATCH", path, body, newKey());
}

/** @template T @param {string} path @returns {Promise<T>} */
export function remove(path) {
  return call("DELETE", path, undefined, newKey());
}

/** @param {string} method @param {string} path @param {unknown} body @param {string} key
 * @param {AbortSignal} [signal] */
async function call(method, path, body, key, signal) {
  /** @type {Record<string, string>} */
  const headers = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (key) headers["Idempotency-Key"] = key;
  let answer;
  try {
    answer = await fetch(BASE + path, {
      method, headers, signal, credentials: "same-origin", cache: "no-store",
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError(0, { message: "the server does not answer", hint: "Check that Cornerman runs." });
  }
  const text = await answer.text();
  const parsed = parse(text);
  if (!answer.ok) throw new ApiError(answer.status, parsed ?? { code: `HTTP_${answer.status}`,
    message: `the server failed (${answer.status})`, hint: "Nothing was changed by this page. Try again." });
  return parsed;
}

/** @param {string} text */
function parse(text) {
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    return null;
  }
}
