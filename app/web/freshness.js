// @ts-check
// Owns how old a price is and how that is said: a colour, and always the words beside it.
import { html, nothing } from "./vendor/lit.js";
import { Live } from "./element.js";
import { span } from "./format.js";
import { state } from "./state.js";

/** The gate's own bounds: older than 15 s is a warning, older than 60 s is critical. */
const WARN_S = 15;
const OLD_S = 60;
const DELAY_S = 900;
const TICK_MS = 1000;
/** @typedef {{level: "green" | "amber" | "red" | "off", text: string}} Freshness */

/** Returns the feed's own time now, carried on from its last answer, and how fast it runs. */
export function marketNow() {
  const { status, replay, statusAt } = state;
  if (!status) return null;
  const speed = replay ? (replay.paused ? 0 : replay.speed) : 1;
  return { at_ms: Date.parse(status.as_of) + (Date.now() - statusAt) * speed, speed };
}

/** Returns the age of an instant in seconds of the reader's waiting, null without a market time.
 * A replay that runs 60 times as fast ages by the reader's clock, not by the market's.
 * @param {string} ts */
export function ageOf(ts) {
  const now = marketNow();
  if (!now || !ts) return null;
  return Math.max(0, now.at_ms - Date.parse(ts)) / 1000 / Math.max(1, now.speed);
}

/** @param {string} ts @param {string} provenance @returns {Freshness} */
export function freshness(ts, provenance) {
  const age = ageOf(ts);
  if (age === null) return { level: "off", text: "age unknown" };
  if (state.status?.state !== "open") return { level: "off", text: "market closed" };
  if (provenance === "EOD" || provenance === "SNAPSHOT") return { level: "amber", text: `stored, ${span(age)} old` };
  const late = provenance === "DELAYED" ? age - DELAY_S : age;
  if (late > OLD_S) return { level: "red", text: `old, ${span(age)}` };
  if (late > WARN_S) return { level: "amber", text: `ageing, ${span(age)}` };
  return provenance === "DELAYED" ? { level: "amber", text: `delayed, ${span(age)}` } : { level: "green", text: `fresh, ${span(age)}` };
}

/** Says that a symbol's data is frozen, where it is.
 * @param {string} symbol */
export function frozenMark(symbol) {
  return (state.freezes ?? []).some((one) => one.subject === symbol)
    ? html`<span class="level red frozen-mark"><span class="dot" aria-hidden="true"></span>frozen</span>` : nothing;
}

class CornermanAge extends Live {
  static uses = ["status", "replay"];
  static properties = { ts: {}, provenance: {} };
  #tick = 0;

  constructor() {
    super();
    /** @type {string} */ this.ts = "";
    /** @type {string} */ this.provenance = "";
  }

  connectedCallback() {
    super.connectedCallback();
    this.#tick = window.setInterval(() => !document.hidden && this.requestUpdate(), TICK_MS);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    clearInterval(this.#tick);
  }

  render() {
    const { level, text } = freshness(this.ts, this.provenance);
    return html`<span class="level ${level}"><span class="dot" aria-hidden="true"></span>${text}</span>`;
  }
}

customElements.define("cornerman-age", CornermanAge);
