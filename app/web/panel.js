// @ts-check
// Owns the three states that every panel shares: waiting, in trouble with one way on, and empty.
import { html, nothing } from "./vendor/lit.js";

/** @typedef {import("./api.js").ApiError} ApiError */

const MISSING = 404;

/** @param {string} what */
export function waiting(what) {
  return html`<div class="bones" role="status" aria-label=${`${what}: loading`}><div class="bone"></div><div class="bone short"></div></div>`;
}

/** Says what is wrong with a panel and the one thing that may help; a feature that is off says how to turn it on.
 * @param {ApiError} problem @param {string} what @param {() => unknown} again */
export function trouble(problem, what, again) {
  if (problem.code === "FEATURE_OFF" || problem.status === MISSING) {
    const todo = problem.code === "FEATURE_OFF" ? problem.hint : "Update Cornerman and start it again.";
    return html`<div class="off-state"><p><b>${what}: off.</b> ${sentence(problem.code === "FEATURE_OFF" ? problem.message : "This server does not offer it")}</p>
      ${todo ? html`<p class="muted">What to do: ${sentence(todo)}</p>` : nothing}</div>`;
  }
  return html`<div class="off-state" role="alert"><p class="problem">${sentence(problem.message)} ${sentence(problem.hint)}</p>
    <button class="small" @click=${again}>Try again</button></div>`;
}

/** Writes a refusal where a person acted.
 * @param {ApiError | null} problem */
export function refused(problem) {
  return problem ? html`<p class="problem" role="alert">${sentence(problem.message)} ${sentence(problem.hint)}</p>` : nothing;
}

/** Ends a text with one full stop and begins it with a capital.
 * @param {string} text */
export function sentence(text) {
  const clean = text.trim();
  if (!clean) return "";
  return `${clean[0].toUpperCase()}${clean.slice(1)}${/[.!?]$/.test(clean) ? "" : "."}`;
}
