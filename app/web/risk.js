// @ts-check
// Owns the element `cornerman-risk`: where the account stands against its limits, in calm words.
import { html, nothing } from "./vendor/lit.js";
import { ApiError, newKey, post } from "./api.js";
import { Live } from "./element.js";
import { decimal, local, signed, stamp, tone } from "./format.js";
import { loadAlerts, loadRisk } from "./lists.js";
import { refused, sentence, trouble, waiting } from "./panel.js";
import { state, update } from "./state.js";

/** @typedef {import("./wire.js").Risk} Risk */
/** @type {Record<Risk["state"], {word: string, kind: string, next: string}>} */
const SAID = {
  ok: { word: "inside its limits", kind: "good", next: "" },
  warn: { word: "near a limit", kind: "warn", next: "Keep the next trades small, or move a stop closer." },
  breach: { word: "limit reached", kind: "bad", next: "Orders that reduce a position may still go out. New risk waits." },
  frozen: { word: "frozen", kind: "bad", next: "Nothing new opens until the cause is cleared." },
};
const FULL = 100;
/** Limits that are counted, not paid: no money stands behind them. */
const COUNTS = new Set(["loss_streak", "positions", "trades_day"]);

/** Says the state of the risk while it needs a person; nothing while all is well.
 * @returns {{text: string, next: string} | null} */
export function riskWarning() {
  const risk = state.risk;
  if (!risk || risk.state === "ok") return null;
  return { text: `Risk: ${SAID[risk.state].word}. ${sentence(risk.reason)}`, next: SAID[risk.state].next };
}

class CornermanRisk extends Live {
  static uses = ["risk", "riskProblem", "alerts"];
  static properties = { busy: { state: true }, problem: { state: true }, said: { state: true } };

  constructor() {
    super();
    this.busy = false;
    /** @type {ApiError | null} */ this.problem = null;
    this.said = "";
  }

  async #watch() {
    this.busy = true;
    this.problem = null;
    try {
      await post("alerts", { kind: "risk", risk_state: "change" }, newKey());
      await loadAlerts();
      this.said = "You hear of every change of the risk state";
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.problem = error;
    }
    this.busy = false;
  }

  render() {
    const risk = state.risk;
    return html`<section class="risk" aria-label="Risk"><h3>Risk</h3>
      ${state.riskProblem && !risk ? trouble(state.riskProblem, "Risk", loadRisk) : !risk ? waiting("Risk") : this.#shown(risk)}
      <p class="sr" role="status">${this.said}</p></section>`;
  }

  /** @param {Risk} risk */
  #shown(risk) {
    const said = SAID[risk.state];
    const money = (/** @type {string | null} */ text) => text === null ? "–" : `${decimal(text)} ${risk.currency}`;
    const result = (/** @type {string | null} */ text) => text === null ? "–" : html`<span class=${tone(text)}>${signed(text)} ${risk.currency}</span>`;
    const bare = [...new Set(risk.positions.filter((one) => one.stop === null).map((one) => one.symbol))];
    return html`<p class="risk-line ${said.kind}" data-risk=${risk.state}><span class="dot"></span><b>${sentence(said.word)}</b>
        ${said.next ? html`<span class="muted">${said.next}</span>` : nothing}</p>
      ${risk.reason ? html`<p>${sentence(risk.reason)}</p>` : nothing}
      <dl class="facts"><div><dt>Open risk</dt><dd>${money(risk.open_risk)} <small>${risk.open_risk_r === null ? "" : `${decimal(risk.open_risk_r)} R`}</small></dd></div>
        <div><dt>Today</dt><dd>${result(risk.day_pnl)} <small>${risk.day_r === null ? "" : `${decimal(risk.day_r)} R`}</small></dd></div>
        <div><dt>This week</dt><dd>${result(risk.week_pnl)}</dd></div>
        <div><dt>1 R</dt><dd>${money(risk.one_r)}</dd></div></dl>
      ${bare.length ? html`<p class="warn">No stop is known for ${bare.join(", ")}: all of it counts as risk.</p>` : nothing}
      ${risk.cools_until ? html`<p>Losses in a row: new risk rests until ${stamp(risk.cools_until)} <small class="muted">(${local(risk.cools_until, Date.parse(risk.as_of))} on your clock)</small>.</p>` : nothing}
      <details><summary>Limits (${risk.limits.length})</summary><ul class="limits">${risk.limits.map((one) => this.#limit(one, risk.currency))}</ul></details>
      ${refused(this.problem)}<div class="actions">${this.#watched() ? html`<span class="muted">You hear of every change of the risk state.</span>`
        : html`<button class="small" ?disabled=${this.busy} @click=${() => this.#watch()}>Tell me when this changes</button>`}</div>
      <cornerman-source .provenance=${risk.provenance} .provider=${risk.source} set="prices behind the risk" .asof=${risk.as_of}></cornerman-source>`;
  }

  #watched() {
    return (state.alerts ?? []).some((one) => one.kind === "risk" && one.risk_state === "change" && one.state === "armed");
  }

  /** @param {Risk["limits"][number]} one @param {string} currency */
  #limit(one, currency) {
    const used = Number(one.used);
    const shown = (/** @type {string} */ text) => one.name === "drawdown" ? `${decimal(String(FULL * Number(text)))}%`
      : COUNTS.has(one.name) ? decimal(text, 0) : `${decimal(text)} ${currency}`;
    const level = used >= 1 ? "over" : used >= 0.8 ? "near" : "";
    return html`<li><span id=${`limit-${one.name}`}>${sentence(one.label).slice(0, -1)}</span>
      <meter class=${level} min="0" max=${FULL} .value=${Math.min(FULL, used * FULL)} aria-labelledby=${`limit-${one.name}`}></meter>
      <span class="num">${shown(one.value)} of ${shown(one.limit)}</span></li>`;
  }
}

customElements.define("cornerman-risk", CornermanRisk);

/** Opens the Trade view of the desk at the risk, on a phone too. */
export function showRisk() {
  update({ view: "Trade" });
  document.getElementById("tab-Desk")?.click();
  document.querySelector("cornerman-risk")?.scrollIntoView({ block: "nearest" });
  document.getElementById("room-Trade")?.focus();
}
