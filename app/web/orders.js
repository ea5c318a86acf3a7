// @ts-check
// Owns the element `cornerman-orders`: orders with their real state and the person's own Cancel.
import { html, nothing } from "./vendor/lit.js";
import { ApiError, post } from "./api.js";
import { Live } from "./element.js";
import { decimal, quantity, words } from "./format.js";
import { badge } from "./label.js";
import { loadOrders } from "./refresh.js";
import { state } from "./state.js";

const SHOWN = 12;

class CornermanOrders extends Live {
  static uses = ["orders"];
  static properties = { problem: { state: true }, busy: { state: true } };

  constructor() {
    super();
    this.problem = "";
    this.busy = "";
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

  render() {
    const orders = state.orders;
    return html`<section aria-label="Orders"><h3>Orders</h3>
      ${this.problem ? html`<p class="problem" role="alert">${this.problem}</p>` : nothing}
      ${!orders ? html`<div class="bone" aria-hidden="true"></div>`
        : orders.length ? this.#table(orders.slice(0, SHOWN))
          : html`<p class="none">No orders yet. A confirmed card appears here.</p>`}</section>`;
  }

  /** @param {import("./wire.js").Order[]} orders */
  #table(orders) {
    return html`<div class="wide" tabindex="0" role="region" aria-label="Orders table"><table>
      <thead><tr><th scope="col">Order</th><th scope="col">State</th><th scope="col">Type</th>
        <th scope="col" class="number">Filled</th><th scope="col" class="number">Avg</th></tr></thead>
      <tbody>${orders.map((one) => html`<tr class=${one.is_open ? "open" : ""}>
        <th scope="row"><span class="side ${one.side}">${one.side}</span> ${quantity(one.quantity)} ${one.symbol} ${badge(one.provenance)}</th>
        <td title=${one.reason}>${words(one.state)} ${one.is_open ? html`<button class="small" ?disabled=${this.busy === one.id || one.state === "CANCEL_PENDING"}
          aria-label=${`Cancel order: ${one.side} ${one.quantity} ${one.symbol}`} @click=${() => this.#cancel(one.id)}>Cancel</button>` : nothing}</td>
        <td>${one.type}${one.limit_price ? ` ${decimal(one.limit_price)}` : one.stop_price ? ` ${decimal(one.stop_price)}` : ""}</td>
        <td class="number">${quantity(one.filled_quantity)}</td><td class="number">${decimal(one.avg_price, 2, 4)}</td>
      </tr>`)}</tbody></table></div>`;
  }
}

customElements.define("cornerman-orders", CornermanOrders);
