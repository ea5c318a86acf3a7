// @ts-check
// Owns the element `cornerman-health`: how good each symbol's data is, what is frozen, and its release.
import { html, nothing, repeat } from "./vendor/lit.js";
import { ApiError, newKey, post } from "./api.js";
import { FRAMED, Live } from "./element.js";
import { decimal, span, stamp, words } from "./format.js";
import { loadFreezes, loadHealth } from "./lists.js";
import { badge } from "./label.js";
import { refused, sentence, trouble, waiting } from "./panel.js";
import { state } from "./state.js";

/** @typedef {import("./wire.js").Freeze} Freeze */
const SAID = { green: "good", amber: "watch", red: "bad" };

class CornermanHealth extends Live {
  static uses = ["health", "healthProblem", "freezes", "freezesProblem", "session"];
  static properties = { asking: { state: true }, problem: { state: true }, busy: { state: true }, said: { state: true } };
  #key = "";

  constructor() {
    super();
    /** The freeze whose release is asked for. @type {Freeze | null} */ this.asking = null;
    /** @type {ApiError | null} */ this.problem = null;
    this.busy = false;
    this.said = "";
  }

  updated() {
    const dialog = this.querySelector("dialog");
    if (dialog && !dialog.open) dialog.showModal();
  }

  /** @param {Freeze} freeze */
  #ask(freeze) {
    this.#key = newKey();
    this.problem = null;
    this.asking = freeze;
  }

  #back() {
    const id = this.asking?.id;
    this.asking = null;
    void this.updateComplete.then(() => /** @type {HTMLElement | null} */ (this.querySelector(`[data-freeze="${id}"] button`)
      ?? this.querySelector("h3"))?.focus());
  }

  /** @param {SubmitEvent} event */
  async #clear(event) {
    event.preventDefault();
    const freeze = this.asking;
    if (!freeze) return;
    const reason = String(new FormData(/** @type {HTMLFormElement} */ (event.target)).get("reason")).trim();
    this.busy = true;
    try {
      await post(`freezes/${encodeURIComponent(freeze.id)}/clear`, { reason }, this.#key);
      this.said = `The freeze of ${freeze.subject} is cleared`;
      await Promise.all([loadFreezes(), loadHealth()]);
      this.#back();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.problem = error;
    }
    this.busy = false;
  }

  render() {
    return html`<section aria-label="Data health"><h3 tabindex="-1">Data health</h3><p class="sr" role="status">${this.said}</p>
      ${this.#frozen()}
      ${state.healthProblem && !state.health ? trouble(state.healthProblem, "Data health", loadHealth)
        : !state.health ? waiting("Data health")
          : state.health.length ? this.#table(state.health)
            : html`<p class="none">No symbol is watched or held, so there is nothing to judge. Add one to the watchlist.</p>`}
      ${this.asking ? this.#dialog(this.asking) : nothing}</section>`;
  }

  #frozen() {
    if (state.freezesProblem && !state.freezes) return trouble(state.freezesProblem, "Freezes", loadFreezes);
    if (!state.freezes?.length) return state.freezes ? html`<p class="clear-line"><span class="level green"><span class="dot" aria-hidden="true"></span>nothing is frozen</span></p>` : nothing;
    return html`<ul class="rows frozen-list">${repeat(state.freezes, (one) => one.id, (one) => this.#freeze(one))}</ul>`;
  }

  /** @param {Freeze} one */
  #freeze(one) {
    const person = !FRAMED && state.session?.surface !== "frame" && state.session?.scopes.includes("admin");
    return html`<li class="critical" data-freeze=${one.id}>
      <p><b>${one.subject || words(one.scope)} is frozen.</b> ${sentence(one.reason)}</p>
      ${one.findings.map((found) => html`<p class="muted"><code>${found.code}</code> ${found.detail === one.reason ? nothing : sentence(found.detail)}</p>`)}
      <p>${sentence(one.unfreezes)}
        ${one.auto_clear && one.clean_needed ? html`<span class="chip">${one.clean_seen} of ${one.clean_needed} clean observations</span>` : nothing}</p>
      <small class="muted">since ${stamp(one.opened_at)}</small>
      <div class="actions">${person ? html`<button class="small" aria-haspopup="dialog" aria-label=${`Clear freeze: ${one.subject || words(one.scope)}`}
          @click=${() => this.#ask(one)}>Clear freeze</button>`
        : html`<small class="muted">Only the owner clears it, on the full page.</small>`}</div></li>`;
  }

  /** @param {import("./wire.js").Health[]} rows */
  #table(rows) {
    return html`<div class="wide" tabindex="0" role="region" aria-label="Data health table"><table class="health">
      <thead><tr><th scope="col">Symbol</th><th scope="col">State</th><th scope="col">Age</th><th scope="col">Findings</th><th scope="col">Last good value</th></tr></thead>
      <tbody>${repeat(rows, (one) => one.symbol, (one) => html`<tr data-health=${one.symbol}><th scope="row">${one.symbol}</th>
        <td><span class="level ${one.level}"><span class="dot" aria-hidden="true"></span>${SAID[one.level] ?? one.level}${one.freeze ? ", frozen" : ""}</span></td>
        <td>${one.age_s === null ? "–" : span(one.age_s)}</td>
        <td>${one.findings.length ? one.findings.map((found) => html`<span class="finding"><code>${found.code}</code> ${found.detail}</span>`) : html`<span class="muted">none</span>`}
          ${one.unfreezes && !one.freeze ? html`<small class="muted">${one.unfreezes}</small>` : nothing}</td>
        <td>${one.last_good ? html`<b class="num">${decimal(one.last_good.price, 2, 4)}</b> ${badge(one.last_good.provenance)}
          <small class="muted">${stamp(one.last_good.at)}</small>` : html`<span class="muted">none stored</span>`}</td></tr>`)}</tbody></table></div>`;
  }

  /** @param {Freeze} one */
  #dialog(one) {
    return html`<dialog aria-label="Clear freeze" @close=${() => this.#back()}>
      <form @submit=${this.#clear}><h3>Clear the freeze of ${one.subject || words(one.scope)}</h3>
        <p>${sentence(one.reason)} Advice and orders on it are possible again at once. Say why its data can be trusted.</p>
        <label>Reason <input name="reason" maxlength="300" required autofocus placeholder="what you checked"></label>
        ${refused(this.problem)}
        <div class="actions"><button class="primary" ?disabled=${this.busy}>Clear freeze</button>
          <button type="button" @click=${() => this.#back()}>Back</button></div></form></dialog>`;
  }
}

customElements.define("cornerman-health", CornermanHealth);
