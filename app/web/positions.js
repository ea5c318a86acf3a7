// @ts-check
// Owns the element `cornerman-positions`: what is held, at its mark, with the label of each mark.
import { html, nothing } from "./vendor/lit.js";
import { Live } from "./element.js";
import { decimal, percent, quantity, signed, tone } from "./format.js";
import { showSymbol } from "./refresh.js";
import { state } from "./state.js";

class CornermanPositions extends Live {
  static uses = ["portfolio", "orders"];

  render() {
    const held = state.portfolio?.valuation.holdings;
    return html`<section aria-label="Positions"><h3>Positions</h3>
      ${!held ? html`<div class="bone" aria-hidden="true"></div>`
        : held.length ? this.#table(held)
          : html`<p class="none">Nothing held. Ask the coach for a plan to begin.</p>`}</section>`;
  }

  /** @param {import("./wire.js").Held[]} held */
  #table(held) {
    const risk = held.some((one) => one.r);
    return html`<div class="wide" tabindex="0" role="region" aria-label="Positions table"><table>
      <thead><tr><th scope="col">Symbol</th><th scope="col" class="number">Qty</th><th scope="col" class="number">Avg</th>
        <th scope="col" class="number">Last</th><th scope="col" class="number">Unrealised</th>
        <th scope="col" class="number">Stop</th>${risk ? html`<th scope="col" class="number">R</th>` : nothing}</tr></thead>
      <tbody>${held.map((one) => html`<tr>
        <th scope="row"><button class="link" @click=${() => showSymbol(one.symbol)}>${one.symbol}</button>
          <cornerman-source .provenance=${one.provenance} .provider=${one.source} set="quotes" .asof=${one.as_of ?? ""}></cornerman-source></th>
        <td class="number">${quantity(one.quantity)}</td>
        <td class="number" title=${one.average_cost}>${decimal(one.average_cost)}</td>
        <td class="number">${decimal(one.last)}</td>
        <td class="number ${tone(one.unrealised)}">${one.unrealised ? signed(one.unrealised) : html`<span title=${one.missing}>no price</span>`}
          ${one.unrealised_pct ? html`<small>${percent(one.unrealised_pct)}</small>` : nothing}</td>
        <td class="number">${decimal(one.stop ?? this.#stop(one.symbol))}</td>
        ${risk ? html`<td class="number">${decimal(one.r)}</td>` : nothing}</tr>`)}</tbody></table></div>`;
  }

  /** The stop that the latest filled order of a symbol was measured against.
   * @param {string} symbol */
  #stop(symbol) {
    return state.orders?.find((one) => one.symbol === symbol && one.state === "FILLED" && one.protective_stop)?.protective_stop;
  }
}

customElements.define("cornerman-positions", CornermanPositions);
