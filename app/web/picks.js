// @ts-check
// Owns the elements `cornerman-picks`, `cornerman-weekend` and `cornerman-plans`: ranked ideas, the coming week, the stored plans.
import { html, nothing } from "./vendor/lit.js";
import { chance } from "./anatomy.js";
import { ApiError, get } from "./api.js";
import { Live } from "./element.js";
import { decimal, stamp, words } from "./format.js";
import { badge } from "./label.js";
import { figure } from "./origin.js";
import { sentence, trouble, waiting } from "./panel.js";
import { setupWords } from "./plans.js";
import { state, suggest } from "./state.js";
import "./plan_card.js";

/** @typedef {import("./ideas.js").Origin} Origin */
/** @typedef {import("./ideas.js").Reject} Reject */

/** A panel of the ideas view: it reads its list when the view is first shown, and again when asked. */
class IdeasPanel extends Live {
  static uses = ["view"];
  static properties = { answer: { state: true }, problem: { state: true }, busy: { state: true } };
  path = "";
  #asked = false;

  constructor() {
    super();
    /** @type {any} */ this.answer = null;
    /** @type {ApiError | null} */ this.problem = null;
    this.busy = false;
  }

  willUpdate() {
    if (state.view !== "Ideas" || this.#asked) return;
    this.#asked = true;
    void this.load();
  }

  async load() {
    this.busy = true;
    try {
      this.answer = await get(this.path);
      this.problem = null;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.problem = error;
    }
    this.busy = false;
  }

  /** @param {string} title @param {string} again @param {() => unknown} body */
  frame(title, again, body) {
    return html`<section aria-label=${title} aria-busy=${this.busy}><div class="head"><h3>${title}</h3>
      ${this.answer?.provenance ? html`<cornerman-source .provenance=${this.answer.provenance} .provider=${this.answer.source} .set=${title.toLowerCase()} .asof=${this.answer.as_of}></cornerman-source>` : nothing}
      <span class="push"></span><button class="quiet small" ?disabled=${this.busy} @click=${() => this.load()}>${this.busy ? "Reading…" : again}</button></div>
      ${this.problem ? trouble(this.problem, title, () => this.load()) : this.answer === null ? waiting(title) : body()}</section>`;
  }
}

/** @param {string} what @param {import("./wire.js").Labelled} from @param {[string, string][]} [more] @returns {Origin} */
function origin(what, from, more = []) {
  return { what, provenance: from.provenance, lines: [["Provider", from.source], ["As of", stamp(from.as_of)], ...more] };
}

/** Every symbol that is not offered, with the first rule that it failed.
 * @param {Reject[]} rejects @param {string} title */
function rejected(rejects, title) {
  if (!rejects.length) return nothing;
  return html`<details class="part" ?open=${rejects.length < 7}><summary>${title} <span class="muted">${rejects.length}</span></summary>
    <div class="wide text body" tabindex="0" role="region" aria-label=${title}><table class="rejects"><thead><tr><th scope="col">Symbol</th><th scope="col">First failed rule</th></tr></thead>
      <tbody>${rejects.map((one) => html`<tr data-reject=${one.symbol}><th scope="row">${one.symbol}</th><td><code>${one.code}</code> ${brief(one.detail)}</td></tr>`)}</tbody></table></div></details>`;
}

/** Shows a long reason folded.
 * @param {string} detail */
function brief(detail) {
  const [head, ...rest] = detail.split(/;\s*/);
  return rest.length < 2 ? sentence(detail) : html`${sentence(head)} <details class="more"><summary>${rest.length} more</summary>${rest.map((one) => html`<p>${sentence(one)}</p>`)}</details>`;
}

class CornermanPicks extends IdeasPanel {
  path = "picks";

  render() {
    return this.frame("Setups in my list", "Scan again", () => this.#body(/** @type {import("./ideas.js").Picks} */ (this.answer)));
  }

  /** @param {import("./ideas.js").Picks} picks */
  #body(picks) {
    const from = origin("The scan", picks, [["Scanned", String(picks.scanned)]]);
    return html`<p>${figure(`${picks.items.length} of ${picks.scanned}`, from)} symbols make a plan by the rules${picks.left_out ? `; ${picks.left_out} were too many to be scanned` : ""}.</p>
      ${picks.items.length ? this.#table(picks) : html`<p class="none">Nothing weaker is shown. Follow more symbols in Watch, or scan again after the next bar.</p>`}
      ${rejected(picks.rejects, "Not offered")}`;
  }

  /** @param {import("./ideas.js").Picks} picks */
  #table(picks) {
    return html`<div class="wide" tabindex="0" role="region" aria-label="Setups in my list table"><table class="picks">
      <thead><tr><th scope="col">Symbol</th><th scope="col">Setup</th><th scope="col" class="number">Entry</th><th scope="col" class="number">Stop</th><th scope="col" class="number">Target 1</th>
        <th scope="col" class="number">RR</th><th scope="col" class="number">Score</th><th scope="col" class="number">Confidence</th><th scope="col"><span class="sr">Do</span></th></tr></thead>
      <tbody>${picks.items.map((one) => this.#row(one))}</tbody></table></div>`;
  }

