// @ts-check
// Owns the element `cornerman-position-act`: asks how much or where, prepares the card, and shows the checklist.
import { html, nothing } from "./vendor/lit.js";
import { ApiError, post } from "./api.js";
import { Live } from "./element.js";
import { decimal, quantity, words } from "./format.js";
import { loadPending } from "./refresh.js";

/** @typedef {import("./book.js").Acted} Acted */
/** @typedef {"trim" | "close" | "move_stop"} Action */
/** @type {Record<Action, string>} */
export const ACTIONS = { trim: "Trim", close: "Close", move_stop: "Move stop" };
const SHARES = [["half", "half"], ["third", "a third"], ["quarter", "a quarter"], ["", "this many units"]];

class CornermanPositionAct extends Live {
  static properties = { symbol: {}, action: {}, held: {}, stop: {}, share: { state: true }, busy: { state: true },
    problem: { state: true }, done: { state: true } };

  constructor() {
    super();
    /** @type {string} */ this.symbol = "";
    /** @type {Action} */ this.action = "trim";
    /** @type {string} */ this.held = "";
    /** @type {string} */ this.stop = "";
    this.share = "half";
    this.busy = false;
    this.problem = "";
    /** @type {Acted | null} */ this.done = null;
  }

  firstUpdated() {
    /** @type {HTMLElement | null} */ (this.querySelector("select, input, button"))?.focus();
  }

  /** @param {SubmitEvent} event */
  async #prepare(event) {
    event.preventDefault();
    const form = new FormData(/** @type {HTMLFormElement} */ (event.target));
    const given = (/** @type {string} */ name) => String(form.get(name) ?? "").trim();
    /** @type {Record<string, string>} */
    const args = { action: this.action, symbol: this.symbol };
    if (this.action === "trim") Object.assign(args, this.share ? { share: this.share } : { quantity: given("quantity") });
    if (this.action === "move_stop") args.stop_price = given("stop_price");
    Object.assign(this, { busy: true, problem: "" });
    try {
      const answer = /** @type {{result: Acted}} */ (await post("tools/position_action", { args }));
      this.done = answer.result;
      await loadPending();
      this.dispatchEvent(new CustomEvent("acted", { bubbles: true }));
      void this.updateComplete.then(() => /** @type {HTMLElement | null} */ (this.querySelector(".acted"))?.focus());
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.problem = `${error.message}. ${error.hint}`;
    }
    this.busy = false;
  }

  #leave() {
    this.dispatchEvent(new CustomEvent("left", { bubbles: true }));
  }

  render() {
    return html`<div class="act" role="group" aria-label=${`${ACTIONS[this.action]} ${this.symbol}`}
      @keydown=${(/** @type {KeyboardEvent} */ event) => { if (event.key === "Escape") this.#leave(); }}>
      ${this.done ? this.#told(this.done) : this.#form()}</div>`;
  }

  #form() {
    return html`<form @submit=${this.#prepare}><h4>${ACTIONS[this.action]} ${this.symbol}</h4>
      <p class="muted">This prepares a card. Nothing is sent before you confirm it.</p>
      <div class="actions">${this.action === "trim" ? this.#amount() : this.action === "move_stop" ? this.#level()
        : html`<span>All ${quantity(this.held)} units, at the market.</span>`}
        <button class="primary" ?disabled=${this.busy}>Prepare card</button>
        <button type="button" @click=${this.#leave}>Back</button></div>
      ${this.problem ? html`<p class="problem" role="alert">${this.problem}</p>` : nothing}</form>`;
  }

  #amount() {
    return html`<label>How much <select name="share" @change=${(/** @type {any} */ event) => { this.share = event.target.value; }}>
        ${SHARES.map(([value, name]) => html`<option value=${value} ?selected=${value === this.share}>${name}</option>`)}</select></label>
      ${this.share ? nothing : html`<label>Units <input name="quantity" inputmode="decimal" maxlength="22" required size="8"
        pattern="[0-9]{1,12}([.][0-9]{1,8})?" title="Plain digits, such as 12"></label>`}`;
  }

  #level() {
    return html`<label>New stop <input name="stop_price" inputmode="decimal" maxlength="22" required size="10"
        pattern="[0-9]{1,12}([.][0-9]{1,8})?" title="Plain digits, such as 405.50"></label>
      <span class="muted">${this.stop ? `now ${decimal(this.stop)}; it may only come nearer` : "no stop is known yet"}</span>`;
  }

  /** @param {Acted} done */
  #told(done) {
    const count = done.cards.length;
    return html`<div class="acted" role="status" tabindex="-1"><h4>${ACTIONS[this.action]} ${this.symbol}</h4>
      ${done.stop ? html`<p>The protective stop is kept at <b>${decimal(done.stop)}</b>${done.before ? ` (it was ${decimal(done.before)})` : ""}.
        Kept is not placed: nothing is sold by it unless a stop order works.</p>` : nothing}
      ${count ? html`<p>${count === 1 ? "A card waits" : `${count} cards wait, in this order`}:
        ${done.cards.map((one) => this.#card(one)).join("; ")}.</p>` : nothing}
      ${done.step ? html`<p class="next">${done.step[0].toUpperCase()}${done.step.slice(1)}.</p>` : nothing}
      <ul class="checks" aria-label="Checklist">${done.checks.map((one) => html`<li data-verdict=${one.verdict}>
        <span class="chip">${one.verdict}</span> <b>${words(one.name)}</b>: ${one.text} <small class="muted">${one.source}</small></li>`)}</ul>
      <button class="small" @click=${this.#leave}>Done</button></div>`;
  }

  /** @param {import("./book.js").ActionCard} one */
  #card(one) {
    const order = `${one.side} ${quantity(one.quantity)} ${one.symbol}`;
    if (one.kind === "cancel") return `cancel ${order}`;
    if (one.kind === "replace") return `move the stop of ${order} to ${decimal(one.stop_price)}`;
    return one.stop_price ? `${order} at stop ${decimal(one.stop_price)}` : `${order} at market`;
  }
}

customElements.define("cornerman-position-act", CornermanPositionAct);
