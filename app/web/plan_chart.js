// @ts-check
// Owns the element `cornerman-plan-chart`: a plan drawn on its bars, with zone, stop, targets, invalidation.
import { html, LitElement, nothing, svg } from "./vendor/lit.js";
import { ApiError, get } from "./api.js";
import { decimal, sessionDate, stamp } from "./format.js";
import { sentence } from "./panel.js";
import { barsOf, ticker } from "./plans.js";

/** @typedef {import("./ideas.js").ComposedPlan} ComposedPlan */
/** @typedef {import("./wire.js").Bar} Bar */
/** @typedef {{price: number, text: string, title: string, tone: string, y?: number}} Line */

const FETCHED = 500, BEFORE = 64, AFTER = 26, NARROW = 40;
const RIGHT_PX = 96, EDGE_PX = 10, TEXT_PX = 13, SHORT_PX = 220, TALL_PX = 380;
const NAMED = ["vwap", "pdh", "pdl", "pdc", "or_high", "or_low", "ema20", "ema50"];

class CornermanPlanChart extends LitElement {
  static properties = { plan: { attribute: false }, tall: { type: Boolean }, bars: { state: true }, note: { state: true }, problem: { state: true }, wide: { state: true } };
  #asked = "";
  /** @type {ResizeObserver | null} */ #size = null;

  constructor() {
    super();
    /** @type {ComposedPlan | null} */ this.plan = null;
    this.tall = false;
    /** @type {Bar[] | null} */ this.bars = null;
    /** What the provider sent that is no bar, in words. */
    this.note = "";
    /** @type {ApiError | null} */ this.problem = null;
    this.wide = 0;
  }

  createRenderRoot() {
    return this;
  }

  connectedCallback() {
    super.connectedCallback();
    this.#size = new ResizeObserver(([entry]) => { this.wide = Math.floor(entry.contentRect.width); });
    this.#size.observe(this);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.#size?.disconnect();
  }

  willUpdate() {
    if (this.plan && this.#asked !== this.plan.plan_id) void this.#load(this.plan);
  }

  /** @param {ComposedPlan} plan */
  async #load(plan) {
    this.#asked = plan.plan_id;
    this.problem = null;
    try {
      const path = `symbols/${encodeURIComponent(ticker(plan))}/history?timeframe=${plan.timeframe}&count=${FETCHED}`;
      const found = /** @type {import("./wire.js").History} */ (await get(path));
      this.bars = found.bars;
      this.note = found.note;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.problem = error;
    }
  }

  render() {
    const plan = this.plan;
    if (!plan) return nothing;
    if (this.problem) return html`<p class="problem">No chart: ${sentence(this.problem.message)}
      <button class="small" @click=${() => this.#load(plan)}>Try again</button></p>`;
    if (!this.bars || !this.wide) return html`<div class=${this.tall ? "bone tall-plot" : "bone plan-plot"} role="status" aria-label="Chart: loading"></div>`;
    const shown = this.#window(plan, this.bars);
    if (!shown.bars.length) return html`<p class="muted small">The bars of ${stamp(plan.as_of)} are out of the feed's reach; the levels stand below.</p>`;
    return html`<figure class="plan-figure">${this.#draw(plan, shown)}
      <figcaption class="muted small">${ticker(plan)}, ${plan.timeframe} bars ${sessionDate(shown.bars[0].t)} to ${sessionDate(/** @type {Bar} */ (shown.bars.at(-1)).t)}.
        The plan stands from the vertical line on${shown.after ? `; ${shown.after} bars came after it` : ""}.</figcaption>
      ${this.note ? html`<p class="warn small left-out" role="note">${sentence(this.note)}</p>` : nothing}</figure>`;
  }