  /** @param {import("./ideas.js").PickLine} one */
  #row(one) {
    const open = (/** @type {string} */ text, /** @type {string} */ what) => figure(text, { ...origin(`${what}, ${one.symbol}`, one, [["Bars", one.timeframe]]), href: one.plan_id ? `/ideas/${one.plan_id}` : undefined });
    return html`<tr data-pick=${one.symbol}><th scope="row">${one.rank}. ${one.symbol} ${badge(one.provenance)}</th><td>${one.side}, ${setupWords(one.setup)} ${one.timeframe}</td>
      <td class="number">${open(decimal(one.entry, 2, 4), "Entry")}</td><td class="number">${open(decimal(one.stop, 2, 4), "Stop")}</td><td class="number">${open(decimal(one.targets[0], 2, 4), "Target 1")}</td>
      <td class="number">${open(decimal(one.rr), "Reward for risk")}</td><td class="number">${one.score === null ? "–" : open(decimal(one.score), "Score")}</td>
      <td class="number">${one.confidence === null ? "–" : open(chance(one.confidence), "Confidence")}<small class="muted">${one.confidence_tier}</small></td>
      <td><button class="small" aria-label=${`Plan ${one.symbol}`} @click=${() => suggest(`plan ${one.symbol} ${one.side} ${one.style}`)}>Plan</button></td></tr>`;
  }
}

/** Whether an accepted curve states more than break-even needs.
 * @param {import("./ideas.js").Swing} one */
const edge = ({ confidence }) => Boolean(confidence) && confidence?.tier !== "prior" && !/^-/.test(confidence?.edge ?? "-") && /[1-9]/.test(confidence?.edge ?? "");

class CornermanWeekend extends IdeasPanel {
  path = "plans/weekend";

  render() {
    return this.frame("Weekend plan", "Read again", () => this.#body(/** @type {import("./ideas.js").Weekend} */ (this.answer)));
  }

  /** @param {import("./ideas.js").Weekend} answer */
  #body(answer) {
    const plan = answer.plan;
    if (!plan) return html`<p class="none">${sentence(answer.why ?? "")}</p><button class="small" @click=${() => suggest("weekend plan")}>Ask for it</button>`;
    const week = plan.calendar, from = origin("Weekend plan", answer, [["Close of", plan.session], ["Hash", `${(answer.hash ?? "").slice(0, 19)}…`]]);
    return html`<p>After ${figure(plan.session, from)}: ${figure(String(plan.swings.length), from)} swings and ${figure(String(plan.leaps.length), from)} LEAPS of ${figure(String(plan.scanned), from)} symbols. It holds no order.</p>
      <dl class="lines"><div><dt>Sessions</dt><dd>${week.sessions.join(", ") || "none"}</dd></div>
        ${week.holidays.length ? html`<div><dt>Closed</dt><dd>${week.holidays.join(", ")}</dd></div>` : nothing}
        ${week.half_days.length ? html`<div><dt>Half days</dt><dd>${week.half_days.join(", ")}</dd></div>` : nothing}
        <div><dt>Reports</dt><dd>${week.earnings.length ? week.earnings.map((one) => `${one.symbol} ${one.date}${one.confirmed ? "" : ", not confirmed"}`).join("; ")
          : week.earnings_unknown_because ? `not known: ${week.earnings_unknown_because}` : "none among these ideas"}</dd></div></dl>
      ${plan.swings.length ? this.#swings(plan.swings, answer) : html`<p class="none">No swing passes the rules this week.</p>`}
      ${plan.swings.length && !plan.swings.some(edge) ? html`<p class="warn">None of them has a measured edge: these are levels to watch, not bets to take.</p>` : nothing}
      ${plan.leaps.length ? this.#leaps(plan.leaps, from) : nothing}
      ${plan.leaps.length && plan.leaps_limits ? html`<p class="muted small">LEAPS take at most ${figure(chance(plan.leaps_limits.each), from)} of equity each and ${figure(chance(plan.leaps_limits.total), from)} together.</p>` : nothing}
      ${plan.watch?.length ? this.#watch(plan.watch, from) : nothing}
      ${rejected(plan.swing_rejects, "Swings not offered")}${rejected(plan.leaps_rejects, "LEAPS not offered")}`;
  }

