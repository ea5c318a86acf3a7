// @ts-check
// Owns the live prices of what is watched, held and shown: by socket, and by polling without one.
import { ask, beat, loadHalt } from "./refresh.js";
import { ApiError } from "./api.js";
import { loadAlerts, loadFreezes, loadNotices, loadRisk, wanted } from "./lists.js";
import { LiveSocket } from "./socket.js";
import { listen, state, update } from "./state.js";

const FLUSH_MS = 200;
const POLL_MS = 5000;
const POLLED_MAX = 6;
/** A pushed price that is silent for this long is asked for once: a quiet symbol, or a deaf line. */
const SILENT_MS = 15_000;
/** @typedef {import("./wire.js").Price} Price */

/** @type {Map<string, Price>} */
const fresh = new Map();
let flushing = 0;
let turn = 0;
/** @type {LiveSocket | null} */
let socket = null;

/** Opens the live line and keeps its subscriptions to what the page shows. */
export function follow() {
  if (socket) return;
  socket = new LiveSocket(take, said, (ping_ms) => update({ socket: { ...state.socket, ping_ms } }));
  const ask_for = () => socket?.want(wanted());
  ask_for();
  listen((changed) => {
    if (["watchlists", "portfolio", "symbol"].some((name) => changed.has(name))) ask_for();
  });
  beat(poll, POLL_MS);
}

/** @type {import("./socket.js").Say} */
function said(phase, why) {
  const again = phase === "live" && state.socket.phase === "polling" ? 1 : 0;
  update({ socket: { phase, why, ping_ms: phase === "live" ? state.socket.ping_ms : null, reconnects: state.socket.reconnects + again } });
}

/** @param {import("./socket.js").Frame} frame */
function take(frame) {
  switch (frame.type) {
    case "price": note(frame); break;
    case "risk": if (state.halt && frame.switch !== state.halt.state) void loadHalt(); void loadRisk(); break;
    case "error": if (frame.symbol) miss(frame.symbol, `${frame.message}. ${frame.hint}`); break;
    case "alert": case "alerts": void Promise.all([loadAlerts(), loadNotices(), loadFreezes()]); break;
    case "resync": void Promise.all([poll(), loadAlerts(), loadNotices(), loadFreezes()]); break;
  }
}

/** Takes a price; many in a short time are drawn once.
 * @param {Price} price */
function note(price) {
  fresh.set(price.symbol, { ...price, heard_ms: Date.now() });
  flushing ||= window.setTimeout(() => {
    flushing = 0;
    const missing = Object.fromEntries(Object.entries(state.missing).filter(([symbol]) => !fresh.has(symbol)));
    update({ prices: { ...state.prices, ...Object.fromEntries(fresh) }, missing });
    fresh.clear();
  }, FLUSH_MS);
}

/** Says why a symbol has no price; its old one is no longer shown.
 * @param {string} symbol @param {string} why */
function miss(symbol, why) {
  fresh.delete(symbol);
  const { [symbol]: _, ...prices } = state.prices;
  update({ prices, missing: { ...state.missing, [symbol]: why } });
}

/** Asks for prices, a few at a time, in turn: for all without the live line, else for the silent. */
async function poll() {
  const silent = (/** @type {string} */ symbol) => Date.now() - (state.prices[symbol]?.heard_ms ?? 0) > SILENT_MS;
  const symbols = state.socket.phase === "live" ? wanted().filter(silent) : wanted();
  const now = symbols.length <= POLLED_MAX ? symbols
    : Array.from({ length: POLLED_MAX }, (_, at) => symbols[(turn + at) % symbols.length]);
  turn = (turn + POLLED_MAX) % Math.max(1, symbols.length);
  const answers = await Promise.all(now.map((symbol) => ask(`symbols/${encodeURIComponent(symbol)}/price`)));
  for (const [at, one] of answers.entries()) {
    if (one instanceof ApiError) {
      if (one.status) miss(now[at], `${one.message}. ${one.hint}`);
      continue;
    }
    const quote = /** @type {import("./wire.js").Quote} */ (one);
    note({ ...quote, ts: quote.as_of });
  }
}
