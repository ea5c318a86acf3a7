// @ts-check
// Owns where a number comes from: the button that a number is, and the one note that opens beside it.
import { LitElement, html, nothing } from "./vendor/lit.js";
import { badge } from "./label.js";

/** @typedef {import("./ideas.js").Origin} Origin */
const GAP_PX = 6, EDGE_PX = 8;

/** Draws a number that opens its source; without a source it is plain text.
 * @param {unknown} shown @param {Origin | null | undefined} origin */
export function figure(shown, origin) {
  if (!origin) return html`${shown}`;
  return html`<button type="button" class="figure" aria-haspopup="dialog" title="Where this comes from"
    @click=${(/** @type {Event} */ event) => show(/** @type {HTMLElement} */ (event.currentTarget), origin)}>${shown}</button>`;
}

/** @param {HTMLElement} by @param {Origin} origin */
function show(by, origin) {
  let note = /** @type {CornermanOrigin | null} */ (document.querySelector("cornerman-origin"));
  if (!note) {
    note = /** @type {CornermanOrigin} */ (document.createElement("cornerman-origin"));
    document.body.append(note);
  }
  note.open(by, origin);
}

/** The note; the browser closes it on Escape or on a press elsewhere. */
class CornermanOrigin extends LitElement {
  static properties = { origin: { state: true } };

  constructor() {
    super();
    /** @type {Origin | null} */ this.origin = null;
  }

  createRenderRoot() {
    return this;
  }

  connectedCallback() {
    super.connectedCallback();
    this.popover = "auto";
    this.tabIndex = -1;
    this.setAttribute("role", "dialog");
    this.setAttribute("aria-label", "Where this number comes from");
  }

  /** @param {HTMLElement} by @param {Origin} origin */
  open(by, origin) {
    this.origin = origin;
    void this.updateComplete.then(() => {
      this.showPopover();
      const at = by.getBoundingClientRect(), own = this.getBoundingClientRect();
      const under = at.bottom + GAP_PX + own.height < innerHeight;
      this.style.left = `${Math.max(EDGE_PX, Math.min(at.left, innerWidth - own.width - EDGE_PX))}px`;
      this.style.top = `${Math.max(EDGE_PX, under ? at.bottom + GAP_PX : at.top - GAP_PX - own.height)}px`;
      this.focus({ preventScroll: true });
    });
  }

  render() {
    const origin = this.origin;
    if (!origin) return nothing;
    return html`<p class="what"><b>${origin.what}</b> ${badge(origin.provenance)}</p>
      <dl>${origin.lines.map(([label, value]) => html`<div><dt>${label}</dt><dd>${value}</dd></div>`)}</dl>
      ${origin.said ? html`<p class="muted said">${origin.said}</p>` : nothing}
      ${origin.href ? html`<p><a href=${origin.href} target="_blank" rel="noopener">Open the whole plan</a></p>` : nothing}`;
  }
}

customElements.define("cornerman-origin", CornermanOrigin);
