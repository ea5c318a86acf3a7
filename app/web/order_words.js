// @ts-check
// Owns how the state of an order and each step of it are said to a person.
import { decimal, words } from "./format.js";

/** What each state is called, and what it means for the person. @type {Record<string, [string, string]>} */
const STATES = {
  QUEUED: ["confirmed", "waiting to be sent"],
  CLAIMED: ["confirmed", "about to be sent"],
  SUBMITTING: ["sending", "waiting for the broker's answer"],
  UNKNOWN: ["in doubt", "looking at the broker, nothing will be sent twice"],
  PRESUMED_NOT_ACCEPTED: ["not found at the broker", "it counts as not accepted and is still watched for; nothing will be sent twice"],
  WORKING: ["working", "accepted, waiting for a fill"],
  PARTIALLY_FILLED: ["partially filled", "the rest is working"],
  CANCEL_PENDING: ["cancel asked", "waiting for the broker; it may still fill"],
  CANCEL_UNKNOWN: ["cancel in doubt", "looking at the broker; it may still fill"],
  FILLED: ["filled", ""],
  CANCELLED: ["cancelled", "nothing more will fill"],
  REJECTED: ["rejected", "the broker refused it"],
  EXPIRED: ["expired", "its time ran out"],
  DENIED: ["denied", "a guard stopped it before it was sent"],
  DISPUTED: ["disputed", "the broker and our book disagree; look at both before you trade on"],
};
const DOUBTED = new Set(["UNKNOWN", "CANCEL_UNKNOWN", "PRESUMED_NOT_ACCEPTED", "DISPUTED"]);
/** @type {Record<string, string>} */
const STEPS = {
  proposed: "Proposed as a card", token_issued: "Card opened for confirmation", confirmed: "Card confirmed by a person",
  "order.confirmed": "Order made, waiting to be sent", "ledger.posted": "Posted to the ledger",
  "order.claim": "Taken up to be sent", "order.send": "Sent to the broker", "order.acknowledge": "Accepted by the broker",
  "order.reject": "Refused by the broker", "order.lose": "No clear answer: in doubt, the broker is asked",
  "order.presume": "Not found at the broker", "order.part_fill": "Filled in part", "order.fill": "Filled",
  "order.ask_cancel": "Cancel asked of the broker", "order.cancel": "Cancelled", "order.lose_cancel": "No clear answer to the cancel",
  "order.keep": "The order stays", "order.expire": "Expired", "order.dispute": "Disputed", "order.deny": "Stopped by a guard",
  "order.requeue": "Not sent, queued again", "order.change_proposed": "Change proposed as a card",
  "order.change_wanted": "Change confirmed by a person", "order.change_sent": "Change asked of the broker",
  "order.change_done": "Changed at the broker", "order.change_refused": "Change refused by the broker",
  "order.change_dropped": "Change not sent", "order.change_overtaken": "Change came too late",
  "order.change_unseen": "Change not seen at the broker",
  "fill.busted": "Fill taken back by the broker", "fill.corrected": "Fill corrected by the broker", "order.cancel_wanted": "Cancel wanted by a person", "order.answer": "The broker's answer",
  "order.protect": "Exits of a filled entry, as confirmed with it", "order.exits_missing": "The exits could not be placed",
};

/** @param {string} name @returns {{head: string, means: string, doubt: boolean}} */
export function stateWords(name) {
  const [head, means] = STATES[name] ?? [words(name), ""];
  return { head, means, doubt: DOUBTED.has(name) };
}

/** Says one step of an order's life; one without words of its own keeps its name.
 * @param {string} kind */
export function stepWords(kind) {
  return STEPS[kind] ?? words(kind.replaceAll(".", " "));
}

/** Says at which prices an order trades, and which exits follow it.
 * @param {import("./wire.js").Order} one */
export function termWords(one) {
  const price = one.limit_price ?? one.stop_price;
  const own = `${one.type}${price ? ` ${decimal(price)}` : ""}`;
  if (one.order_class === "oco") return `${own} or stop ${decimal(one.stop_loss)}`;
  const exits = [one.stop_loss && `stop ${decimal(one.stop_loss)}`, one.take_profit && `target ${decimal(one.take_profit)}`].filter(Boolean);
  return exits.length ? `${own}, then ${exits.join(" or ")}` : own;
}
