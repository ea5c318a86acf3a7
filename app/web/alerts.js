// @ts-check
// Owns the element `cornerman-alerts`: alerts made from words, confirmed in canonical words, and their list.
import { html, nothing, repeat } from "./vendor/lit.js";
import { ApiError, get, newKey, patch, post, remove } from "./api.js";
import { Live } from "./element.js";
import { decimal, local, stamp, words } from "./format.js";
import { badge } from "./label.js";
import { loadAlerts } from "./lists.js";
import { refused, sentence, trouble, waiting } from "./panel.js";
import { ticker } from "./plans.js";
import { state } from "./state.js";

/** @typedef {import("./wire.js").Alert} Alert */
/** @type {Record<string, string>} */
const STATES = {
  armed: "watching", waiting_reset: "beyond the level already, waits for the price to come back",
  fired_wait: "fired, waits for the price to come back", done: "fired", expired: "expired", paused: "paused",
};
/** @type {Record<string, string>} */
const FLAGS = { ALREADY_BEYOND: "The price is beyond that level already: it must come back first.",
  DUPLICATE: "You have this alert already: nothing new is made." };
/** Kinds that watch a plan or the risk: they have no level to change. */
const BY_SUBJECT = new Set(["plan_event", "risk"]);
const ENDED = new Set(["done", "expired"]);
const TEXT_MAX = 300;
const PLANS_MAX = 5;

class CornermanAlerts extends Live {
  static uses = ["alerts", "alertsProblem"];
  static properties = { rule: { state: true }, problem: { state: true }, busy: { state: true }, said: { state: true },
    editing: { state: true }, leaving: { state: true }, opened: { state: true }, plans: { state: true } };
  #text = "";
  #key = "";
  #far = false;
  /** @type {Map<string, import("./wire.js").Trigger[]>} */ #history = new Map();

  constructor() {
    super();
    /** @type {import("./wire.js").Rule | null} */ this.rule = null;
    /** @type {ApiError | null} */ this.problem = null;
    this.busy = false;
    this.said = "";
    this.editing = "";
    this.leaving = "";
    this.opened = "";
    /** @type {import("./ideas.js").PlanLine[] | null} */ this.plans = null;
  }

