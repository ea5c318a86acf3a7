// @ts-check
// Owns the element `cornerman-orders`: orders with their state in words, their timeline, and the person's own Cancel.
import { html, nothing } from "./vendor/lit.js";
import { ApiError, post } from "./api.js";
import { FRAMED, Live } from "./element.js";
import { decimal, quantity } from "./format.js";
import { badge } from "./label.js";
import { changeable } from "./order_change.js";
import { stateWords, termWords } from "./order_words.js";
import { loadOrders } from "./refresh.js";
import { state } from "./state.js";
import "./timeline.js";

const SHOWN = 12;

class CornermanOrders extends Live {
  static uses = ["orders"];
  static properties = { problem: { state: true }, busy: { state: true }, shown: { state: true }, changing: { state: true } };

  constructor() {
    super();
    this.problem = "";
    this.busy = "";
    this.shown = "";
    this.changing = "";
  }

  /** @param {string} id */
  async #cancel(id) {
    this.busy = id;
    this.problem = "";
    try {
      await post(`broker/orders/${id}/cancel`);
      await loadOrders();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.problem = `${error.message}. ${error.hint}`;
    }
    this.busy = "";
  }

  /** Opens the timeline of an order, or closes the one that is open; Escape closes it as well.
   * @param {string} id */
  #toggle(id) {
    const before = this.shown;
    this.shown = before === id ? "" : id;
    if (!this.shown) void this.updateComplete.then(() => /** @type {HTMLElement | null} */ (this.querySelector(`[data-steps="${before}"]`))?.focus());
  }

  /** Opens the form that changes an order, or closes it and gives the focus back to its button.
   * @param {string} id */
  #change(id) {
    const before = this.changing;
    this.changing = before === id ? "" : id;
    if (!this.changing) void this.updateComplete.then(() => /** @type {HTMLElement | null} */ (this.querySelector(`[data-change="${before}"]`))?.focus());
  }

  render() {
    const orders = state.orders;
    const shown = orders?.find((one) => one.id === this.shown);
    const changing = orders?.find((one) => one.id === this.changing && changeable(one));
    return html`<section aria-label="Orders"><h3>Orders</h3>
      ${this.problem ? html`<p class="problem" role="alert">${this.problem}</p>` : nothing}
      ${!orders ? html`<div class="bone" aria-hidden="true"></div>`
        : orders.length ? this.#table(orders.slice(0, SHOWN))
          : html`<p class="none">No orders yet. A confirmed card appears here.</p>`}
      ${changing ? html`<cornerman-order-change .order=${changing} @left=${() => this.#change("")}></cornerman-order-change>` : nothing}
      ${shown ? this.#steps(shown) : nothing}</section>`;
  }

  /** @param {import("./wire.js").Order[]} orders */
  #table(orders) {
    return html`<div class="wide" tabindex="0" role="region" aria-label="Orders table"><table>
      <thead><tr><th scope="col">Order</th><th scope="col">State</th><th scope="col">Type</th>
        <th scope="col" class="number">Filled</th><th scope="col" class="number">Avg</th><th scope="col"><span class="sr">Steps</span></th></tr></thead>
      <tbody>${orders.map((one) => html`<tr class=${one.is_open ? "open" : ""}>
        <th scope="row"><span class="side ${one.side}">${one.side}</span> ${quantity(one.quantity)} ${one.symbol} ${badge(one.provenance)}</th>
        <td class="standing">${this.#state(one)} ${one.is_open ? html`<button class="small" ?disabled=${this.busy === one.id || one.state === "CANCEL_PENDING"}
          aria-label=${`Cancel order: ${one.side} ${one.quantity} ${one.symbol}`} @click=${() => this.#cancel(one.id)}>Cancel</button>` : nothing}
          ${changeable(one) && !FRAMED ? html`<button class="small" data-change=${one.id} aria-expanded=${this.changing === one.id}
            aria-label=${`Change order: ${one.side} ${one.quantity} ${one.symbol}`} @click=${() => this.#change(one.id)}>Change</button>` : nothing}</td>
        <td class="terms">${termWords(one)}${one.parent_id ? html` <small class="muted">exits of an entry</small>` : nothing}</td>
        <td class="number">${quantity(one.filled_quantity)}</td><td class="number">${decimal(one.avg_price, 2, 4)}</td>
        <td><button class="small" data-steps=${one.id} aria-expanded=${this.shown === one.id} aria-controls="order-steps"
          aria-label=${`Timeline of ${one.side} ${one.quantity} ${one.symbol}`} @click=${() => this.#toggle(one.id)}>Timeline</button></td>
      </tr>`)}</tbody></table></div>`;
  }

  /** @param {import("./wire.js").Order} one */
  #state(one) {
    const said = stateWords(one.state);
    return html`<span class=${said.doubt ? "doubt" : ""}>${said.head}${said.means ? html`<span class="means">: ${said.means}</span>` : nothing}</span>
      ${one.reason && one.reason !== said.head ? html`<small class="muted">${one.reason}</small>` : nothing}`;
  }

  /** @param {import("./wire.js").Order} one */
  #steps(one) {
    return html`<div id="order-steps" class="steps-of" role="region" aria-label=${`Timeline of ${one.side} ${one.quantity} ${one.symbol}`}
      @keydown=${(/** @type {KeyboardEvent} */ event) => { if (event.key === "Escape") this.#toggle(one.id); }}>
      <div class="actions"><h4>${one.side} ${quantity(one.quantity)} ${one.symbol}</h4><span class="push"></span>
        <button class="small" @click=${() => this.#toggle(one.id)}>Close timeline</button></div>
      <cornerman-timeline .order=${one.id}></cornerman-timeline></div>`;
  }
}

customElements.define("cornerman-orders", CornermanOrders);
