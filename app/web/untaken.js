// @ts-check
// Owns the part of the scoreboard about advice that was not taken: whose doing it was, and what its levels came to.
import { html, nothing } from "./vendor/lit.js";
import { signed, stamp, tone, words } from "./format.js";
import { figure } from "./origin.js";

/** @typedef {import("./ideas.js").NotTaken} NotTaken */
/** What each fate means, in the words of a person. @type {Record<string, string>} */
const FATES = {
  taken: "you took it", unfilled: "confirmed, never filled", declined: "you declined it", expired: "its card ran out",
  invalidated: "the market left it", refused: "a guard refused it", ignored: "never asked for", waiting: "its card waits", open: "still possible",
};
const SHOWN = 12;

/** @param {NotTaken} left */
export function untaken(left) {
  if (!left.sums.length) return nothing;
  const from = (/** @type {unknown} */ shown) => figure(shown, { what: "Advice followed by its own levels",
    lines: [["Provider", "cornerman"], ["Dataset", "suggestions"], ["As of", stamp(left.as_of)]] });
  return html`<details class="part untaken"><summary>What you did not take <span class="muted">${left.rows.length}</span></summary>
    <div class="body wide" tabindex="0" role="region" aria-label="Advice by what became of it">
      <p class="muted">Each is followed by its own entry, stop and first target, as if taken. R is before costs.</p>
      <table><thead><tr><th scope="col">Fate</th><th scope="col" class="number">Suggestions</th><th scope="col" class="number">Ended</th><th scope="col" class="number">R in all</th><th scope="col" class="number">Mean R</th></tr></thead>
        <tbody>${left.sums.map((one) => html`<tr data-fate=${one.fate}><th scope="row">${FATES[one.fate] ?? words(one.fate)}${one.real ? nothing : html`<small class="muted">replayed prices</small>`}</th>
          <td class="number">${from(one.n)}</td><td class="number">${from(one.ended)}</td>
          <td class="number ${tone(one.sum_r)}">${one.ended ? from(signed(one.sum_r)) : "–"}</td>
          <td class="number ${tone(one.mean_r)}">${one.mean_r === null ? "–" : from(signed(one.mean_r))}</td></tr>`)}</tbody></table>
      ${left.rows.length ? html`<table><caption class="sr">The newest suggestions that were not taken</caption>
        <thead><tr><th scope="col">Made</th><th scope="col">What</th><th scope="col">Fate</th><th scope="col">Became</th><th scope="col" class="number">R</th></tr></thead>
        <tbody>${left.rows.slice(0, SHOWN).map((one) => html`<tr><td>${stamp(one.made_at)}</td><td>${words(one.side)} ${one.symbol}</td>
          <td>${FATES[one.fate] ?? words(one.fate)}${one.why ? html`<small class="muted">${one.why}</small>` : nothing}</td><td>${words(one.state)}</td>
          <td class="number ${tone(one.r)}">${one.r === null ? "–" : from(signed(one.r))}</td></tr>`)}</tbody></table>` : nothing}</div></details>`;
}
