// @ts-check
// Owns the element `cornerman-banner`: the session in one line, and what of data and risk needs a person.
import { html, nothing } from "./vendor/lit.js";
import { Live } from "./element.js";
import { clock, day, local } from "./format.js";
import { loadFreezes, loadHealth } from "./lists.js";
import { sentence } from "./panel.js";
import { riskWarning, showRisk } from "./risk.js";
import { state, update } from "./state.js";

const SHOWN = 2;
/** Opens the Data view of the desk, on a phone too. */
function showData() {
  update({ view: "Data" });
  document.getElementById("tab-Desk")?.click();
  void Promise.all([loadHealth(), loadFreezes()]);
  document.getElementById("room-Data")?.focus();
}

class CornermanBanner extends Live {
  static uses = ["status", "replay", "freezes", "config", "quote", "risk"];

  /** What comes next in the session, on the market's clock and on the reader's. */
  #session() {
    const status = state.status;
    if (!status) return nothing;
    const open = status.state === "open";
    const at = open ? status.next_change : status.next_open ?? status.next_change;
    const far = at && day(at) !== day(status.as_of);
    return html`<p class="now">${status.half_day ? html`<b class="half">Half day.</b>` : nothing}
      ${at ? html`<span>Regular session ${open ? "closes" : "opens"} <b>${far ? `${day(at)}, ` : ""}${clock(at)}</b>
        <span class="muted">(${local(at, status.as_of)} on your clock)</span></span>` : nothing}
      ${status.state === "closed" ? html`<span>Prices are the last known ones.</span>` : nothing}
      ${state.quote?.provenance === "DELAYED" ? html`<span class="half">Prices are delayed.</span>` : nothing}
      ${state.replay ? html`<span class="half">Replay of real history, not today's market.</span>` : nothing}</p>`;
  }

  /** @returns {{text: string, next: string}[]} */
  #warnings() {
    const frozen = (state.freezes ?? []).map((one) => ({ text: `${one.subject || "Everything"} is frozen: ${one.reason}`,
      next: one.unfreezes }));
    const feed = state.config?.feed;
    const lost = feed && !feed.on ? [{ text: `Market data is off: ${feed.why}`, next: feed.todo }] : [];
    const over = (state.config?.providers ?? []).filter((one) => one.failed_over_to)
      .map((one) => ({ text: `${one.name} failed, values come from ${one.failed_over_to}`, next: one.todo }));
    return [...lost, ...over, ...frozen];
  }

  #risk() {
    const said = riskWarning();
    return said ? html`<p class="warning" data-risk-banner><b>${sentence(said.text)}</b><span>${said.next}</span>
      <button class="small" @click=${showRisk}>Show risk</button></p>` : nothing;
  }

  render() {
    const found = this.#warnings();
    return html`<section class="session" aria-label="Session">${this.#session()}
      <div role="status">${this.#risk()}${found.slice(0, SHOWN).map((one, at) => html`<p class="warning"><b>${sentence(one.text)}</b>
        ${one.next ? html`<span>${sentence(one.next)}</span>` : nothing}
        ${at === Math.min(found.length, SHOWN) - 1 ? html`${found.length > SHOWN ? html`<span>And ${found.length - SHOWN} more.</span>` : nothing}
          <button class="small" @click=${showData}>Show data health</button>` : nothing}</p>`)}</div></section>`;
  }
}

customElements.define("cornerman-banner", CornermanBanner);
