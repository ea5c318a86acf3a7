// @ts-check
// Owns the element `cornerman-coach`: the conversation, its composer, and what a run is doing.
import { html, nothing, repeat } from "./vendor/lit.js";
import { ApiError } from "./api.js";
import { Conversation } from "./conversation.js";
import { Live } from "./element.js";
import { finder } from "./figures.js";
import { clock, stamp, words } from "./format.js";
import { markdown } from "./markdown.js";
import { watchPlans } from "./plans.js";
import { state, update } from "./state.js";
import "./confirm.js";
import "./label.js";
import "./plan_card.js";

const SUGGESTIONS = ["what's AAPL doing", "plan MSFT", "any setups in my list?", "plan AAPL long, stop 3% below, risk 1%", "what do I hold and why?"];
const NEAR_PX = 120;
const TEXT_MAX = 8000;

class CornermanCoach extends Live {
  static uses = ["chatLine", "session", "config", "draft"];
  static properties = { problem: { state: true }, ready: { state: true }, unseen: { state: true } };
  #talk = new Conversation(() => this.requestUpdate(), (text) => this.#speak(text));
  #stick = true;
  #top = 0;
  #unwatch = () => {};
  /** @type {ResizeObserver | null} */ #grown = null;

  constructor() {
    super();
    /** @type {ApiError | null} */ this.problem = null;
    this.ready = false;
    /** The open card that is scrolled out of sight. @type {Element | null} */ this.unseen = null;
  }

  connectedCallback() {
    super.connectedCallback();
    this.#unwatch = watchPlans(() => this.requestUpdate());
    void this.#open();
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.#unwatch();
    this.#talk.close();
    this.#grown?.disconnect();
  }

