// @ts-check
// Owns the labels that say how real a value is, and the element that opens where it comes from.
import { LitElement, html, nothing } from "./vendor/lit.js";
import { stamp } from "./format.js";

/** @type {Record<string, string>} */
const MEANING = {
  LIVE: "Live market data.",
  DELAYED: "Market data with the exchange's delay.",
  EOD: "End-of-day data.",
  SNAPSHOT: "A stored snapshot, not a stream.",
  REPLAY: "Real daily history, replayed. Not today's market.",
  SIMULATED: "Made by a deterministic model from real daily bars. No trade printed here.",
};

/** @param {string | null | undefined} provenance */
export function badge(provenance) {
  if (!provenance) return nothing;
  return html`<span class="badge ${provenance.toLowerCase()}" title=${MEANING[provenance] ?? ""}>${provenance}</span>`;
}

/** @param {string} mode */
export function modeBadge(mode) {
  return html`<span class="badge mode-${mode}" title=${mode === "paper" ? "No real money." : "Real money."}>${mode.toUpperCase()}</span>`;
}

/** A label that opens the source of the values beside it. */
class CornermanSource extends LitElement {
  static properties = { provenance: {}, provider: {}, set: {}, asof: {}, ref: {}, open: { state: true } };

  constructor() {
    super();
    /** @type {string} */ this.provenance = "";
    /** @type {string} */ this.provider = "";
    /** @type {string} */ this.set = "";
    /** @type {string} */ this.asof = "";
    /** @type {string} */ this.ref = "";
    this.open = false;
  }

  createRenderRoot() {
    return this;
  }

  #outside = (/** @type {Event} */ event) => {
    if (!this.contains(/** @type {Node} */ (event.target))) this.#show(false);
  };

  /** @param {boolean} open */
  #show(open) {
    this.open = open;
    if (open) document.addEventListener("pointerdown", this.#outside);
    else document.removeEventListener("pointerdown", this.#outside);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.#show(false);
  }

  render() {
    if (!this.provenance) return nothing;
    return html`<button class="badge ${this.provenance.toLowerCase()}" aria-expanded=${this.open}
        aria-label=${`${this.provenance}: where these values come from`}
        @click=${() => this.#show(!this.open)}
        @keydown=${(/** @type {KeyboardEvent} */ event) => event.key === "Escape" && this.#show(false)}>${this.provenance}</button>
      ${this.open ? html`<div class="source" role="note">
        <p>${MEANING[this.provenance] ?? ""}</p>
        <dl><div><dt>Provider</dt><dd>${this.provider}</dd></div>
        ${this.set ? html`<div><dt>Dataset</dt><dd>${this.set}</dd></div>` : nothing}
        <div><dt>As of</dt><dd>${stamp(this.asof)}</dd></div>
        ${this.ref ? html`<div><dt>Ref</dt><dd><code>${this.ref}</code></dd></div>` : nothing}</dl></div>` : nothing}`;
  }
}

customElements.define("cornerman-source", CornermanSource);
