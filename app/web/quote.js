// @ts-check
// Owns the element `cornerman-quote`: the shown symbol with last, bid, ask and their label.
import { html, nothing } from "./vendor/lit.js";
import { Live } from "./element.js";
import { clock, decimal, quantity } from "./format.js";
import { frozenMark } from "./freshness.js";
import { loadQuote, showSymbol } from "./refresh.js";
import { state } from "./state.js";

class CornermanQuote extends Live {
  static uses = ["quote", "quoteProblem", "symbol", "instruments", "prices", "freezes"];

  /** The newer of the asked and the pushed price; sizes only where they belong to the shown price. */
  #shown() {
    const { quote } = state;
    const pushed = state.prices[state.symbol];
    if (!quote || !pushed || quote.symbol !== state.symbol || pushed.ts <= quote.as_of) return quote;
    const { last, bid, ask, ts, provenance, source } = pushed;
    return { ...quote, last: last ?? quote.last, bid: bid ?? quote.bid, ask: ask ?? quote.ask, as_of: ts, provenance, source,
      bid_size: pushed.bid_size ?? null, ask_size: pushed.ask_size ?? null };
  }

  render() {
    const { quoteProblem, symbol, instruments } = state;
    const quote = this.#shown();
    const name = instruments.find((one) => one.symbol === symbol)?.name ?? "";
    return html`<section class="quote" aria-label="Quote">
      <div class="symbol"><select aria-label="Symbol" .value=${symbol}
        @change=${(/** @type {any} */ event) => showSymbol(event.target.value)}>
        ${(instruments.length ? instruments.map((one) => one.symbol) : [symbol]).map(
          (one) => html`<option ?selected=${one === symbol}>${one}</option>`)}</select>
        <span class="muted small">${name}</span>${frozenMark(symbol)}</div>
      ${quoteProblem && !quote ? html`<p class="problem">${quoteProblem.message}. ${quoteProblem.hint}
          <button class="quiet" @click=${() => loadQuote()}>Try again</button></p>`
        : html`<div class="figures">
        <div class="last"><span class="label">Last</span><b class="num">${quote ? decimal(quote.last) : "–"}</b></div>
        <div><span class="label">Bid</span><b class="num">${quote ? decimal(quote.bid) : "–"}</b>
          <small class="num muted">${quote?.bid_size ? `× ${quantity(quote.bid_size)}` : nothing}</small></div>
        <div><span class="label">Ask</span><b class="num">${quote ? decimal(quote.ask) : "–"}</b>
          <small class="num muted">${quote?.ask_size ? `× ${quantity(quote.ask_size)}` : nothing}</small></div>
        <div class="asof"><span class="label num">As of ${quote ? clock(quote.as_of) : "–"}</span>
          ${quote ? html`<cornerman-age .ts=${quote.as_of} .provenance=${quote.provenance}></cornerman-age>` : nothing}</div>
        ${quote ? html`<cornerman-source .provenance=${quote.provenance} .provider=${quote.source} set="quotes"
          .asof=${quote.as_of}></cornerman-source>` : nothing}</div>`}
    </section>`;
  }
}

customElements.define("cornerman-quote", CornermanQuote);
