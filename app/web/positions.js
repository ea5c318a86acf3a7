// @ts-check
// Owns the element `cornerman-positions`: what is held, at its mark, its stop, and the buttons that prepare a card.
import { html, nothing } from "./vendor/lit.js";
import { ApiError } from "./api.js";
import { Live } from "./element.js";
import { decimal, percent, quantity, signed, tone } from "./format.js";
import { ACTIONS } from "./position_act.js";
import { ask, showSymbol } from "./refresh.js";
import { state } from "./state.js";

/** @typedef {import("./book.js").PositionStop} PositionStop */
/** @typedef {{symbol: string, action: "trim" | "close" | "move_stop"}} Asking */
const NAMES = /** @type {["trim" | "close" | "move_stop", string][]} */ (Object.entries(ACTIONS));

class CornermanPositions extends Live {
  static uses = ["portfolio", "orders"];
  static properties = { asking: { state: true }, stops: { state: true } };

  constructor() {
    super();
    /** @type {Asking | null} */ this.asking = null;
    /** @type {Record<string, PositionStop>} */ this.stops = {};
    this.read = "";
  }

  updated() {
    const held = state.portfolio?.valuation.holdings ?? [];
    const wanted = JSON.stringify([held.map((one) => [one.symbol, one.quantity]), state.orders?.map((one) => [one.id, one.state])]);
    if (held.length && wanted !== this.read) {
      this.read = wanted;
      void this.#load();
    }
  }

  async #load() {
    const answer = /** @type {{items: PositionStop[]} | ApiError} */ (await ask("broker/stops"));
    if (!(answer instanceof ApiError)) this.stops = Object.fromEntries(answer.items.map((one) => [one.symbol, one]));
  }

  /** Ends an action; the focus goes back to the button that began it. */
  #leave() {
    const before = this.asking;
    this.asking = null;
    if (before) void this.updateComplete.then(() => /** @type {HTMLElement | null} */ (this.querySelector(`[data-act="${before.action}-${before.symbol}"]`))?.focus());
  }

  render() {
    const held = state.portfolio?.valuation.holdings;
    const asked = this.asking && held?.find((one) => one.symbol === this.asking?.symbol);
    return html`<section aria-label="Positions"><h3>Positions</h3>
      ${!held ? html`<div class="bone" aria-hidden="true"></div>`
        : held.length ? this.#table(held)
          : html`<p class="none">Nothing held. Ask the coach for a plan to begin.</p>`}
      ${this.asking && asked ? this.#act(this.asking, asked) : nothing}</section>`;
  }

  /** @param {Asking} asking @param {import("./wire.js").Held} held */
  #act(asking, held) {
    return [html`<cornerman-position-act .symbol=${asking.symbol} .action=${asking.action} .held=${held.quantity}
      .stop=${this.stops[asking.symbol]?.stop ?? ""} @left=${this.#leave} @acted=${this.#load}></cornerman-position-act>`];
  }

  /** @param {import("./wire.js").Held[]} held */
  #table(held) {
    const risk = held.some((one) => one.r);
    return html`<div class="wide" tabindex="0" role="region" aria-label="Positions table"><table>
      <thead><tr><th scope="col">Symbol</th><th scope="col" class="number">Qty</th><th scope="col" class="number">Avg</th>
        <th scope="col" class="number">Last</th><th scope="col" class="number">Unrealised</th>
        <th scope="col" class="number">Stop</th>${risk ? html`<th scope="col" class="number">R</th>` : nothing}
        <th scope="col"><span class="sr">Actions that prepare a card</span></th></tr></thead>
      <tbody>${held.map((one) => html`<tr>
        <th scope="row"><button class="link" @click=${() => showSymbol(one.symbol)}>${one.symbol}</button>
          <cornerman-source .provenance=${one.provenance} .provider=${one.source} set="quotes" .asof=${one.as_of ?? ""}></cornerman-source></th>
        <td class="number">${quantity(one.quantity)}</td>
        <td class="number" title=${one.average_cost}>${decimal(one.average_cost)}</td>
        <td class="number">${decimal(one.last)}</td>
        <td class="number ${tone(one.unrealised)}">${one.unrealised ? signed(one.unrealised) : html`<span title=${one.missing}>no price</span>`}
          ${one.unrealised_pct ? html`<small>${percent(one.unrealised_pct)}</small>` : nothing}</td>
        <td class="number">${this.#stop(one)}</td>
        ${risk ? html`<td class="number">${decimal(one.r)}</td>` : nothing}
        <td class="doing">${NAMES.map(([action, name]) => html`<button class="small" data-act=${`${action}-${one.symbol}`}
          aria-label=${`${name} ${one.symbol}`} aria-expanded=${this.asking?.symbol === one.symbol && this.asking.action === action}
          @click=${() => this.#begin({ symbol: one.symbol, action })}>${name}</button>`)}</td></tr>`)}</tbody></table></div>`;
  }

  /** Begins an action anew, also while another one is open.
   * @param {Asking} asking */
  #begin(asking) {
    this.asking = null;
    void this.updateComplete.then(() => { this.asking = asking; });
  }

  /** The stop of a position, and whether an order holds it or it is only known.
   * @param {import("./wire.js").Held} held */
  #stop(held) {
    const known = this.stops[held.symbol];
    if (!known?.stop) return decimal(held.stop);
    return html`${decimal(known.stop)}<small class="muted">${known.works ? "works" : known.stop_source === "position stop" ? "kept" : "planned"}</small>`;
  }
}

customElements.define("cornerman-positions", CornermanPositions);
