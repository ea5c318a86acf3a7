// @ts-check
// Owns the element `cornerman-market`: the session, the market's time, and the replay controls.
import { html, nothing } from "./vendor/lit.js";
import { ApiError } from "./api.js";
import { Live } from "./element.js";
import { clock, day } from "./format.js";
import { moveClock } from "./refresh.js";
import { state } from "./state.js";

const STEPS = [["1 min", 60], ["5 min", 300], ["1 hour", 3600]];
const SPEEDS = [1, 10, 60, 300];
/** @type {Record<string, string>} */
const NAMES = { open: "Market open", closed: "Market closed", pre: "Before the open", post: "After the close" };

class CornermanMarket extends Live {
  static uses = ["status", "replay"];
  static properties = { problem: { state: true } };

  constructor() {
    super();
    this.problem = "";
  }

  /** @param {{action: string, seconds?: number, speed?: number}} wanted */
  async #move(wanted) {
    try {
      await moveClock(wanted);
      this.problem = "";
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.problem = `${error.message}. ${error.hint}`;
    }
  }

  render() {
    const { status } = state;
    if (!status) {
      return html`<section class="market" aria-label="Market"><span class="muted small">No market time yet</span></section>`;
    }
    return html`<section class="market" aria-label="Market">
      <span class="state ${status.state}"><span class="dot" aria-hidden="true"></span>${NAMES[status.state] ?? status.state}</span>
      <span class="num time"><b>${clock(status.as_of)}</b> <span class="muted">${day(status.as_of)}</span></span>
      <cornerman-source .provenance=${status.provenance} .provider=${status.source} set="market clock" .asof=${status.as_of}></cornerman-source>
      ${state.replay ? this.#controls(state.replay) : nothing}
      ${this.problem ? html`<span class="problem" role="alert">${this.problem}</span>` : nothing}
    </section>`;
  }

  /** @param {import("./wire.js").ReplayClock} replay */
  #controls(replay) {
    const speeds = SPEEDS.includes(replay.speed) ? SPEEDS : [...SPEEDS, replay.speed].sort((a, b) => a - b);
    return html`<span class="replay" role="group" aria-label="Replay clock">
      <button class="small" aria-pressed=${replay.paused} @click=${() => this.#move({ action: replay.paused ? "resume" : "pause" })}>
        ${replay.paused ? "Run" : "Pause"}</button>
      ${STEPS.map(([name, seconds]) => html`<button class="small" aria-label=${`Step ${name}`}
        @click=${() => this.#move({ action: "step", seconds: Number(seconds) })}>+${name}</button>`)}
      <label class="small"><span class="sr">Speed</span><select @change=${(/** @type {any} */ event) =>
        this.#move({ action: "speed", speed: Number(event.target.value) })}>
        ${speeds.map((speed) => html`<option value=${speed} ?selected=${speed === replay.speed}>${speed}×</option>`)}</select></label>
    </span>`;
  }
}

customElements.define("cornerman-market", CornermanMarket);
