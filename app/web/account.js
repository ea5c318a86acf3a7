// @ts-check
// Owns the element `cornerman-account`: mode, equity, cash, day profit and loss.
import { html, nothing } from "./vendor/lit.js";
import { Live } from "./element.js";
import { decimal, signed, tone } from "./format.js";
import { modeBadge } from "./label.js";
import { state } from "./state.js";

class CornermanAccount extends Live {
  static uses = ["portfolio"];

  render() {
    const held = state.portfolio;
    const value = held?.valuation;
    return html`<section class="account" aria-label="Account">
      <div class="who"><span class="label">Account</span><span>${held?.portfolio.name ?? "–"}</span>
        ${held ? modeBadge(held.account.mode) : nothing}</div>
      <div><span class="label">Equity</span><b class="num">${decimal(value?.equity)}</b></div>
      <div><span class="label">Cash free</span><b class="num">${decimal(value?.cash.available.amount)}</b></div>
      <div><span class="label">Day P&amp;L</span><b class="num ${tone(value?.day_pnl)}">${value ? signed(value.day_pnl) : "–"}</b></div>
      <div class="unit"><span class="label">${value?.currency ?? ""}</span>
        ${value ? html`<cornerman-source .provenance=${value.provenance} .provider=${value.source} set="valuation"
          .asof=${value.as_of}></cornerman-source>` : nothing}</div>
    </section>`;
  }
}

customElements.define("cornerman-account", CornermanAccount);
