// @ts-check
// Owns the element `cornerman-desk`: the right side of the screen, and the desk's event stream.
import { html, nothing } from "./vendor/lit.js";
import { add, changed, see, watch } from "./cards.js";
import { Live } from "./element.js";
import { quantity, words } from "./format.js";
import { loadAlerts, loadFreezes, loadHealth, loadNotices, loadRisk } from "./lists.js";
import { loadBook, loadHalt, loadOrders, loadPending, loadPortfolio } from "./refresh.js";
import { note, state, update } from "./state.js";
import { SharedStream } from "./shared.js";
import "./account.js";
import "./activity.js";
import "./alerts.js";
import "./chart.js";
import "./confirm.js";
import "./diagnostics.js";
import "./health.js";
import "./notifications.js";
import "./orders.js";
import "./picks.js";
import "./positions.js";
import "./quote.js";
import "./risk.js";
import "./scoreboard.js";
import "./watchlist.js";

/** What a change of the risk state is called; any other state is that of the switch.
 * @type {Record<string, string>} */
const RISK_NEWS = { ok: "Risk is inside its limits", warn: "Risk is near a limit", breach: "Risk has reached a limit", frozen: "New risk is frozen" };
const ORDER_NEWS = new Set(["FILLED", "PARTIALLY_FILLED", "REJECTED", "DENIED", "CANCELLED", "EXPIRED"]);

const VIEWS = /** @type {const} */ (["Trade", "Ideas", "Watch", "Data"]);

class CornermanDesk extends Live {
  static uses = ["pending", "conversation", "view", "notices", "freezes"];
  /** @type {SharedStream | null} */ #stream = null;
  #timer = 0;
  #narrow = matchMedia("(max-width: 900px)");
  #unwatch = () => {};
  #redraw = () => this.requestUpdate();

