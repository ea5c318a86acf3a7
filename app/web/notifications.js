// @ts-check
// Owns the element `cornerman-notifications`: the stored feed, what is unread, and each next best action.
import { html, nothing, repeat } from "./vendor/lit.js";
import { ApiError, post } from "./api.js";
import { add } from "./cards.js";
import { Live } from "./element.js";
import { local, span, words } from "./format.js";
import { loadNotices } from "./lists.js";
import { wording } from "./next_action.js";
import { refused, sentence, trouble, waiting } from "./panel.js";
import { loadPending } from "./refresh.js";
import { state, suggest } from "./state.js";

/** @typedef {import("./wire.js").Notice} Notice */
const LEVELS = { info: "Note", warning: "Warning", critical: "Critical" };

class CornermanNotifications extends Live {
  static uses = ["notices", "noticesProblem"];
  static properties = { problem: { state: true }, busy: { state: true } };

  constructor() {
    super();
    /** @type {ApiError | null} */ this.problem = null;
    this.busy = false;
  }

  async #read() {
    if (!state.notices) return;
    this.busy = true;
    this.problem = null;
    try {
      await post("notifications/read", { up_to: state.notices.cursor });
      await loadNotices();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.problem = error;
    }
    this.busy = false;
  }

  /** Opens a waiting card, or puts the words into the composer. It never sends anything.
   * @param {import("./wire.js").NextAction} action */
  #next(action) {
    const proposal = action.arguments?.proposal_id;
    if (typeof proposal === "string") { add(proposal); void loadPending(); return; }
    suggest(wording(action));
  }

  render() {
    const { notices, noticesProblem } = state;
    return html`<section aria-label="Notifications"><div class="head"><h3>Notifications</h3>
        ${notices ? html`<span class="muted small" role="status">${notices.unread ? `${notices.unread} unread` : "all read"}</span>` : nothing}
        <span class="push"></span>
        ${notices?.unread ? html`<button class="small quiet" ?disabled=${this.busy} @click=${() => this.#read()}>Mark all read</button>` : nothing}</div>
      ${refused(this.problem)}
      ${noticesProblem && !notices ? trouble(noticesProblem, "Notifications", loadNotices)
        : !notices ? waiting("Notifications")
          : notices.items.length ? html`<ol class="rows notices">${repeat(notices.items, (one) => one.id, (one) => this.#row(one))}</ol>`
            : html`<p class="none">Nothing has happened yet. Alerts that fire and data that freezes are told here.</p>`}</section>`;
  }

  /** @param {Notice} one */
  #row(one) {
    const ago = (Date.now() - Date.parse(one.at)) / 1000;
    return html`<li class="${one.level} ${one.read_at ? "" : "unread"}" data-notice=${one.id}>
      <p>${one.read_at ? nothing : html`<span class="chip new">new</span>`} <span class="sr">${LEVELS[one.level]}:</span> ${one.message}</p>
      <small class="muted"><span aria-hidden="true">${LEVELS[one.level]} · </span>${words(one.topic)} · <time datetime=${one.at}>${ago < 86_400 ? `${span(ago)} ago` : local(one.at)}</time></small>
      ${one.next_action ? this.#action(one.next_action) : nothing}</li>`;
  }

  /** A suggestion with a call behind it is a button; words alone are words.
   * @param {import("./wire.js").NextAction} action */
  #action(action) {
    if (!action.tool && !action.arguments) return html`<p class="muted">${action.text}</p>`;
    return html`<div class="actions"><button class="small" data-act="next" @click=${() => this.#next(action)}>${action.text}</button>
      <small class="muted">opens in the chat, nothing is sent</small></div>`;
  }
}

customElements.define("cornerman-notifications", CornermanNotifications);
