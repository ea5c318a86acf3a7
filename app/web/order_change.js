// @ts-check
// Owns the element `cornerman-order-change`: asks for a working order's new price or time, and prepares the card.
import { html, nothing } from "./vendor/lit.js";
import { ApiError, post } from "./api.js";
import { Live } from "./element.js";
import { decimal, quantity } from "./format.js";
import { loadPending } from "./refresh.js";

/** @typedef {import("./wire.js").Order} Order */

/** Tells whether an order stands at a price that can be changed in place.
 * @param {Order} one */
export function changeable(one) {
  const stands = one.state === "WORKING" || one.state === "PARTIALLY_FILLED";
  return stands && !one.order_class && (one.type === "limit" || one.type === "stop");
}

class CornermanOrderChange extends Live {
  static properties = { order: { attribute: false }, busy: { state: true }, problem: { state: true }, done: { state: true } };

  constructor() {
    super();
    /** @type {Order | null} */ this.order = null;
    this.busy = false;
    this.problem = "";
    this.done = "";
  }

  firstUpdated() {
    /** @type {HTMLElement | null} */ (this.querySelector("input, select, button"))?.focus();
  }

  #leave() {
    this.dispatchEvent(new CustomEvent("left", { bubbles: true }));
  }

  /** @param {SubmitEvent} event */
  async #prepare(event) {
    event.preventDefault();
    const one = /** @type {Order} */ (this.order);
    const form = new FormData(/** @type {HTMLFormElement} */ (event.target));
    const price = String(form.get("price") ?? "").trim();
    /** @type {Record<string, string>} */
    const args = { order_id: one.id, tif: String(form.get("tif")) };
    args[one.type === "stop" ? "stop_price" : "limit_price"] = price;
    Object.assign(this, { busy: true, problem: "" });
    try {
      const answer = /** @type {{result: {summary: string}}} */ (await post("tools/replace_order", { args }));
      this.done = answer.result.summary;
      await loadPending();
      void this.updateComplete.then(() => /** @type {HTMLElement | null} */ (this.querySelector(".acted"))?.focus());
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.problem = `${error.message}. ${error.hint}`;
    }
    this.busy = false;
  }

  render() {
    const one = this.order;
    if (!one) return nothing;
    const name = `${one.side} ${quantity(one.quantity)} ${one.symbol}`;
    return html`<div class="act" role="group" aria-label=${`Change order: ${name}`}
      @keydown=${(/** @type {KeyboardEvent} */ event) => { if (event.key === "Escape") this.#leave(); }}>
      ${this.done ? html`<div class="acted" role="status" tabindex="-1"><p>${this.done} A card waits for you; the order stands as it is until you confirm it.</p>
        <button class="small" @click=${this.#leave}>Done</button></div>` : this.#form(one, name)}</div>`;
  }

  /** @param {Order} one @param {string} name */
  #form(one, name) {
    const now = one.type === "stop" ? one.stop_price : one.limit_price;
    return html`<form @submit=${this.#prepare}><h4>Change ${name}</h4>
      <p class="muted">This prepares a card. Nothing is sent before you confirm it; symbol, side and quantity stay.</p>
      <div class="actions"><label>New ${one.type} price <input name="price" inputmode="decimal" maxlength="22" required size="10"
          .value=${now ?? ""} pattern="[0-9]{1,12}([.][0-9]{1,8})?" title="Plain digits, such as 405.50"></label>
        <span class="muted">now ${decimal(now)}</span>
        <label>Lasts <select name="tif"><option value="day" ?selected=${one.tif === "day"}>the day</option>
          <option value="gtc" ?selected=${one.tif === "gtc"}>until cancelled</option></select></label>
        <button class="primary" ?disabled=${this.busy}>Prepare card</button>
        <button type="button" @click=${this.#leave}>Back</button></div>
      ${this.problem ? html`<p class="problem" role="alert">${this.problem}</p>` : nothing}</form>`;
  }
}

customElements.define("cornerman-order-change", CornermanOrderChange);
