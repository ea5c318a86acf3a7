// @ts-check
// Owns the composed plans that this page has read, each by its id once, and where their numbers come from.
import { ApiError, get } from "./api.js";
import { stamp, words } from "./format.js";

/** @typedef {import("./ideas.js").ComposedPlan} ComposedPlan */
/** @typedef {import("./ideas.js").Citation} Citation */
/** @typedef {import("./ideas.js").Origin} Origin */
/** @typedef {{plan: ComposedPlan | null, problem: ApiError | null}} Entry */

/** @type {Map<string, Entry>} */
const entries = new Map();
/** @type {Set<() => void>} */
const readers = new Set();

/** @param {() => void} reader @returns {() => void} */
export function watchPlans(reader) {
  readers.add(reader);
  return () => readers.delete(reader);
}

/** Returns what is known of a plan, and reads it the first time. A stored plan never changes.
 * @param {string} id @returns {Entry} */
export function seePlan(id) {
  let entry = entries.get(id);
  if (!entry) {
    entry = { plan: null, problem: null };
    entries.set(id, entry);
    void load(id, entry);
  }
  return entry;
}

/** Asks once more for a plan that could not be read.
 * @param {string} id */
export function readAgain(id) {
  entries.delete(id);
  seePlan(id);
  readers.forEach((reader) => reader());
}

/** @param {string} id @param {Entry} entry */
async function load(id, entry) {
  try {
    entry.plan = /** @type {ComposedPlan} */ (await get(`plans/${encodeURIComponent(id)}`));
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    entry.problem = error;
  }
  readers.forEach((reader) => reader());
}

/** Returns the symbol as it is traded: `XNYS:IBM` is `IBM`.
 * @param {{symbol: string}} plan */
export function ticker(plan) {
  return plan.symbol.split(":").at(-1) ?? plan.symbol;
}

/** @type {Record<string, string>} */
const SETUPS = {
  orb: "opening-range breakout", vwap_reclaim: "reclaim of VWAP", ema_pullback: "pullback to the average",
  range_breakout: "range breakout", ma_cross: "crossing of averages", vwap_deviation: "return to VWAP",
  volume_spike: "volume spike", weekly_breakout: "weekly breakout",
};

/** Returns a setup's name in words.
 * @param {string} id */
export function setupWords(id) {
  return SETUPS[id] ?? words(id);
}

/** Returns the citation of a plan's own bars, or of another timeframe's.
 * @param {ComposedPlan} plan @param {string} [timeframe] */
export function barsOf(plan, timeframe = plan.timeframe) {
  return plan.citations.find((one) => one.timeframe === timeframe) ?? null;
}

/** Returns the citation of the price that the plan was made at.
 * @param {ComposedPlan} plan */
export function quoteOf(plan) {
  return plan.citations.find((one) => !one.timeframe) ?? null;
}

/** Turns a citation into what a number opens.
 * @param {string} what @param {Citation | null} cited @param {[string, string][]} [more] @returns {Origin} */
export function cite(what, cited, more = []) {
  if (!cited) return { what, lines: more };
  /** @type {[string, string][]} */
  const lines = [["Provider", cited.provider], ["Dataset", cited.timeframe ? `${cited.dataset}, ${cited.timeframe} bars` : cited.dataset]];
  lines.push(["Symbol", cited.symbol]);
  if (cited.first_ts) lines.push(["From", stamp(cited.first_ts)]);
  lines.push(["As of", stamp(cited.last_ts)]);
  const hash = cited.bar_hash ?? cited.doc_hash;
  if (hash) lines.push(["Hash", `${hash.slice(0, 23)}…`]);
  return { what, provenance: cited.provenance, lines: [...lines, ...more] };
}
