// @ts-check
// Owns what the page knows: one observable record that every element reads and nothing else writes.

/** @typedef {{
 *   session: import("./wire.js").Session | null, problem: import("./api.js").ApiError | null,
 *   config: import("./wire.js").Config | null, status: import("./wire.js").MarketStatus | null,
 *   replay: import("./wire.js").ReplayClock | null, instruments: import("./wire.js").Instrument[],
 *   symbol: string, timeframe: string, quote: import("./wire.js").Quote | null,
 *   quoteProblem: import("./api.js").ApiError | null, history: import("./wire.js").History | null,
 *   historyProblem: import("./api.js").ApiError | null,
 *   portfolio: import("./wire.js").Portfolio | null, orders: import("./wire.js").Order[] | null,
 *   fills: import("./wire.js").Fill[], pending: string[], activity: import("./wire.js").Activity[],
 *   plan: import("./wire.js").Plan | null, terms: import("./wire.js").Terms | null,
 *   halt: import("./wire.js").Switch | null, conversation: string,
 *   deskLine: string, chatLine: string, checkedAt: number, offline: boolean,
 *   watchlists: import("./wire.js").Watchlist[] | null, watchlistsProblem: import("./api.js").ApiError | null,
 *   prices: Record<string, import("./wire.js").Price>, missing: Record<string, string>,
 *   alerts: import("./wire.js").Alert[] | null, alertsProblem: import("./api.js").ApiError | null,
 *   notices: import("./wire.js").Notices | null, noticesProblem: import("./api.js").ApiError | null,
 *   freezes: import("./wire.js").Freeze[] | null, freezesProblem: import("./api.js").ApiError | null,
 *   risk: import("./wire.js").Risk | null, riskProblem: import("./api.js").ApiError | null,
 *   health: import("./wire.js").Health[] | null, healthProblem: import("./api.js").ApiError | null,
 *   socket: {phase: "connecting" | "live" | "polling", why: string, ping_ms: number | null, reconnects: number},
 *   answer_ms: number | null, statusAt: number, draft: string, view: "Trade" | "Ideas" | "Watch" | "Data",
 * }} State */

/** @type {State} */
export const state = {
  session: null, problem: null, config: null, status: null, replay: null, instruments: [],
  symbol: "AAPL", timeframe: "1d", quote: null, quoteProblem: null, history: null,
  historyProblem: null, portfolio: null, orders: null, fills: [], pending: [], activity: [],
  plan: null, terms: null, halt: null, conversation: "", deskLine: "connecting", chatLine: "connecting",
  checkedAt: 0, offline: false,
  watchlists: null, watchlistsProblem: null, prices: {}, missing: {}, alerts: null, alertsProblem: null,
  notices: null, noticesProblem: null, freezes: null, freezesProblem: null, risk: null, riskProblem: null, health: null, healthProblem: null,
  socket: { phase: "connecting", why: "", ping_ms: null, reconnects: 0 },
  answer_ms: null, statusAt: 0, draft: "", view: "Trade",
};

const ACTIVITY_MAX = 100;
/** @type {Set<(changed: Set<string>) => void>} */
const readers = new Set();

/** Takes new values and tells the readers which names changed.
 * @param {Partial<State>} patch */
export function update(patch) {
  Object.assign(state, patch);
  const changed = new Set(Object.keys(patch));
  for (const reader of readers) reader(changed);
}

/** @param {(changed: Set<string>) => void} reader @returns {() => void} */
export function listen(reader) {
  readers.add(reader);
  return () => readers.delete(reader);
}

/** Adds a line to the activity feed, newest first.
 * @param {string} text @param {string} [tone] @param {string} [at] */
export function note(text, tone = "plain", at = new Date().toISOString()) {
  update({ activity: [{ at, text, tone }, ...state.activity].slice(0, ACTIVITY_MAX) });
}

/** Puts a text into the composer; the person reads it, changes it, and sends it or not.
 * @param {string} text */
export function suggest(text) {
  update({ draft: text });
}
