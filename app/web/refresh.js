// @ts-check
// Owns the fetching of what the desk shows: at start, on a steady beat while visible, and on events.
import { ApiError, get, post } from "./api.js";
import { see } from "./cards.js";
import { state, update } from "./state.js";

const QUOTE_MS = 2000;
const PUSHED_MS = 5000;
const STATUS_MS = 3000;
const BOOK_MS = 6000;
const BARS_MS = 6000;
const CONFIG_MS = 20_000;
/** By then a fresh server has asked its providers whether the keys work. */
const PROBED_MS = 2500;
const BARS = 240;
const SLOWER = 5;
/** @typedef {import("./wire.js").History} History */

/** Loads everything once and keeps it fresh. */
export async function begin() {
  await Promise.all([loadConfig(), loadStatus(), loadHalt(), loadInstruments()]);
  await Promise.all([loadQuote(), loadBars(), loadBook(), loadPending()]);
  beat(async () => { if (!pushed()) await loadQuote(); }, QUOTE_MS);
  beat(loadStatus, STATUS_MS);
  beat(loadPortfolio, BOOK_MS);
  beat(loadBars, BARS_MS);
  beat(loadConfig, CONFIG_MS);
  setTimeout(loadConfig, PROBED_MS);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) void Promise.all([loadStatus(), loadQuote(), loadBars(), loadBook()]);
  });
}

/** Whether the shown symbol's price came by the live line just now, so that nobody needs to ask. */
function pushed() {
  const heard_ms = state.socket.phase === "live" && state.quote ? state.prices[state.symbol]?.heard_ms ?? 0 : 0;
  return Date.now() - heard_ms < PUSHED_MS;
}

/** Runs a load on a steady beat while the page is visible, slower while the server is lost.
 * @param {() => Promise<void>} load @param {number} every_ms */
export function beat(load, every_ms) {
  const turn = async () => {
    if (!document.hidden) await load();
    setTimeout(turn, state.offline ? every_ms * SLOWER : every_ms);
  };
  setTimeout(turn, every_ms);
}

/** Runs one fetch; a lost server marks the page offline, an answer of any kind clears it.
 * @template T @param {string} path @returns {Promise<T | ApiError>} */
export async function ask(path) {
  const asked = performance.now();
  try {
    const answer = /** @type {T} */ (await get(path));
    update({ offline: false, checkedAt: Date.now(), answer_ms: smoothed(performance.now() - asked) });
    return answer;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    update(error.status === 401 ? { problem: error } : { offline: error.status === 0 });
    return error;
  }
}

/** Returns the round trip as a slow average, so that one slow answer does not alarm.
 * @param {number} ms */
function smoothed(ms) {
  return Math.round(state.answer_ms === null ? ms : state.answer_ms * 0.8 + ms * 0.2);
}

export async function loadConfig() {
  const answer = await ask("diag/config");
  if (!(answer instanceof ApiError)) update({ config: answer });
}

async function loadInstruments() {
  const answer = await ask("symbols");
  if (answer instanceof ApiError) return;
  const instruments = /** @type {{items: import("./wire.js").Instrument[]}} */ (answer).items;
  const known = instruments.some((one) => one.symbol === state.symbol);
  update({ instruments, symbol: known || !instruments.length ? state.symbol : instruments[0].symbol });
}

export async function loadStatus() {
  const [status, replay] = await Promise.all([ask("market/status"), loadReplay()]);
  if (status instanceof ApiError) {
    if (status.status) update({ status: null, replay: null });
    return;
  }
  update({ status, replay, statusAt: Date.now() });
}

async function loadReplay() {
  if (state.config && state.config.feed.provenance !== "REPLAY" && !state.replay) return null;
  const answer = await ask("market/replay");
  return answer instanceof ApiError ? null : /** @type {import("./wire.js").ReplayClock} */ (answer);
}

/** Moves the replay clock. Raises `ApiError`.
 * @param {{action: string, seconds?: number, speed?: number}} wanted */
export async function moveClock(wanted) {
  update({ replay: await post("market/replay", wanted) });
  await Promise.all([loadStatus(), loadQuote(), loadBars(), loadBook()]);
}

export async function loadHalt() {
  const answer = await ask("halt");
  if (!(answer instanceof ApiError)) update({ halt: answer });
}

export async function loadQuote() {
  const symbol = state.symbol;
  const answer = await ask(`symbols/${encodeURIComponent(symbol)}/price`);
  if (symbol !== state.symbol) return;
  if (answer instanceof ApiError) update({ quoteProblem: answer });
  else update({ quote: answer, quoteProblem: null });
}

export async function loadBars() {
  const { symbol, timeframe } = state;
  const query = `timeframe=${timeframe}&count=${BARS}&include_partial=true`;
  const answer = await ask(`symbols/${encodeURIComponent(symbol)}/history?${query}`);
  if (symbol !== state.symbol || timeframe !== state.timeframe) return;
  if (answer instanceof ApiError) update({ historyProblem: answer });
  else update({ history: /** @type {History} */ (answer), historyProblem: null });
}

/** @param {string} symbol */
export async function showSymbol(symbol) {
  if (symbol === state.symbol) return;
  update({ symbol, quote: null, history: null, quoteProblem: null, historyProblem: null });
  await Promise.all([loadQuote(), loadBars()]);
}

/** @param {string} timeframe */
export async function showTimeframe(timeframe) {
  update({ timeframe, history: null, historyProblem: null });
  await loadBars();
}

/** Shows a stored plan's levels on the chart, and its symbol; an empty ref shows none.
 * @param {string} ref */
export async function showPlan(ref) {
  const answer = ref ? await ask(`plans/${encodeURIComponent(ref)}`) : null;
  if (answer instanceof ApiError) return;
  const plan = /** @type {import("./wire.js").Plan | null} */ (answer && "schema" in answer ? levelsOf(answer) : answer);
  update({ plan: plan?.errors.length ? null : plan });
  if (state.plan) await showSymbol(state.plan.symbol);
}

/** Returns the levels of a composed plan in the form of a checked one.
 * @param {import("./ideas.js").ComposedPlan} plan @returns {import("./wire.js").Plan} */
function levelsOf(plan) {
  const { ref, side, as_of, provenance, source } = plan;
  return { ref, side, as_of, provenance, source, symbol: plan.symbol.split(":").at(-1) ?? plan.symbol, entry: plan.entry.worst,
    stop: plan.stop.price, targets: plan.targets.map((one) => one.price), errors: [] };
}

export async function loadPortfolio() {
  const answer = await ask("portfolio");
  if (!(answer instanceof ApiError)) update({ portfolio: answer });
}

export async function loadOrders() {
  const [orders, fills] = await Promise.all([ask("broker/orders?limit=50"), ask("broker/fills?limit=100")]);
  if (!(orders instanceof ApiError)) update({ orders: orders.items });
  if (!(fills instanceof ApiError)) update({ fills: fills.items });
}

export async function loadBook() {
  await Promise.all([loadPortfolio(), loadOrders()]);
}

export async function loadPending() {
  const answer = await ask("proposals?status=pending");
  if (answer instanceof ApiError) return;
  const items = /** @type {{items: import("./wire.js").Proposal[]}} */ (answer).items;
  items.forEach((one) => see(one.id));
  update({ pending: items.map((one) => one.id), terms: items[0]?.order ?? null });
}
