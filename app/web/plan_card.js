// @ts-check
// Owns the element `cornerman-plan`: one composed plan as a card, short in the chat, whole on its own page.
import { html, LitElement, nothing } from "./vendor/lit.js";
import { anatomy, chance, citations, confidence, minds, options } from "./anatomy.js";
import { FRAMED } from "./element.js";
import { decimal, stamp, words } from "./format.js";
import { sourced } from "./figures.js";
import { figure } from "./origin.js";
import { sentence, trouble, waiting } from "./panel.js";
import { barsOf, cite, quoteOf, readAgain, seePlan, setupWords, ticker, watchPlans } from "./plans.js";
import { suggest } from "./state.js";
import "./label.js";
import "./plan_chart.js";

/** @typedef {import("./ideas.js").ComposedPlan} ComposedPlan */
/** @type {Record<string, string>} */
const STATES = { open: "The market is open.", closed: "The market is closed; the plan does not change by that.", pre: "The market has not opened yet.",
  post: "The market has closed.", halted: "Trading in it is halted." };

class CornermanPlan extends LitElement {
  static properties = { ref: {}, whole: { type: Boolean }, newest: { type: Boolean } };
  #unwatch = () => {};

  constructor() {
    super();
    /** @type {string} */ this.ref = "";
    /** All parts open and no button: the page of the idea. */
    this.whole = false;
    /** The plan that `it` means in the conversation. */
    this.newest = false;
  }

  createRenderRoot() {
    return this;
  }

  connectedCallback() {
    super.connectedCallback();
    this.#unwatch = watchPlans(() => this.requestUpdate());
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.#unwatch();
  }

  render() {
    if (!this.ref) return nothing;
    const { plan, problem } = seePlan(this.ref);
    if (problem) return html`<article class="plan" aria-label="Plan">${trouble(problem, "This plan", () => readAgain(this.ref))}</article>`;
    if (!plan) return html`<article class="plan" aria-busy="true" aria-label="Plan">${waiting("The plan")}<div class="bone plan-plot"></div></article>`;
    const name = `${words(plan.side)} ${ticker(plan)}`;
    const quote = quoteOf(plan);
    const why = cite("Why, in words", barsOf(plan), [["Plan", plan.plan_id]]);
    return html`<article class="plan" aria-label=${`Plan: ${name}`} data-plan=${plan.plan_id}>
      <header><span class="eyebrow">Plan, ${plan.style}, ${plan.timeframe} bars</span>
        ${quote ? html`<cornerman-source .provenance=${quote.provenance} .provider=${quote.provider} .set=${quote.dataset} .asof=${plan.as_of} .ref=${plan.plan_id}></cornerman-source>` : nothing}
        <h3>${sentence(name).slice(0, -1)}, ${setupWords(plan.setup.id)}</h3></header>
      <p class="lead-line">${sourced(plan.rationale[0] ?? "", () => why)}</p>
      ${plan.warnings.length ? html`<ul class="warnings">${plan.warnings.map((one) => html`<li>${sentence(one.detail)}</li>`)}</ul>` : nothing}
      <cornerman-plan-chart .plan=${plan} ?tall=${this.whole}></cornerman-plan-chart>
      ${this.#levels(plan)}
      ${confidence(plan)}
      ${this.#part("The score's anatomy", anatomy(plan), scoreLine(plan))}
      ${this.#part("What would change my mind", minds(plan))}
      ${this.#part("Option alternatives", options(plan), plan.option_alternatives.length ? String(plan.option_alternatives.length) : "none")}
      ${this.#part("Why, in words", html`<ul class="why-list">${plan.rationale.map((one) => html`<li>${sourced(one, () => why)}</li>`)}</ul>`)}
      ${this.#part("Sources", citations(plan), String(plan.citations.length))}
      <p class="muted small">As of ${stamp(plan.as_of)}. ${STATES[plan.actionability.state] ?? ""} Nothing is ordered by a plan.</p>
      ${this.whole ? nothing : this.#actions(plan)}</article>`;
  }

