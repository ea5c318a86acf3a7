// @ts-check
// Owns the element `cornerman-watchlist`: the watched symbols with live prices, their age and label.
import { html, nothing, repeat } from "./vendor/lit.js";
import { ApiError, patch, post, remove } from "./api.js";
import { Live } from "./element.js";
import { decimal, percent, tone } from "./format.js";
import { frozenMark } from "./freshness.js";
import { loadWatchlists } from "./lists.js";
import { refused, trouble, waiting } from "./panel.js";
import { showSymbol } from "./refresh.js";
import { state, update } from "./state.js";

const FIRST = "Watchlist";

class CornermanWatchlist extends Live {
  static uses = ["watchlists", "watchlistsProblem", "prices", "missing", "freezes", "instruments", "symbol"];
  static properties = { chosen: { state: true }, problem: { state: true }, busy: { state: true }, said: { state: true } };

  constructor() {
    super();
    this.chosen = "";
    /** @type {ApiError | null} */ this.problem = null;
    this.busy = false;
    this.said = "";
  }

  #list() {
    return state.watchlists?.find((one) => one.id === this.chosen) ?? state.watchlists?.[0] ?? null;
  }

  /** @param {string[]} symbols @param {string} said */
  #save(symbols, said) {
    const list = this.#list();
    return this.#change(() => list ? patch(`watchlists/${list.id}`, { symbols }) : post("watchlists", { name: FIRST, symbols }), said);
  }

  /** Changes the lists by one request; answers whether it was accepted.
   * @param {() => Promise<any>} act @param {string} said */
  async #change(act, said) {
    this.busy = true;
    this.problem = null;
    try {
      const made = await act();
      if (made?.id) this.chosen = made.id;
      this.said = said;
      await loadWatchlists();
      return true;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.problem = error;
      return false;
    } finally {
      this.busy = false;
    }
  }

  /** @param {SubmitEvent} event */
  async #add(event) {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.target);
    const symbol = String(new FormData(form).get("symbol")).trim().toUpperCase();
    const held = this.#list()?.symbols ?? [];
    if (!symbol) return;
    if (held.includes(symbol)) { this.said = `${symbol} is on the list already`; form.reset(); return; }
    if (await this.#save([...held, symbol], `${symbol} added`)) form.reset();
  }

  /** @param {string} symbol */
  async #drop(symbol) {
    const held = this.#list()?.symbols ?? [];
    if (!await this.#save(held.filter((one) => one !== symbol), `${symbol} removed`)) return;
    await this.updateComplete;
    /** @type {HTMLElement | null} */ (this.querySelector("tbody button[data-act=remove]") ?? this.querySelector("input"))?.focus();
  }

  /** Renames the shown list or begins another one, by the button that was pressed.
   * @param {SubmitEvent} event */
  async #name(event) {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.target), list = this.#list();
    const name = String(new FormData(form).get("name")).trim();
    const fresh = !list || /** @type {HTMLButtonElement | null} */ (event.submitter)?.value === "new";
    if (!name) return;
    const done = fresh ? await this.#change(() => post("watchlists", { name, symbols: [] }), `List ${name} begun`)
      : await this.#change(() => patch(`watchlists/${list.id}`, { name }), `List renamed to ${name}`);
    if (done) this.#closeMenu(form);
  }

  /** @param {Element} inside */
  #closeMenu(inside) {
    const menu = inside.closest("details");
    if (!menu) return;
    menu.querySelector("form")?.reset();
    menu.open = false;
    menu.querySelector("summary")?.focus();
  }

  /** @param {MouseEvent} event */
  async #delete(event) {
    const list = this.#list(), button = /** @type {Element} */ (event.target);
    if (!list) return;
    this.chosen = "";
    if (await this.#change(() => remove(`watchlists/${list.id}`), `List ${list.name} deleted`)) this.#closeMenu(button);
  }

  /** @param {string} symbol */
  #show(symbol) {
    update({ view: "Trade" });
    void showSymbol(symbol);
    document.getElementById("room-Trade")?.focus();
  }

  render() {
    const list = this.#list();
    return html`<section aria-label="Watchlist"><div class="head"><h3>Watchlist</h3>
        ${(state.watchlists?.length ?? 0) > 1 ? html`<select aria-label="Which watchlist" @change=${(/** @type {any} */ event) => { this.chosen = event.target.value; }}>
          ${state.watchlists?.map((one) => html`<option value=${one.id} ?selected=${one.id === list?.id}>${one.name}</option>`)}</select>` : nothing}
        ${list ? this.#menu(list) : nothing}</div>
      ${state.watchlistsProblem && !state.watchlists ? trouble(state.watchlistsProblem, "Watchlists", loadWatchlists)
        : !state.watchlists ? waiting("Watchlist") : html`${this.#form()}${list?.symbols.length ? this.#table(list.symbols)
          : html`<p class="none">Nothing watched yet. Add a symbol and its price appears here, live.</p>`}`}
    </section>`;
  }

  /** @param {import("./wire.js").Watchlist} list */
  #menu(list) {
    return html`<details class="lists-menu"><summary>Lists</summary><form class="entry" @submit=${this.#name}>
        <label class="sr" for="list-name">Name of a list</label>
        <input id="list-name" name="name" maxlength="40" autocomplete="off" placeholder=${`A name, now ${list.name}`} required>
        <button class="small" value="rename" ?disabled=${this.busy}>Rename</button>
        <button class="small" value="new" ?disabled=${this.busy}>New list</button>
        ${(state.watchlists?.length ?? 0) > 1 ? html`<button type="button" class="small" ?disabled=${this.busy} @click=${this.#delete}>Delete ${list.name}</button>` : nothing}
      </form></details>`;
  }

  #form() {
    return html`<form class="entry" @submit=${this.#add}>
        <label class="sr" for="watch-symbol">Symbol to watch</label>
        <input id="watch-symbol" name="symbol" list="watch-known" maxlength="15" autocomplete="off" autocapitalize="characters"
          spellcheck="false" placeholder="Symbol, such as MSFT" required>
        <datalist id="watch-known">${state.instruments.map((one) => html`<option value=${one.symbol}>${one.name}</option>`)}</datalist>
        <button ?disabled=${this.busy}>Add</button></form>
      ${refused(this.problem)}<p class="sr" role="status">${this.said}</p>`;
  }

  /** @param {string[]} symbols */
  #table(symbols) {
    return html`<div class="wide" tabindex="0" role="region" aria-label="Watchlist table"><table class="watch">
      <thead><tr><th scope="col">Symbol</th><th scope="col" class="number">Last</th><th scope="col" class="number">Change</th>
        <th scope="col" class="number side-price">Bid</th><th scope="col" class="number side-price">Ask</th><th scope="col">Age and source</th>
        <th scope="col"><span class="sr">Remove</span></th></tr></thead>
      <tbody>${repeat(symbols, (one) => one, (one) => this.#row(one, state.prices[one]))}</tbody></table></div>`;
  }

  /** @param {string} symbol @param {import("./wire.js").Price | undefined} price */
  #row(symbol, price) {
    return html`<tr data-symbol=${symbol}><th scope="row"><button class="link" aria-label=${`Show ${symbol} on the chart`} @click=${() => this.#show(symbol)}>${symbol}</button></th>
      ${price ? this.#figures(price) : html`<td colspan="5">${state.missing[symbol]
        ? html`<span class="level red"><span class="dot" aria-hidden="true"></span>no price</span><small class="why">${state.missing[symbol]}</small>`
        : html`<span class="muted">waiting for a price</span>`}</td>`}
      <td class="number"><button class="quiet small" data-act="remove" ?disabled=${this.busy} title="Remove" aria-label=${`Remove ${symbol} from the watchlist`}
        @click=${() => this.#drop(symbol)}>×</button></td></tr>`;
  }

  /** @param {import("./wire.js").Price} price */
  #figures(price) {
    return html`<td class="number last">${decimal(price.last)}</td>
      <td class="number ${tone(price.change_pct)}">${price.change_pct ? percent(price.change_pct) : "–"}</td>
      <td class="number side-price">${decimal(price.bid)}</td><td class="number side-price">${decimal(price.ask)}</td>
      <td><div class="origin">${frozenMark(price.symbol)}<cornerman-age .ts=${price.ts} .provenance=${price.provenance}></cornerman-age>
        <cornerman-source .provenance=${price.provenance} .provider=${price.source} set="prices" .asof=${price.ts}></cornerman-source></div></td>`;
  }
}

customElements.define("cornerman-watchlist", CornermanWatchlist);
