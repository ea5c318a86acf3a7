// @ts-check
// Owns the element `cornerman-app`: the page's frame, its tabs on a phone, theme, connection, sign-in.
import { html, nothing } from "./vendor/lit.js";
import { ApiError, get } from "./api.js";
import { add } from "./cards.js";
import { FRAMED, Live } from "./element.js";
import { words } from "./format.js";
import { beginLists } from "./lists.js";
import { follow } from "./prices.js";
import { begin, loadConfig } from "./refresh.js";
import { state, update } from "./state.js";
import "./banner.js";
import "./coach.js";
import "./desk.js";
import "./halt.js";
import "./market.js";
import "./signin.js";

const TABS = /** @type {const} */ (["Coach", "Desk"]);
const STALE_MS = 15_000;
const SLOW_MS = 2000;

class CornermanApp extends Live {
  static uses = ["session", "problem", "deskLine", "chatLine", "halt", "checkedAt", "offline", "pending", "draft"];
  static properties = { tab: { state: true }, theme: { state: true }, only: {} };

  constructor() {
    super();
    this.tab = "Coach";
    /** "chat" draws the conversation alone, for a framed page. @type {string} */ this.only = "";
    this.theme = FRAMED ? "" : localStorage.getItem("cornerman.theme") ?? "";
    this.#paint();
  }

  connectedCallback() {
    super.connectedCallback();
    void this.start();
  }

  async start() {
    try {
      update({ session: await get("auth/session"), problem: null });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      update({ problem: error });
      return;
    }
    const wanted = new URLSearchParams(location.search).get("card");
    if (wanted && !FRAMED) { add(wanted); this.tab = "Desk"; }
    if (this.only === "chat") return void await loadConfig();
    await begin();
    follow();
    await beginLists();
  }

  willUpdate() {
    if (state.draft) this.tab = "Coach";
  }

  #paint() {
    if (this.theme) document.documentElement.dataset.theme = this.theme;
    else delete document.documentElement.dataset.theme;
  }

  #turn() {
    const dark = this.theme ? this.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    this.theme = dark ? "light" : "dark";
    localStorage.setItem("cornerman.theme", this.theme);
    this.#paint();
    document.querySelectorAll("cornerman-chart").forEach((one) => /** @type {any} */ (one).requestUpdate());
  }

  /** @returns {[string, string]} */
  #line() {
    if (state.offline) return ["bad", "Server not reached. Values below are old."];
    const lost = [state.deskLine, state.chatLine].find((line) => line !== "open" && line !== "connecting");
    if (lost) return ["warn", `Live updates: ${lost}`];
    if (this.only !== "chat" && state.checkedAt && Date.now() - state.checkedAt > STALE_MS) return ["warn", "Values are older than 15 s"];
    if ((state.answer_ms ?? 0) > SLOW_MS) return ["warn", `Slow answers, ${(Number(state.answer_ms) / 1000).toFixed(1)} s`];
    return [state.deskLine, state.chatLine].includes("connecting") && this.only !== "chat" ? ["warn", "Connecting"] : ["good", "Connected"];
  }

  render() {
    if (state.problem && !state.session) return html`<cornerman-signin .again=${() => this.start()}></cornerman-signin>`;
    if (!state.session) return html`<p class="sr" role="status">Loading</p>`;
    if (this.only === "chat") return html`<main id="main" class="solo"><cornerman-coach></cornerman-coach></main>`;
    const [tone, said] = this.#line();
    const halted = state.halt && state.halt.state !== "ACTIVE";
    return html`<a class="skip" href="#main">Skip to the conversation</a>
      <header class="top">
        <h1><svg viewBox="0 0 24 24" aria-hidden="true"><path d="M4 20V4h16"/><path d="M4 20 20 4"/><circle cx="4" cy="20" r="2.4"/></svg>Cornerman</h1>
        <cornerman-market></cornerman-market>
        <span class="push"></span>
        <span class="line ${tone}" role="status"><span class="dot" aria-hidden="true"></span><span class="said">${said}</span></span>
        <button class="quiet theme" aria-label="Switch between dark and light" @click=${() => this.#turn()}>
          <svg viewBox="0 0 24 24" aria-hidden="true"><circle cx="12" cy="12" r="8"/><path class="half" d="M12 4a8 8 0 0 1 0 16z"/></svg></button>
        <cornerman-halt></cornerman-halt>
      </header>
      ${state.problem?.status === 401 ? html`<p class="banner bad" role="alert">You are signed out. Open a new login link, then reload.</p>` : nothing}
      ${halted ? html`<p class="banner bad" role="alert"><b>Trading is ${words(state.halt?.state)}.</b> ${state.halt?.reason}. New orders are refused; cancels pass.</p>` : nothing}
      <cornerman-banner></cornerman-banner>
      <nav aria-label="Views"><div class="tabs" role="tablist" aria-label="Views" @keydown=${this.#arrow}>${TABS.map((tab) => html`<button role="tab" id=${`tab-${tab}`}
        aria-selected=${this.tab === tab} aria-controls=${`view-${tab}`} tabindex=${this.tab === tab ? 0 : -1}
        @click=${() => { this.tab = tab; }}>${tab}${tab === "Desk" && state.pending.length ? html`<span class="count">${state.pending.length}</span>` : nothing}</button>`)}</div></nav>
      <main id="main" tabindex="-1" class=${state.offline ? "stale" : ""} data-tab=${this.tab}>
        <div class="view" id="view-Coach"><cornerman-coach></cornerman-coach></div>
        <div class="view" id="view-Desk"><cornerman-desk></cornerman-desk></div>
      </main>`;
  }

  /** @param {KeyboardEvent} event */
  #arrow(event) {
    if (event.key !== "ArrowRight" && event.key !== "ArrowLeft") return;
    this.tab = this.tab === "Coach" ? "Desk" : "Coach";
    void this.updateComplete.then(() => /** @type {HTMLElement} */ (this.querySelector("[role=tab][aria-selected=true]")).focus());
  }
}

customElements.define("cornerman-app", CornermanApp);