  /** @param {string} title @param {unknown} body @param {string} [aside] */
  #part(title, body, aside = "") {
    return html`<details class="part" ?open=${this.whole}><summary>${title}${aside ? html` <span class="muted">${aside}</span>` : nothing}</summary><div class="body">${body}</div></details>`;
  }

  /** Entry, stop, targets and reward for risk; each number opens the bars it was read from.
   * @param {ComposedPlan} plan */
  #levels(plan) {
    const { entry, stop, rr } = plan, bars = barsOf(plan);
    const of = (/** @type {string} */ text, /** @type {string} */ what) => figure(decimal(text, 2, 4), cite(what, bars));
    return html`<dl class="levels">
      <div><dt>Entry</dt><dd>${entry.kind}, ${entry.lo === entry.hi ? of(entry.lo, "Entry") : html`${of(entry.lo, "Entry zone, low end")} to ${of(entry.hi, "Entry zone, high end")}<small>measured from ${of(entry.worst, "Entry, the worst of the zone")}</small>`}</dd></div>
      <div><dt>Stop</dt><dd><span class="loss">${of(stop.price, "Stop")}</span><small>${of(stop.stop_distance, "Distance to the stop")} away, ${figure(decimal(stop.atr_multiple), cite("Stop in average ranges", bars))} average ranges</small></dd></div>
      ${plan.targets.map((one) => html`<div><dt>${one.kind === "tp" ? `Target ${one.n}` : "Runner"}</dt><dd><span class="gain">${of(one.price, `Target ${one.n}`)}</span>
        <small>${figure(`${decimal(one.r, 0, 2)}R`, cite("In stop distances", bars))}, reached in ${figure(chance(one.p_reach), cite("Chance to reach it", null, [["From", plan.confidence?.n ? `${plan.confidence.n} past setups` : "the prior"], ["Plan", plan.plan_id]]))}, sells ${figure(chance(one.fraction), cite("Share sold there", null, [["Policy", plan.policy_hash.slice(0, 23)], ["Plan", plan.plan_id]]))}</small></dd></div>`)}
      <div><dt>Reward for risk</dt><dd><b>${figure(decimal(rr.blended), cite("Reward for risk, net of costs", bars, [["Cost per unit", stop.cost_per_unit]]))}</b> <span class="chip band-${rr.band}">${rr.band}</span>
        <small>net of costs; expected ${figure(`${decimal(rr.ev_r, 2, 4)}R`, cite("Expected value", bars, [["Plan", plan.plan_id]]))} a trade</small></dd></div></dl>`;
  }

  /** Buttons that only write into the composer; the person sends it or not.
   * @param {ComposedPlan} plan */
  #actions(plan) {
    const symbol = ticker(plan);
    return html`<div class="actions">${this.newest ? html`<button @click=${() => suggest("size it")}>Size it</button>
        <button @click=${() => suggest(plan.side === "long" ? "buy it" : "sell it")}>Propose it</button>
        <button class="quiet" @click=${() => suggest("why this stop?")}>Why this stop?</button>`
      : html`<button @click=${() => suggest(`plan ${symbol} ${plan.side} ${plan.style}`)}>Plan it anew</button>`}
      <span class="push"></span><a href=${`/ideas/${plan.plan_id}`} target=${FRAMED ? "_blank" : "_self"} rel="noopener" aria-label=${`Open the idea of ${symbol} on its page`}>Open the page</a></div>`;
  }
}

/** @param {ComposedPlan} plan */
function scoreLine(plan) {
  const { score, components } = plan.confluence;
  return score ? `${decimal(score)} of 1, ${components.length - plan.confluence.missing.length} of ${components.length} parts known` : "no score";
}

customElements.define("cornerman-plan", CornermanPlan);
