// @ts-check
// Owns the confirm cards: one challenge per proposal for the whole page, and what became of it.
import { ApiError, get, newKey, post } from "./api.js";
import { FRAMED } from "./element.js";
import { state, update } from "./state.js";

/** @typedef {import("./wire.js").Card} Card */
/** @typedef {{
 *   id: string, phase: "loading" | "open" | "sending" | "confirmed" | "dead" | "error",
 *   card: Card | null, token: string, version: number, hash: string, key: string,
 *   expires_ms: number, offset_ms: number, status: string, reason: string, terms: import("./wire.js").Terms | null,
 *   order_id: string, order_state: string, filled: string, average: string, quantity: string,
 *   problem: ApiError | null, said: string, kind: string, conversation: string | null,
 * }} Entry */

/** @type {Map<string, Entry>} */
const entries = new Map();
/** @type {Set<(id: string) => void>} */
const readers = new Set();
const RENEWABLE = new Set(["TOKEN_WRONG", "TOKEN_USED", "TOKEN_EXPIRED", "TOKEN_BINDING", "TOKEN_REVOKED"]);

/** @param {(id: string) => void} reader @returns {() => void} */
export function watch(reader) {
  readers.add(reader);
  return () => readers.delete(reader);
}

/** Returns the card of a proposal, and fetches it when this page has not seen it yet.
 * @param {string} id @returns {Entry} */
export function see(id) {
  let entry = entries.get(id);
  if (!entry) {
    entry = {
      id, phase: "loading", card: null, token: "", version: 0, hash: "", key: "", expires_ms: 0,
      offset_ms: 0, status: "pending", reason: "", terms: null, order_id: "", order_state: "",
      filled: "", average: "", quantity: "", problem: null, said: "", kind: "order", conversation: null,
    };
    entries.set(id, entry);
    void load(id);
  }
  return entry;
}

/** @param {string} id @param {Partial<Entry>} patch */
function set(id, patch) {
  const entry = entries.get(id);
  if (!entry) return;
  Object.assign(entry, patch);
  readers.forEach((reader) => reader(id));
}

/** Fetches the proposal and, while it is open, the challenge whose card alone is shown.
 * @param {string} id */
export async function load(id) {
  try {
    const proposal = /** @type {import("./wire.js").Proposal} */ (await get(`proposals/${id}`));
    set(id, { terms: proposal.order, kind: proposal.kind, conversation: proposal.conversation_id ?? "", quantity: proposal.order.quantity });
    if (proposal.status !== "pending") return settled(id, proposal);
    if (FRAMED || state.session?.surface === "frame") {
      set(id, { phase: "open", card: proposal.card, version: proposal.version, hash: proposal.order_hash,
        expires_ms: Date.parse(proposal.expires_at), problem: null });
      return;
    }
    const given = /** @type {import("./wire.js").Challenge} */ (await get(`proposals/${id}/challenge`));
    set(id, {
      phase: "open", card: given.card, token: given.token, version: given.version,
      hash: given.order_hash, key: newKey(), expires_ms: Date.parse(given.expires_at),
      offset_ms: Date.parse(given.server_time) - Date.now(), problem: null,
    });
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    set(id, { phase: "error", problem: error });
  }
}

/** @param {string} id @param {import("./wire.js").Proposal} proposal */
async function settled(id, proposal) {
  const phase = proposal.status === "confirmed" ? "confirmed" : "dead";
  set(id, { phase, card: proposal.card, status: proposal.status, reason: proposal.status_reason ?? "",
    order_id: proposal.order_id ?? "", order_state: proposal.order_state ?? "", token: "" });
  if (phase === "confirmed" && proposal.order_id) await loadOrder(id, proposal.order_id);
}

/** @param {string} id @param {string} order_id */
async function loadOrder(id, order_id) {
  const order = /** @type {import("./wire.js").Order} */ (await get(`broker/orders/${order_id}`));
  set(id, { order_state: order.state, filled: order.filled_quantity, average: order.avg_price ?? "",
    reason: order.reason });
}

/** Confirms exactly the card that is shown. A lost answer may be asked for again: same key.
 * @param {string} id @param {string} typed */
export async function confirm(id, typed) {
  const entry = entries.get(id);
  if (!entry || entry.phase !== "open" || !entry.token) return;
  set(id, { phase: "sending", problem: null, said: "" });
  const body = { token: entry.token, version: entry.version, order_hash: entry.hash,
    ...(entry.card?.typed ? { typed } : {}) };
  try {
    const done = await post(`proposals/${id}/confirm`, body, entry.key);
    set(id, { phase: "confirmed", status: "confirmed", order_id: done.order_id ?? "",
      order_state: entry.order_state || (done.order_state ?? ""), token: "" });
    drop(id);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    await refused(id, error);
  }
}

/** @param {string} id @param {ApiError} error */
async function refused(id, error) {
  if (error.status === 0) return set(id, { phase: "open", problem: error,
    said: "The answer was lost. Press Confirm again: it can only happen once." });
  set(id, { problem: error });
  const before = entries.get(id);
  await load(id);
  const entry = entries.get(id);
  if (!entry || entry.phase !== "open") return;
  const said = RENEWABLE.has(error.code) && entry.hash === before?.hash
    ? "This card was renewed. Read it once more, then confirm." : "";
  set(id, { problem: said ? null : error, said });
}

/** @param {string} id */
export async function decline(id) {
  await change(id, () => post(`proposals/${id}/decline`, { reason: "" }));
}

/** Asks for a new version with another quantity; this card dies.
 * @param {string} id @param {string} quantity */
export async function edit(id, quantity) {
  await change(id, () => post(`proposals/${id}/edit`, { quantity }));
}

/** @param {string} id @param {() => Promise<import("./wire.js").Proposal>} act */
async function change(id, act) {
  set(id, { phase: "sending", problem: null, said: "" });
  try {
    const answer = await act();
    if (answer.id !== id) {
      add(answer.id);
      set(id, { phase: "dead", status: "superseded", reason: "edited", token: "" });
      drop(id);
    } else await settled(id, answer);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    await load(id);
    set(id, { problem: error });
  }
}

/** Takes a `proposal.changed` event of either stream.
 * @param {import("./events.js").ProposalChanged} event */
export function changed(event) {
  if (event.status !== "pending") drop(event.proposal_id);
  const entry = entries.get(event.proposal_id);
  if (!entry || entry.version > event.version) return;
  const phase = event.status === "confirmed" ? "confirmed" : event.status === "pending" ? entry.phase : "dead";
  set(event.proposal_id, {
    phase, status: event.status, reason: event.reason ?? "", order_id: event.order_id ?? entry.order_id,
    order_state: event.order_state ?? entry.order_state, token: phase === "open" ? entry.token : "",
    filled: event.filled_quantity ?? entry.filled, average: event.avg_price ?? entry.average,
  });
}

/** @param {string} id */
export function add(id) {
  see(id);
  if (!state.pending.includes(id)) update({ pending: [id, ...state.pending] });
}

/** @param {string} id */
function drop(id) {
  const pending = state.pending.filter((one) => one !== id);
  update({ pending, terms: pending.length ? (entries.get(pending[0])?.terms ?? null) : null });
}
