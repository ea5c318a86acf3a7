// @ts-check
// Owns the fetching of what is watched: watchlists, alerts, notifications, freezes, the data's health.
import { ApiError, post } from "./api.js";
import { ask, beat } from "./refresh.js";
import { state, update } from "./state.js";

const LISTS_MS = 30_000;
const FREEZES_MS = 10_000;
const HEALTH_MS = 15_000;
const RISK_MS = 15_000;
const NOTICES = 50;
const JUDGED_MAX = 20;
const WANTED_MAX = 200;

/** Loads every list once and keeps them fresh beside the events that change them. */
export async function beginLists() {
  await Promise.all([loadWatchlists(), loadAlerts(), loadNotices(), loadFreezes(), loadRisk()]);
  beat(async () => { await Promise.all([loadAlerts(), loadNotices()]); }, LISTS_MS);
  beat(loadRisk, RISK_MS);
  beat(loadFreezes, FREEZES_MS);
  beat(async () => { if (state.view === "Data") await loadHealth(); }, HEALTH_MS);
}

export async function loadWatchlists() {
  const answer = await ask("watchlists");
  if (answer instanceof ApiError) update({ watchlistsProblem: answer });
  else update({ watchlists: answer.items, watchlistsProblem: null });
}

export async function loadAlerts() {
  const answer = await ask("alerts");
  if (answer instanceof ApiError) update({ alertsProblem: answer });
  else update({ alerts: answer.items, alertsProblem: null });
}

export async function loadNotices() {
  const answer = await ask(`notifications?limit=${NOTICES}`);
  if (answer instanceof ApiError) update({ noticesProblem: answer });
  else update({ notices: /** @type {import("./wire.js").Notices} */ (answer), noticesProblem: null });
}

export async function loadFreezes() {
  const answer = await ask("freezes?active=true");
  if (answer instanceof ApiError) return update({ freezesProblem: answer });
  const known = (state.freezes ?? []).map((one) => one.id).join();
  update({ freezes: answer.items, freezesProblem: null });
  if (state.view === "Data" && known !== (state.freezes ?? []).map((one) => one.id).join()) await loadHealth();
}

export async function loadRisk() {
  const answer = await ask("risk");
  if (answer instanceof ApiError) update({ riskProblem: answer });
  else update({ risk: /** @type {import("./wire.js").Risk} */ (answer), riskProblem: null });
}

/** The symbols whose health is shown: frozen ones first, then what is shown, watched and held. */
function judged() {
  const frozen = (state.freezes ?? []).filter((one) => one.scope.startsWith("listing:")).map((one) => one.subject);
  return [...new Set([...frozen, ...wanted()])].slice(0, JUDGED_MAX);
}

/** Asks for the health of the data; a look changes nothing, so it carries no idempotency key. */
export async function loadHealth() {
  try {
    const answer = /** @type {any} */ (await post("tools/data_health", { args: { symbols: judged() } }, ""));
    update({ health: answer.result.rows, healthProblem: null });
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    update({ healthProblem: error });
  }
}

/** Returns the symbols on the page, shown, watched and held, each once, in a steady order. */
export function wanted() {
  const all = [state.symbol, ...(state.watchlists ?? []).flatMap((one) => one.symbols),
    ...(state.portfolio?.valuation.holdings ?? []).map((one) => one.symbol)];
  return [...new Set(all)].slice(0, WANTED_MAX);
}