  /** The bars around the plan: what it saw, and what came after.
   * @param {ComposedPlan} plan @param {Bar[]} bars */
  #window(plan, bars) {
    const until = barsOf(plan)?.last_ts ?? plan.as_of;
    const seen = bars.findLastIndex((bar) => bar.t < until);
    const from = Math.max(0, seen + 1 - (this.wide < 440 ? NARROW : BEFORE));
    const cut = seen < 0 ? [] : bars.slice(from, seen + 1 + AFTER);
    return { bars: cut, seen: seen - from, after: Math.max(0, cut.length - 1 - (seen - from)) };
  }

  /** @param {ComposedPlan} plan @returns {Line[]} */
  #lines(plan) {
    const put = (/** @type {string} */ price, /** @type {string} */ title, /** @type {string} */ tone) =>
      ({ price: Number(price), text: decimal(price, 2, 4), title, tone });
    const lines = [put(plan.entry.worst, "entry", "entry"), put(plan.stop.price, "stop", "stop"),
      ...plan.targets.map((one) => put(one.price, one.kind === "tp" ? `T${one.n}` : "runner", "target")),
      ...plan.invalidation.filter((one) => one.price).map((one) => put(one.price, "ends", "ends"))];
    return lines;
  }

  /** @param {ComposedPlan} plan @param {{bars: Bar[], seen: number}} shown */
  #draw(plan, { bars, seen }) {
    const wide = this.wide, high = this.tall ? TALL_PX : SHORT_PX, right = wide - RIGHT_PX;
    const lines = this.#lines(plan);
    const prices = [...bars.flatMap((bar) => [Number(bar.h), Number(bar.l)]), ...lines.map((one) => one.price), Number(plan.entry.lo), Number(plan.entry.hi)];
    const top = Math.max(...prices), low = Math.min(...prices), spread = top - low || 1;
    const y = (/** @type {number} */ price) => EDGE_PX + (top - price) / spread * (high - 2 * EDGE_PX);
    const step = right / (bars.length + 3), x = (/** @type {number} */ at) => (at + .5) * step;
    const start = x(seen) + step / 2;
    const area = (/** @type {string} */ tone, /** @type {number} */ one, /** @type {number} */ other) => svg`<rect class=${tone}
      x=${start} width=${right - start} y=${Math.min(y(one), y(other))} height=${Math.max(1, Math.abs(y(one) - y(other)))} />`;
    const furthest = lines.filter((one) => one.tone === "target").at(-1)?.price ?? Number(plan.entry.worst);
    const named = this.tall ? NAMED.filter((name) => plan.trade_detail.levels[name]).map((name) => ({ name, at: Number(plan.trade_detail.levels[name]) }))
      .filter((one) => one.at <= top && one.at >= low) : [];
    return html`<svg class="plan-svg" width=${wide} height=${high} viewBox="0 0 ${wide} ${high}" role="img" aria-label=${this.#said(plan, bars)}>
      ${area("risk-area", Number(plan.entry.worst), Number(plan.stop.price))}
      ${area("gain-area", Number(plan.entry.worst), furthest)}
      ${area("zone", Number(plan.entry.lo), Number(plan.entry.hi))}
      ${named.map((one) => svg`<line class="named" x1="0" x2=${right} y1=${y(one.at)} y2=${y(one.at)} />`)}
      ${apart(named.map((one) => ({ ...one, y: y(one.at) - 7 })), high).map((one) => svg`<text class="named" x="2" y=${one.y}>${one.name.replaceAll("_", " ")}</text>`)}
      ${bars.map((bar, at) => svg`<g class=${Number(bar.c) >= Number(bar.o) ? "up" : "down"}>
        <line x1=${x(at)} x2=${x(at)} y1=${y(Number(bar.h))} y2=${y(Number(bar.l))} />
        <rect x=${x(at) - step * .32} width=${Math.max(1, step * .64)} y=${y(Math.max(Number(bar.o), Number(bar.c)))}
          height=${Math.max(1, Math.abs(y(Number(bar.o)) - y(Number(bar.c))))} /></g>`)}
      <line class="now" x1=${start} x2=${start} y1="0" y2=${high} />
      ${lines.map((one) => svg`<line class="level-line ${one.tone}" x1=${one.tone === "ends" ? start : 0} x2=${right} y1=${y(one.price)} y2=${y(one.price)} />`)}
      ${apart(lines.map((one) => ({ ...one, y: y(one.price) })), high).map((one) => svg`<text class="level-text ${one.tone}" x=${right + 4} y=${one.y}>${one.title} ${one.text}</text>`)}
    </svg>`;
  }

  /** @param {ComposedPlan} plan @param {Bar[]} bars */
  #said(plan, bars) {
    return `${ticker(plan)} on ${bars.length} bars of ${plan.timeframe}. ${this.#lines(plan).map((one) => `${one.title} ${one.text}`).join(", ")}. `
      + `Entry zone ${plan.entry.lo} to ${plan.entry.hi}.`;
  }
}

/** Moves labels apart so that none covers another, in the order of their prices.
 * @template {{y: number}} T @param {T[]} labels @param {number} high @returns {T[]} */
function apart(labels, high) {
  const sorted = [...labels].sort((one, other) => one.y - other.y);
  sorted.forEach((one, at) => { one.y = Math.max(one.y + 4, at ? sorted[at - 1].y + TEXT_PX : TEXT_PX - 2); });
  for (let at = sorted.length - 1, edge = high - 3; at >= 0; at -= 1, edge = sorted[at + 1].y - TEXT_PX) sorted[at].y = Math.min(sorted[at].y, edge);
  return sorted;
}

customElements.define("cornerman-plan-chart", CornermanPlanChart);