  /** Runs one act of the person; a refusal is shown and nothing is lost.
   * @param {() => Promise<unknown>} act @param {string} [said] */
  async #do(act, said = "") {
    this.busy = true;
    this.problem = null;
    try {
      await act();
      this.said = said;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.problem = error;
    }
    this.busy = false;
  }

  /** @param {string} where */
  #focus(where) {
    void this.updateComplete.then(() => /** @type {HTMLElement | null} */ (this.querySelector(where))?.focus());
  }

  /** Asks what the words mean; nothing is saved.
   * @param {SubmitEvent} event */
  async #check(event) {
    event.preventDefault();
    this.#text = String(new FormData(/** @type {HTMLFormElement} */ (event.target)).get("text")).trim();
    if (this.#text) await this.#understand(false);
  }

  /** @param {boolean} far true when the person means a level far from the price */
  async #understand(far) {
    this.#far = far;
    this.#key = newKey();
    await this.#do(async () => { this.rule = await post("alerts/rules", { text: this.#text, dry_run: true, confirm_far: far }, ""); });
    this.#focus(this.rule ? "[data-act=save]" : "[data-act=far]");
  }

  async #save() {
    await this.#do(async () => {
      await post("alerts/rules", { text: this.#text, dry_run: false, confirm_far: this.#far }, this.#key);
      this.rule = null;
      await loadAlerts();
    }, "Alert saved");
    if (this.problem) return;
    const box = /** @type {HTMLInputElement | null} */ (this.querySelector("#alert-words"));
    if (box) box.value = "";
    this.#focus("#alert-words");
  }

  /** @param {Alert} alert @param {Record<string, unknown>} body @param {string} said */
  #change(alert, body, said) {
    return this.#do(async () => { await patch(`alerts/${alert.id}`, body); this.editing = ""; await loadAlerts(); }, said);
  }

  /** @param {Alert} alert */
  async #drop(alert) {
    await this.#do(async () => { await remove(`alerts/${alert.id}`); this.leaving = ""; await loadAlerts(); }, "Alert deleted");
    this.#focus("#alert-words");
  }

  /** @param {Alert} alert @param {boolean} open */
  async #look(alert, open) {
    if (!open) return;
    this.opened = alert.id;
    await this.#do(async () => {
      const answer = /** @type {{items: import("./wire.js").Trigger[]}} */ (await get(`alerts/${alert.id}/triggers`));
      this.#history.set(alert.id, answer.items);
      this.requestUpdate();
    });
  }

  render() {
    return html`<section aria-label="Alerts"><h3>Alerts</h3>
      ${state.alertsProblem && !state.alerts ? trouble(state.alertsProblem, "Alerts", loadAlerts)
        : !state.alerts ? waiting("Alerts") : html`${this.#form()}${this.#lists(state.alerts)}`}</section>`;
  }

  #form() {
    return html`<form class="entry" @submit=${this.#check}>
        <label class="sr" for="alert-words">Alert in your own words</label>
        <input id="alert-words" name="text" maxlength=${TEXT_MAX} autocomplete="off" spellcheck="false" required
          placeholder="AAPL > 200, or: MSFT falls 2% below VWAP, or: my risk is at warn" @input=${() => { this.rule = null; }}>
        <button ?disabled=${this.busy}>Check</button></form>
      ${this.rule ? html`<div class="understood" role="group" aria-label="What was understood"><p>I understood: <b>${sentence(this.rule.canonical)}</b></p>
        ${this.rule.flags.map((one) => html`<p class="warn">${FLAGS[one] ?? sentence(words(one))}</p>`)}
        <div class="actions"><button class="primary" data-act="save" ?disabled=${this.busy} @click=${() => this.#save()}>Save alert</button>
          <button @click=${() => { this.rule = null; this.#focus("#alert-words"); }}>Change the words</button></div></div>` : nothing}
      ${refused(this.problem)}${this.problem?.code === "ALERT_LEVEL_FAR" && !this.editing ? html`<div class="actions">
        <button class="small" data-act="far" @click=${() => this.#understand(true)}>I mean that level</button></div>` : nothing}
      ${this.#planned()}
      <p class="sr" role="status">${this.rule ? `Understood: ${this.rule.canonical}. Save it, or change the words.` : this.said}</p>`;
  }

  /** The newest stored plans, each with a button that watches all its moments. */
  #planned() {
    const watched = new Set((state.alerts ?? []).filter((one) => one.kind === "plan_event" && !ENDED.has(one.state)).map((one) => one.subject));
    return html`<details class="plans-to-watch" @toggle=${(/** @type {any} */ event) => this.#readPlans(event.target.open)}><summary>Watch a plan</summary>
      ${!this.plans ? waiting("Plans") : !this.plans.length ? html`<p class="none">No plan is stored yet. Ask the coach for one: plan ${state.symbol}.</p>`
        : html`<ul class="plain">${this.plans.map((one) => html`<li><span>${ticker(one)} ${one.side}, entry ${decimal(one.entry, 2, 4)}, stop ${decimal(one.stop, 2, 4)} <small class="muted">${one.id}</small></span>
          ${watched.has(one.id) ? html`<span class="chip armed">watching</span>` : html`<button class="small" ?disabled=${this.busy}
            aria-label=${`Watch the plan ${one.id} of ${ticker(one)}`} @click=${() => this.#watchPlan(one.id)}>Watch</button>`}</li>`)}</ul>`}</details>`;
  }

  /** @param {boolean} open */
  async #readPlans(open) {
    if (!open) return;
    await this.#do(async () => {
      this.plans = /** @type {{items: import("./ideas.js").PlanLine[]}} */ (await get(`plans?limit=${PLANS_MAX}`)).items;
    });
  }

  /** @param {string} id */
  #watchPlan(id) {
    return this.#do(async () => {
      await post("alerts", { kind: "plan_event", plan_id: id }, newKey());
      await loadAlerts();
    }, "The plan is watched");
  }

  /** @param {Alert[]} alerts */
  #lists(alerts) {
    const now = alerts.filter((one) => !ENDED.has(one.state));
    const ended = alerts.filter((one) => ENDED.has(one.state));
    return html`${now.length ? html`<ul class="rows">${repeat(now, (one) => one.id, (one) => this.#row(one))}</ul>`
        : html`<p class="none">No alert is watching. Say when you want to hear something, in the line above.</p>`}
      ${ended.length ? html`<details class="ended-alerts"><summary>Fired and expired (${ended.length})</summary>
        <ul class="rows">${repeat(ended, (one) => one.id, (one) => this.#row(one))}</ul></details>` : nothing}`;
  }

  /** @param {Alert} alert */
  #row(alert) {
    const name = alert.text || `${alert.symbol} ${words(alert.kind)} ${decimal(alert.level)}`;
    return html`<li data-alert=${alert.id}><p><b>${name}</b> <cornerman-source .provenance=${alert.provenance} .provider=${alert.source}
        set="bars it is watched on" .asof=${alert.as_of}></cornerman-source></p>
      <p class="chips"><span class="chip ${alert.state}">${STATES[alert.state] ?? words(alert.state)}</span>
        ${alert.repeat ? html`<span class="chip">repeats</span>` : nothing}
        ${alert.flags.filter((flag) => flag !== "ALREADY_BEYOND").map((flag) => html`<span class="chip">${words(flag)}</span>`)}</p>
      ${alert.note ? html`<p class="muted">${alert.note} <small>(${alert.note_why})</small></p>` : nothing}
      ${this.editing === alert.id ? this.#editor(alert) : this.leaving === alert.id ? this.#leave(alert, name) : this.#buttons(alert, name)}
      ${alert.triggers ? this.#triggers(alert) : nothing}</li>`;
  }

  /** @param {Alert} alert @param {string} name */
  #buttons(alert, name) {
    const paused = alert.state === "paused";
    return html`<div class="actions">
      ${ENDED.has(alert.state) ? nothing : html`<button class="small" ?disabled=${this.busy} aria-label=${`${paused ? "Watch again" : "Pause alert"}: ${name}`}
        @click=${() => this.#change(alert, { paused: !paused }, paused ? "Watching again" : "Alert paused")}>${paused ? "Watch again" : "Pause"}</button>
      ${alert.level && !BY_SUBJECT.has(alert.kind) ? html`<button class="small" aria-label=${`Change the level of: ${name}`} @click=${() => { this.editing = alert.id; this.#focus("[name=level]"); }}>Change level</button>` : nothing}`}
      <button class="small quiet" aria-label=${`Delete alert: ${name}`} @click=${() => { this.leaving = alert.id; this.#focus("[data-act=delete]"); }}>Delete</button></div>`;
  }

  /** @param {Alert} alert */
  #editor(alert) {
    const send = (/** @type {SubmitEvent} */ event) => {
      event.preventDefault();
      const level = String(new FormData(/** @type {HTMLFormElement} */ (event.target)).get("level")).trim();
      void this.#change(alert, { level }, "Level changed");
    };
    return html`<form class="actions" @submit=${send} @keydown=${(/** @type {KeyboardEvent} */ event) => { if (event.key === "Escape") this.editing = ""; }}>
      <label>New level <input name="level" inputmode="decimal" required pattern="[0-9]{1,12}(\\.[0-9]{1,8})?" .value=${alert.level ?? ""}></label>
      <button class="small primary" ?disabled=${this.busy}>Save level</button>
      <button class="small" type="button" @click=${() => { this.editing = ""; }}>Back</button></form>`;
  }

  /** @param {Alert} alert @param {string} name */
  #leave(alert, name) {
    return html`<div class="actions" role="group" aria-label=${`Delete: ${name}`}><span>Delete it for good?</span>
      <button class="small danger" data-act="delete" ?disabled=${this.busy} @click=${() => this.#drop(alert)}>Delete alert</button>
      <button class="small" @click=${() => { this.leaving = ""; }}>Keep it</button></div>`;
  }

  /** @param {Alert} alert */
  #triggers(alert) {
    const found = this.#history.get(alert.id);
    return html`<details class="history" @toggle=${(/** @type {any} */ event) => this.#look(alert, event.target.open)}>
      <summary>Fired ${alert.triggers} ${alert.triggers === 1 ? "time" : "times"}${alert.last_event_at ? `, last ${stamp(alert.last_event_at)}` : ""}</summary>
      ${!found ? waiting("History") : html`<ol class="plain">${found.map((one) => html`<li title=${`your clock ${local(one.at)}`}>${stamp(one.at)} ${one.what ? html`<b>${words(one.what)}</b> ` : nothing}${alert.kind === "risk" ? nothing : html`at <b class="num">${decimal(one.price, 2, 4)}</b> `}${badge(one.provenance)}
        ${one.gap ? html`<span class="chip">gap</span>` : nothing}${one.provisional ? html`<span class="chip">provisional</span>` : nothing}
        ${one.late_s ? html`<span class="chip">told ${one.late_s} s late</span>` : nothing}</li>`)}</ol>`}</details>`;
  }
}

customElements.define("cornerman-alerts", CornermanAlerts);
