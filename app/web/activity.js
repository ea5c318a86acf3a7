// @ts-check
// Owns the element `cornerman-activity`: what happened on this desk, newest first.
import { html } from "./vendor/lit.js";
import { Live } from "./element.js";
import { decimal, quantity, stamp } from "./format.js";
import { state } from "./state.js";

const SHOWN = 40;

class CornermanActivity extends Live {
  static uses = ["activity", "fills"];

  render() {
    const fills = state.fills.map((fill) => ({
      at: fill.at, tone: "fill", text: `${fill.side === "buy" ? "Bought" : "Sold"} ${quantity(fill.quantity)} ${fill.symbol} at ${decimal(fill.price, 2, 4)}`,
      sub: `${fill.provenance}, market time ${stamp(fill.at)}, commission ${decimal(fill.commission)} ${fill.currency}`,
    }));
    const lines = [...state.activity.map((one) => ({ ...one, sub: `your clock ${new Date(one.at).toLocaleTimeString()}` })), ...fills];
    return html`<section aria-label="Activity"><h3>Activity</h3>
      ${lines.length ? html`<ol class="activity">${lines.slice(0, SHOWN).map((one) => html`<li class=${one.tone}>
          <span>${one.text}</span><small class="muted">${one.sub}</small></li>`)}</ol>`
        : html`<p class="none">Quiet so far. Cards, fills and alerts are listed here.</p>`}</section>`;
  }
}

customElements.define("cornerman-activity", CornermanActivity);
