// @ts-check
// Owns the element `cornerman-timeline`: one order from its card to its end, out of the audit trail.
import { html, nothing } from "./vendor/lit.js";
import { ApiError, get } from "./api.js";
import { Live } from "./element.js";
import { decimal, local, quantity, stamp } from "./format.js";
import { stateWords, stepWords } from "./order_words.js";
import { state } from "./state.js";

/** @typedef {import("./book.js").AuditLine} AuditLine */
/** @typedef {import("./book.js").OrderDetail} OrderDetail */
/** Steps that say nothing new beside the others. */
const QUIET = new Set(["token_issued", "order.answer", "order.change_answer"]);

class CornermanTimeline extends Live {
  static uses = ["orders"];
  static properties = { order: {}, detail: { state: true }, lines: { state: true }, problem: { state: true } };

  constructor() {
    super();
    /** @type {string} */ this.order = "";
    /** @type {OrderDetail | null} */ this.detail = null;
    /** @type {AuditLine[]} */ this.lines = [];
    this.problem = "";
    this.read = "";
  }

  updated() {
    const known = state.orders?.find((one) => one.id === this.order);
    const terms = `${known?.type} ${known?.limit_price} ${known?.stop_price} ${known?.tif}`;
    const wanted = `${this.order} ${known?.state} ${known?.filled_quantity} ${terms}`;
    if (this.order && wanted !== this.read) {
      this.read = wanted;
      void this.#load(this.order);
    }
  }

  /** @param {string} id */
  async #load(id) {
    try {
      const detail = /** @type {OrderDetail} */ (await get(`broker/orders/${id}`));
      const [card, steps] = await Promise.all([this.#trail(detail.proposal_id), this.#trail(id)]);
      if (id !== this.order) return;
      const lines = [...card, ...steps].filter((one) => !QUIET.has(one.kind));
      Object.assign(this, { detail, lines: lines.sort((a, b) => a.seq - b.seq), problem: "" });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.problem = `${error.message}. ${error.hint}`;
    }
  }

  /** @param {string} ref @returns {Promise<AuditLine[]>} */
  async #trail(ref) {
    return (await get(`audit/events?ref=${encodeURIComponent(ref)}&limit=200`)).items;
  }

  render() {
    const one = this.detail;
    if (this.problem) return html`<p class="problem" role="alert">${this.problem}</p>`;
    if (!one || one.id !== this.order) return html`<div class="bone" aria-hidden="true"></div>`;
    const now = stateWords(one.state);
    return html`<p class=${now.doubt ? "warning" : ""} role="status"><b>Now ${now.head}</b>${now.means ? `: ${now.means}` : ""}.</p>
      <ol class="timeline" aria-label="Steps of the order, oldest first">${this.lines.map((line) => this.#line(line, one))}</ol>
      ${one.fills.length ? html`<h4>Fills</h4><ul class="timeline" aria-label="Fills">${one.fills.map((fill) => html`<li>
        <span>${fill.side} ${quantity(fill.quantity)} at ${decimal(fill.price, 2, 4)} ${fill.currency}, commission ${decimal(fill.commission)}${fill.corrected ? html` <b class="warning">${fill.corrected}</b>` : nothing}</span>
        <small class="muted">market time ${stamp(fill.at)}</small></li>`)}</ul>` : nothing}`;
  }

  /** @param {AuditLine} line @param {OrderDetail} one */
  #line(line, one) {
    const arrow = one.transitions.find((step) => line.subject === one.id && step.number === line.facts.number);
    const reason = String(arrow?.reason || line.facts.reason || "");
    const why = stepWords(line.kind).toLowerCase().includes(reason) ? "" : reason;
    return html`<li><span>${stepWords(line.kind)}${arrow ? html` <small class="muted">now ${stateWords(arrow.to_state).head}</small>` : nothing}</span>
      ${why ? html`<span class="muted">${why}</span>` : nothing}
      <small class="muted"><time datetime=${line.at} title=${stamp(line.at)}>${local(line.at)}</time>, audit <span title=${line.hash}>#${line.seq}</span></small></li>`;
  }
}

customElements.define("cornerman-timeline", CornermanTimeline);
