// @ts-check
// Owns the element `cornerman-card`: the server's card, drawn as given, with Confirm, Decline, Edit.
import { html, nothing } from "./vendor/lit.js";
import { confirm, decline, edit, load, see, watch } from "./cards.js";
import { FRAMED, Live } from "./element.js";
import { countdown, decimal, quantity, words } from "./format.js";
import { badge, modeBadge } from "./label.js";
import { state } from "./state.js";

const SOON_S = 30;
const SHOWN_ABOVE = new Set(["order", "mode", "expires"]);
const STRONG = new Set(["price band", "risk to the stop", "estimated cost"]);
/** @type {Record<string, string>} */
const ENDED = {
  declined: "Declined. Nothing was sent.",
  expired: "Expired before it was confirmed. Nothing was sent.",
  superseded: "Replaced by a newer version. Nothing was sent from this one.",
  invalidated: "No longer valid. Nothing was sent.",
};
const STEPS = ["QUEUED", "WORKING", "FILLED"];
/** @type {Record<string, number>} */
const REACHED = { QUEUED: 0, CLAIMED: 0, SUBMITTING: 0, WORKING: 1, PARTIALLY_FILLED: 1,
  CANCEL_PENDING: 1, FILLED: 2 };
const FAILED = new Set(["REJECTED", "DENIED", "CANCELLED", "EXPIRED", "DISPUTED", "UNKNOWN",
  "PRESUMED_NOT_ACCEPTED", "CANCEL_UNKNOWN"]);

/** @param {import("./cards.js").Entry} entry */
function eyebrow(entry) {
  if (entry.kind === "cancel") return "Cancel request";
  if (entry.kind === "replace") return "Change of an order";
  return { confirmed: "Confirmed order", dead: "Closed card" }[/** @type {string} */ (entry.phase)] ?? "Order to confirm";
}

class CornermanCard extends Live {
  static properties = { proposal: { type: String }, editing: { state: true }, typed: { state: true } };
  static uses = ["session", "orders"];
  #stop = () => {};
  #tick = 0;
  #held = false;

  constructor() {
    super();
    this.proposal = "";
    this.editing = false;
    this.typed = "";
  }

  connectedCallback() {
    super.connectedCallback();
    this.#stop = watch((id) => id === this.proposal && this.requestUpdate());
    this.#tick = window.setInterval(() => this.#entry().phase === "open" && this.requestUpdate(), 1000);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.#stop();
    clearInterval(this.#tick);
  }

  #entry() {
    return see(this.proposal);
  }

  willUpdate() {
    const at = document.activeElement;
    this.#held = this.contains(at) || (this.#held && at === document.body);
  }

  /** Keeps the keyboard inside the card when the control that had it is gone. */
  updated() {
    if (!this.#held || this.contains(document.activeElement)) return;
    const next = this.querySelector(this.editing ? ".edit input" : "[data-act=edit]:not(:disabled)") ?? this.querySelector("article");
    /** @type {HTMLElement | null} */ (next)?.focus({ preventScroll: true });
  }

  render() {
    const entry = this.#entry();
    if (!entry.card) return this.#missing(entry);
    const { card } = entry;
    return html`<article class="card ${entry.phase}" tabindex="-1" aria-label=${`Order card: ${card.title}`}>
      <header>
        <span class="eyebrow">${eyebrow(entry)}</span>
        <span class="badges">${modeBadge(card.mode)}${badge(card.provenance)}</span>
        <h3>${card.title}</h3>
      </header>
      <dl>${card.lines.filter((line) => !SHOWN_ABOVE.has(line.label.toLowerCase())).map(
        (line) => html`<div class=${STRONG.has(line.label.toLowerCase()) ? "strong" : ""}>
          <dt>${line.label}</dt><dd title=${line.label === "Account" ? card.account : nothing}>${line.value}${line.note ? html`<small>${line.note}</small>` : nothing}</dd>
        </div>`)}</dl>
      ${card.warnings.length && (entry.phase === "open" || entry.phase === "sending")
        ? html`<ul class="warnings">${card.warnings.map((said) => html`<li>${said}</li>`)}</ul>` : nothing}
      ${this.#foot(entry)}
    </article>`;
  }

  /** @param {import("./cards.js").Entry} entry */
  #missing(entry) {
    if (entry.phase !== "error") {
      return html`<article class="card loading" aria-busy="true"><p class="muted">Fetching the card…</p>
        <div class="bone"></div><div class="bone short"></div></article>`;
    }
    return html`<article class="card error"><p>The card could not be drawn: ${entry.problem?.message}.</p>
      <div class="actions"><button @click=${() => load(this.proposal)}>Try again</button></div></article>`;
  }