  connectedCallback() {
    super.connectedCallback();
    this.#unwatch = watch((id) => { if (state.pending.includes(id)) this.#redraw(); });
    this.#narrow.addEventListener("change", this.#redraw);
    this.#stream = new SharedStream("coach/stream", (event) => this.#on(event),
      (line, why) => {
        update({ deskLine: why ?? line });
        if (line === "open") this.#soon();
      });
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.#unwatch();
    this.#narrow.removeEventListener("change", this.#redraw);
    this.#stream?.close();
  }

  /** Reads the books once after a burst of events. */
  #soon() {
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => void Promise.all([loadBook(), loadPending()]), 60);
  }

  /** @param {import("./events.js").CoachEvent} event */
  #on(event) {
    switch (event.type) {
      case "proposal.pending": add(event.proposal_id); note(`Card: ${event.summary || "an order waits for you"}`, "card", event.ts); void loadPending(); break;
      case "proposal.changed": this.#proposal(event); break;
      case "risk": if (event.state in RISK_NEWS) { void loadRisk(); note(`${RISK_NEWS[event.state]}${event.reason ? `: ${event.reason}` : ""}`, event.state === "ok" ? "plain" : "warning", event.ts); break; }
        void loadHalt(); note(`Trading is ${words(event.state)}${event.reason ? `: ${event.reason}` : ""}`, "warning", event.ts); break;
      case "alert": note(event.message, event.level, event.ts); void Promise.all([loadAlerts(), loadNotices(), loadFreezes()]); break;
      case "narration": note(event.text, "plain", event.ts); break;
      case "state.snapshot": this.#soon(); break;
      case "resync": void Promise.all([loadBook(), loadPending(), loadHalt()]); break;
    }
  }

  /** @param {import("./events.js").ProposalChanged} event */
  #proposal(event) {
    changed(event);
    void loadOrders();
    const what = `${event.side ?? ""} ${event.quantity ? quantity(event.quantity) : ""} ${event.symbol ?? ""}`.trim();
    if (event.order_state && ORDER_NEWS.has(event.order_state)) {
      note(`Order ${words(event.order_state)}: ${what}`, event.order_state.toLowerCase(), event.ts);
      void loadPortfolio();
    } else if (!event.order_state) note(`Card ${event.status}: ${what || event.proposal_id}`, "card", event.ts);
  }

  /** The open cards that the chat beside does not show: one card, one Confirm on the screen.
   * @returns {string[]} */
  #docked() {
    return state.pending.filter((id) => {
      const from = see(id).conversation;
      return this.#narrow.matches || (from !== null && (from === "" || from !== state.conversation));
    });
  }

  /** @param {typeof VIEWS[number]} view */
  #turn(view) {
    update({ view });
    if (view === "Data") void Promise.all([loadHealth(), loadFreezes()]);
  }

  /** @param {KeyboardEvent} event */
  #arrow(event) {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by) return;
    this.#turn(VIEWS[(VIEWS.indexOf(state.view) + by + VIEWS.length) % VIEWS.length]);
    void this.updateComplete.then(() => /** @type {HTMLElement} */ (this.querySelector(".rooms [aria-selected=true]")).focus());
  }

  /** What a view has to say while another one is shown.
   * @param {typeof VIEWS[number]} view */
  #count(view) {
    const unread = state.notices?.unread ?? 0;
    const frozen = state.freezes?.length ?? 0;
    if (view === "Watch" && unread) return html`<span class="count">${unread}<span class="sr"> unread</span></span>`;
    if (view === "Data" && frozen) return html`<span class="count frozen">${frozen}<span> frozen</span></span>`;
    return nothing;
  }

  render() {
    return html`<section class="desk" aria-label="Desk"><h2 class="sr">Desk</h2>
      <cornerman-account></cornerman-account>
      <div class="dock" aria-live="polite">${this.#docked().map((id) => html`<cornerman-card class="docked" .proposal=${id}></cornerman-card>`)}</div>
      <div class="rooms" role="tablist" aria-label="Desk views" @keydown=${this.#arrow}>${VIEWS.map((view) => html`<button role="tab"
        id=${`room-${view}`} aria-selected=${state.view === view} aria-controls=${`panel-${view}`} tabindex=${state.view === view ? 0 : -1}
        @click=${() => this.#turn(view)}>${view}${this.#count(view)}</button>`)}</div>
      ${VIEWS.map((view) => html`<div class="room" role="tabpanel" id=${`panel-${view}`} aria-labelledby=${`room-${view}`}
        ?hidden=${state.view !== view}>${this.#room(view)}</div>`)}
    </section>`;
  }

  /** @param {typeof VIEWS[number]} view */
  #room(view) {
    switch (view) {
      case "Trade": return html`<div class="panel"><cornerman-quote></cornerman-quote><cornerman-chart></cornerman-chart></div>
        <div class="panel"><cornerman-risk></cornerman-risk></div>
        <div class="panel"><cornerman-positions></cornerman-positions></div>
        <div class="panel"><cornerman-orders></cornerman-orders></div>
        <div class="panel"><cornerman-activity></cornerman-activity></div>`;
      case "Ideas": return html`<div class="panel"><cornerman-picks></cornerman-picks></div>
        <div class="panel"><cornerman-plans></cornerman-plans></div>
        <div class="panel"><cornerman-weekend></cornerman-weekend></div>
        <div class="panel">${state.view === "Ideas" ? html`<cornerman-scoreboard></cornerman-scoreboard>` : nothing}</div>`;
      case "Watch": return html`<div class="panel"><cornerman-watchlist></cornerman-watchlist></div>
        <div class="panel"><cornerman-alerts></cornerman-alerts></div>
        <div class="panel"><cornerman-notifications></cornerman-notifications></div>`;
      case "Data": return html`<div class="panel"><cornerman-health></cornerman-health></div>
        <div class="panel"><cornerman-diagnostics></cornerman-diagnostics></div>`;
    }
  }
}

customElements.define("cornerman-desk", CornermanDesk);