  /** @param {import("./ideas.js").Swing[]} swings @param {import("./ideas.js").Weekend} answer */
  #swings(swings, answer) {
    return html`<div class="wide" tabindex="0" role="region" aria-label="Swings"><table><thead><tr><th scope="col">Swing</th><th scope="col">Setup</th><th scope="col" class="number">Entry</th><th scope="col" class="number">Stop</th>
      <th scope="col" class="number">Target 1</th><th scope="col" class="number">RR</th><th scope="col" class="number">Confidence</th></tr></thead>
      <tbody>${swings.map((one) => {
        const open = (/** @type {string} */ text, /** @type {string} */ what) => figure(text, { ...origin(`${what}, ${one.symbol}`, answer), href: one.snapshot_age_sessions === undefined ? `/ideas/${one.plan_id}` : undefined });
        return html`<tr data-swing=${one.symbol}><th scope="row">${one.symbol}${one.snapshot_age_sessions === undefined ? nothing : html`<small class="warn">price ${one.snapshot_age_sessions} sessions old</small>`}</th><td>${one.side}, ${setupWords(one.setup)} ${one.timeframe}</td>
          <td class="number">${open(decimal(one.entry.worst, 2, 4), "Entry")}</td><td class="number">${open(decimal(one.stop, 2, 4), "Stop")}</td><td class="number">${open(decimal(one.targets[0], 2, 4), "Target 1")}</td>
          <td class="number">${open(decimal(one.rr.blended), "Reward for risk")}</td><td class="number">${one.confidence ? html`${open(chance(one.confidence.value), "Confidence")}<small class="muted">${one.confidence.tier === "prior" ? "uncalibrated" : one.confidence.tier}</small>` : "–"}</td></tr>`;
      })}</tbody></table></div>`;
  }

  /** Where the symbols without a swing stand, and the rule that comes nearest.
   * @param {import("./ideas.js").WatchRow[]} rows @param {Origin} from */
  #watch(rows, from) {
    const price = (/** @type {string | undefined} */ text) => text ? figure(decimal(text, 2, 2), from) : "–";
    return html`<div class="wide text" tabindex="0" role="region" aria-label="To watch"><table class="watching"><thead><tr><th scope="col">To watch</th><th scope="col" class="number">Close</th><th scope="col" class="number">Last week</th>
      <th scope="col" class="number">EMA200</th><th scope="col" class="number">Below high</th><th scope="col">Nearest</th></tr></thead>
      <tbody>${rows.map((one) => html`<tr data-watch=${one.symbol}><th scope="row">${one.symbol}</th><td class="number">${price(one.close)}</td><td class="number">${price(one.week_low)} to ${price(one.week_high)}</td>
        <td class="number">${price(one.ema200)}</td><td class="number">${figure(`${decimal(one.below_high_pct, 1, 2)} %`, from)}</td><td class="small">${sentence(one.nearest)}</td></tr>`)}</tbody></table></div>`;
  }

  /** @param {import("./ideas.js").Leaps[]} leaps @param {Origin} from */
  #leaps(leaps, from) {
    return html`<div class="wide" tabindex="0" role="region" aria-label="LEAPS"><table><thead><tr><th scope="col">LEAPS</th><th scope="col">Contract</th><th scope="col" class="number">At most</th><th scope="col" class="number">Delta</th><th scope="col" class="number">Break-even</th></tr></thead>
      <tbody>${leaps.map((one) => html`<tr><th scope="row">${one.symbol}</th><td>${one.expiry} ${one.strike} call</td><td class="number">${figure(decimal(one.limit), from)}</td>
        <td class="number">${figure(decimal(one.delta), from)}</td><td class="number">${figure(decimal(one.breakeven), from)}</td></tr>`)}</tbody></table></div>`;
  }
}

class CornermanPlans extends IdeasPanel {
  static properties = { ...IdeasPanel.properties, chosen: { state: true } };
  path = "plans?limit=20";

  constructor() {
    super();
    this.chosen = "";
  }

  render() {
    return this.frame("Plans", "Read again", () => this.#body(/** @type {import("./ideas.js").PlanLine[]} */ (this.answer.items)));
  }

  /** @param {import("./ideas.js").PlanLine[]} lines */
  #body(lines) {
    if (!lines.length) return html`<p class="none">No plan yet.</p><button class="small" @click=${() => suggest(`plan ${state.symbol}`)}>Ask for one</button>`;
    const shown = lines.some((one) => one.id === this.chosen) ? this.chosen : lines[0].id;
    return html`<p><label><span class="sr">Plan shown</span><select @change=${(/** @type {any} */ event) => { this.chosen = event.target.value; }}>
        ${lines.map((one) => html`<option value=${one.id} ?selected=${one.id === shown}>${one.symbol.split(":").at(-1)} ${one.side}, ${setupWords(one.setup)}, ${stamp(one.as_of)}</option>`)}</select></label></p>
      <cornerman-plan .ref=${shown}></cornerman-plan>`;
  }
}

customElements.define("cornerman-picks", CornermanPicks);
customElements.define("cornerman-weekend", CornermanWeekend);
customElements.define("cornerman-plans", CornermanPlans);
