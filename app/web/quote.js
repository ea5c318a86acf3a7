// @ts-check
// Owns the element `cornerman-quote`: the shown symbol with last, bid, ask and their label.
import { html, nothing } from "./vendor/lit.js";
import { Live } from "./element.js";
import { clock, decimal, quantity } from "./format.js";
import { loadQuote, showSymbol } from "./refresh.js";
import { state } from "./state.js";

class CornermanQuote extends Live {
  static uses = ["quote", "quoteProblem", "symbol", "instruments"];

  render() {
    const { quote, quoteProblem, symbol, instruments } = state;
    const name = instruments.find((one) => one.symbol === symbol)?.name ?? "";
    return html`<section class="quote" aria-label="Quote">
      <div class="symbol"><select aria-label="Symbol" .value=${symbol}
        @change=${(/** @type {any} */ event) => showSymbol(event.target.value)}>
        ${(instruments.length ? instruments.map((one) => one.symbol) : [symbol]).map(
          (one) => html`<option ?selected=${one === symbol}>${one}</option>`)}</select>
        <span class="muted small">${name}</span></div>
      ${quoteProblem && !quote ? html`<p class="problem">${quoteProblem.message}. ${quoteProblem.hint}
          <button class="quiet" @click=${() => loadQuote()}>Try again</button></p>`
        : html`<div class="figures">
        <div class="last"><span class="label">Last</span><b class="num">${quote ? decimal(quote.last) : "–"}</b></div>
        <div><span class="label">Bid</span><b class="num">${quote ? decimal(quote.bid) : "–"}</b>
          <small class="num muted">${quote?.bid_size ? `× ${quantity(quote.bid_size)}` : nothing}</small></div>
        <div><span class="label">Ask</span><b class="num">${quote ? decimal(quote.ask) : "–"}</b>
          <small class="num muted">${quote?.ask_size ? `× ${quantity(quote.ask_size)}` : nothing}</small></div>
        <div class="asof"><span class="label">As of</span><span class="num small">${quote ? clock(quote.as_of) : "–"}</span></div>
        ${quote ? html`<cornerman-source .provenance=${quote.provenance} .provider=${quote.source} set="quotes"
          .asof=${quote.as_of}></cornerman-source>` : nothing}</div>`}
    </section>`;
  }
}

customElements.define("cornerman-quote", CornermanQuote);