  async #open() {
    await this.#try(() => this.#talk.openNewest());
    this.ready = true;
  }

  /** @param {() => Promise<void>} act */
  async #try(act) {
    try {
      this.problem = null;
      await act();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.problem = error;
    }
  }

  /** Puts finished sentences where a screen reader speaks them.
   * @param {string} text */
  #speak(text) {
    const region = this.querySelector(".spoken");
    if (region) region.textContent = text.replace(/[*_`#|]/g, "");
  }

  #box() {
    return /** @type {HTMLTextAreaElement | null} */ (this.querySelector("textarea"));
  }

  /** @param {string} text */
  async #send(text) {
    const clean = text.trim();
    if (!clean || this.#talk.run) return;
    const box = this.#box();
    if (box) { box.value = ""; this.#grow(box); }
    this.#stick = true;
    await this.#try(() => this.#talk.send(clean));
    if (this.problem && box && !box.value) { box.value = clean; this.#grow(box); }
  }

  /** @param {HTMLTextAreaElement} box */
  #grow(box) {
    box.style.height = "auto";
    box.style.height = `${Math.min(box.scrollHeight, 160)}px`;
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      void this.#send(/** @type {HTMLTextAreaElement} */ (event.target).value);
    }
    if (event.key === "Escape" && this.#talk.run) void this.#try(() => this.#talk.cancel());
  }

  /** Follows the end of the thread until the reader scrolls up, also when a card grows later. */
  firstUpdated() {
    const log = /** @type {HTMLElement} */ (this.querySelector(".log"));
    log.addEventListener("scroll", () => {
      const near = log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_PX;
      this.#stick = near || (this.#stick && log.scrollTop >= this.#top);
      this.#top = log.scrollTop;
      this.#look();
    }, { passive: true });
    this.#grown = new ResizeObserver(() => {
      if (this.#stick) log.scrollTop = log.scrollHeight;
      this.#look();
    });
    this.#grown.observe(log);
    this.#grown.observe(/** @type {HTMLElement} */ (log.querySelector(".thread")));
  }

  /** Takes a suggested text into the composer; it is sent by the person only. */
  updated() {
    const box = this.#box();
    if (!state.draft || !box) return;
    box.value = box.value.trim() ? `${box.value.trim()}\n${state.draft}` : state.draft;
    update({ draft: "" });
    this.#grow(box);
    box.focus();
  }

  /** Finds an open card whose Confirm is out of sight, so that the composer can offer a way back. */
  #look() {
    const log = /** @type {HTMLElement} */ (this.querySelector(".log"));
    const edge = log.getBoundingClientRect();
    const away = [...log.querySelectorAll(".card.open .actions")].find((one) => {
      const box = one.getBoundingClientRect();
      return box.bottom < edge.top || box.top > edge.bottom;
    });
    this.unseen = away?.closest("cornerman-card") ?? null;
  }

  #show() {
    this.unseen?.scrollIntoView({ block: "nearest" });
    /** @type {HTMLElement | null | undefined} */ (this.unseen?.querySelector("article"))?.focus({ preventScroll: true });
  }

  render() {
    const talk = this.#talk;
    return html`<section class="coach" aria-label="Coach">
      <header class="bar"><h2>Coach</h2>
        <span class="muted small">${state.config ? state.config.model.why : ""}</span>
        <span class="push"></span>
        ${talk.list.length > 1 ? html`<select aria-label="Conversation" .value=${talk.id}
          @change=${(/** @type {any} */ event) => this.#try(() => talk.open(event.target.value))}>
          ${talk.list.map((one) => html`<option value=${one.id} ?selected=${one.id === talk.id}>${one.title}</option>`)}</select>` : nothing}
        <button class="quiet" ?disabled=${!talk.turns.length} @click=${() => { talk.begin(); this.#box()?.focus(); }}>New</button>
      </header>
      <div class="log" role="log" aria-live="off" aria-label="Conversation" tabindex="0">
        <div class="thread">${talk.turns.length ? repeat(talk.turns, (turn) => turn.id, (turn) => this.#turn(turn))
          : this.ready ? this.#empty() : html`<div class="bones" aria-hidden="true"><div class="bone"></div><div class="bone short"></div></div>`}</div>
      </div>
      <p class="sr spoken" aria-live="polite"></p>
      ${this.problem ? html`<p class="problem inline" role="alert">${this.problem.message}. ${this.problem.hint}
        <button class="quiet" @click=${() => this.#again()}>Try again</button></p>` : nothing}
      ${this.unseen ? html`<p class="unseen">A card waits for you.
        <button class="small" @click=${() => this.#show()}>Show the card</button></p>` : nothing}
      ${this.#composer()}
    </section>`;
  }

  #again() {
    const text = this.#box()?.value.trim() ?? "";
    void (text ? this.#send(text) : this.#open());
  }

  #empty() {
    return html`<div class="empty">
      <p class="lead">Ask, plan, size. Nothing is sent to the broker until you confirm a card.</p>
      <div class="suggestions">${SUGGESTIONS.map((text) => html`<button @click=${() => this.#send(text)}>${text}</button>`)}</div>
    </div>`;
  }

  #composer() {
    const busy = !!this.#talk.run;
    return html`<div class="compose">
      <div class="run" ?hidden=${!busy}><span class="pulse" aria-hidden="true"></span>
        <span role="status">${this.#talk.step || "Working"}…</span></div>
      <form @submit=${(/** @type {Event} */ event) => { event.preventDefault(); void this.#send(this.#box()?.value ?? ""); }}>
        <textarea rows="1" maxlength=${TEXT_MAX} aria-label="Message to the coach" placeholder="Ask or plan a trade…"
          @keydown=${this.#key} @input=${(/** @type {any} */ event) => this.#grow(event.target)}></textarea>
        ${busy ? html`<button type="button" class="stop" @click=${() => this.#try(() => this.#talk.cancel())}>Cancel</button>`
          : html`<button class="primary">Send</button>`}
      </form></div>`;
  }

  /** @param {import("./conversation.js").Turn} turn */
  #turn(turn) {
    if (turn.role === "user") {
      return html`<div class="turn user"><span class="sr">You said:</span>${turn.blocks.map((block) =>
        block.kind === "text" ? html`<p>${block.text}</p>` : nothing)}</div>`;
    }
    const waiting = turn.run === this.#talk.run && !turn.blocks.length;
    return html`<div class="turn answer"><span class="sr">Coach:</span>
      ${waiting ? html`<div class="bone short" aria-hidden="true"></div>` : nothing}
      ${turn.blocks.map((block) => this.#block(block, turn))}</div>`;
  }

  /** @param {import("./conversation.js").Block} block @param {import("./conversation.js").Turn} turn */
  #block(block, turn) {
    switch (block.kind) {
      case "text": return html`<div class="text">${markdown(block.text, block.marks, block.done ? finder(turn, this.#talk.turns, block.text) : null)}
        ${block.marks.some((mark) => mark.kind === "unverified")
          ? html`<p class="caution">Marked numbers are not verified: no tool result holds them.</p>` : nothing}</div>`;
      case "tools": return html`<ul class="tools">${block.calls.map((call) => this.#tool(call))}</ul>
        ${block.calls.filter(isPlan).map((call) => html`<cornerman-plan .ref=${call.ref ?? ""} ?newest=${call === this.#talk.newestPlan}></cornerman-plan>`)}`;
      case "card": return html`<div aria-live="assertive"><cornerman-card .proposal=${block.id}></cornerman-card></div>`;
      case "notice": return html`<p class="notice">${block.text}
        ${block.retry && this.#talk.sent ? html`<button class="quiet" @click=${() => this.#send(this.#talk.sent)}>Ask again</button>` : nothing}</p>`;
    }
  }

  /** @param {import("./wire.js").ToolCall} call */
  #tool(call) {
    const failed = call.ok === false;
    const from = call.source?.[0];
    return html`<li class="tool ${call.running ? "running" : failed ? "failed" : "done"}">
      <details><summary>
        <span class="dot" aria-hidden="true"></span><span class="name">${call.label || words(call.name)}</span>
        <span class="muted">${call.running ? "running" : failed ? call.error?.message ?? "refused" : from ? clock(from.as_of) : ""}</span>
      </summary>
      <p>${failed ? html`${call.error?.message ?? call.digest}. ${call.error?.hint ?? ""}` : call.digest ?? "Waiting for the result."}</p>
      ${(call.source ?? []).map((one) => html`<p class="muted">${one.provenance} · ${one.provider} ${one.dataset}
        ${one.symbol ?? ""} · as of ${stamp(one.as_of)}</p>`)}
      ${call.ref ? html`<p class="muted">Ref <code>${call.ref}</code></p>` : nothing}</details>
      ${from ? html`<cornerman-source .provenance=${from.provenance} .provider=${from.provider} .set=${from.dataset}
        .asof=${from.as_of} .ref=${call.ref ?? ""}></cornerman-source>` : nothing}
    </li>`;
  }
}

/** Whether a call composed a plan that has a card.
 * @param {import("./wire.js").ToolCall} call */
function isPlan(call) {
  return call.ok === true && call.name === "plan" && !!call.ref?.startsWith("plan_");
}

customElements.define("cornerman-coach", CornermanCoach);