  /** @param {import("./cards.js").Entry} entry */
  #foot(entry) {
    if (entry.phase === "confirmed") return this.#progress(entry);
    if (entry.phase === "dead") {
      return html`<footer><div class="ended" role="status"><strong>${ENDED[entry.status] ?? words(entry.status)}</strong>
        ${entry.reason && entry.reason !== entry.status ? html`<span>Reason: ${words(entry.reason)}.</span>` : nothing}
        ${entry.status === "invalidated" || entry.status === "expired"
          ? html`<span class="muted">Ask again for a card at current prices.</span>` : nothing}</div></footer>`;
    }
    const left_s = (entry.expires_ms - Date.now() - entry.offset_ms) / 1000;
    if (left_s <= 0) {
      return html`<footer><div class="ended" role="status"><strong>${ENDED.expired}</strong>
        <span class="muted">Ask again for a card at current prices.</span></div></footer>`;
    }
    return html`<footer>
      ${entry.problem ? html`<p class="problem" role="alert">${entry.problem.message}. ${entry.problem.hint}</p>` : nothing}
      ${entry.said ? html`<p class="said" role="alert">${entry.said}</p>` : nothing}
      ${this.editing ? this.#editor(entry) : this.#buttons(entry, left_s)}
    </footer>`;
  }

  /** @param {import("./cards.js").Entry} entry @param {number} left_s */
  #buttons(entry, left_s) {
    const busy = entry.phase === "sending";
    const asked = entry.card?.typed ?? null;
    const framed = FRAMED || state.session?.surface === "frame";
    const id = `typed-${this.className}-${this.proposal}`;
    const verb = { cancel: "Confirm cancel", replace: "Confirm change" }[entry.kind] ?? "Confirm";
    return html`
      ${asked && !framed ? html`<label class="typed" for=${id}>${asked.prompt}: <b>${asked.expected_hint}</b>
        <input id=${id} autocomplete="off" spellcheck="false" .value=${this.typed} ?disabled=${busy}
          @input=${(/** @type {any} */ event) => { this.typed = event.target.value; }}></label>` : nothing}
      <div class="actions">
        ${framed
          ? html`<a class="button primary" target="_blank" rel="noopener" href=${`/?card=${this.proposal}`}>Confirm in Cornerman</a>`
          : html`<button class="primary" data-act="confirm" ?disabled=${busy || (!!asked && !this.typed.trim())}
              @click=${() => confirm(this.proposal, this.typed.trim())}>${busy ? "Sending…" : verb}</button>`}
        ${framed ? nothing : html`
          <button ?disabled=${busy} data-act="decline" @click=${() => decline(this.proposal)}>Decline</button>
          ${entry.kind !== "order" ? nothing : html`<button ?disabled=${busy} data-act="edit"
            @click=${() => { this.editing = true; }}>Edit</button>`}`}
        <span class="timer ${left_s < SOON_S ? "soon" : ""}" role="timer" aria-label="Time left to confirm">
          <span aria-hidden="true">expires in</span> ${countdown(left_s)}</span>
      </div>`;
  }

  /** @param {import("./cards.js").Entry} entry */
  #editor(entry) {
    const send = (/** @type {SubmitEvent} */ event) => {
      event.preventDefault();
      const form = /** @type {HTMLFormElement} */ (event.target);
      this.editing = false;
      void edit(this.proposal, String(new FormData(form).get("quantity")).trim());
    };
    return html`<form class="actions edit" @submit=${send}
        @keydown=${(/** @type {KeyboardEvent} */ event) => { if (event.key === "Escape") this.editing = false; }}>
      <label>Quantity <input name="quantity" inputmode="decimal" required pattern="[0-9]{1,12}(\\.[0-9]{1,8})?"
        .value=${entry.quantity} autofocus></label>
      <button class="primary">Make a new card</button>
      <button type="button" @click=${() => { this.editing = false; }}>Back</button></form>`;
  }

  /** @param {import("./cards.js").Entry} entry */
  #progress(entry) {
    const reached = REACHED[entry.order_state] ?? 0;
    const failed = FAILED.has(entry.order_state);
    const filled = entry.order_state === "FILLED";
    if (entry.kind === "cancel") {
      const now = state.orders?.find((one) => one.id === entry.order_id)?.state ?? entry.order_state;
      return html`<footer><div class="ended" role="status"><strong>Cancel sent.</strong>
        <span>Order is ${words(now) || "being cancelled"}.</span></div></footer>`;
    }
    if (entry.kind === "replace") {
      return html`<footer><div class="ended" role="status"><strong>Change confirmed.</strong>
        <span>${entry.reason || "The order's timeline says what became of it"}.</span></div></footer>`;
    }
    return html`<footer><div class="progress" role="status">
      ${failed ? html`<strong class="loss">${words(entry.order_state)}</strong>
          ${entry.reason ? html`<span>${words(entry.reason)}</span>` : nothing}`
        : html`<ol class="steps">${STEPS.map((step, at) => html`<li class=${at <= reached ? "reached" : ""}
            aria-current=${at === reached ? "step" : nothing}>${words(step)}</li>`)}</ol>`}
      ${/[1-9]/.test(entry.filled) ? html`<span class="fill">${filled ? "Filled" : "Filled so far"}:
        <b>${quantity(entry.filled)}</b> of ${quantity(entry.quantity)} at <b>${decimal(entry.average, 2, 4)}</b></span>` : nothing}
    </div></footer>`;
  }
}

customElements.define("cornerman-card", CornermanCard);
