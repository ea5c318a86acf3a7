// @ts-check
// Owns which tool result each number of an answer stands on, so that the number opens it.
import { stamp, words } from "./format.js";
import { figure } from "./origin.js";
import { quoteOf, seePlan } from "./plans.js";

/** @typedef {import("./wire.js").ToolCall} ToolCall */
/** @typedef {import("./conversation.js").Turn} Turn */
/** @typedef {import("./ideas.js").Origin} Origin */
/** @typedef {{call: ToolCall, at: string, own: boolean, numbers: Set<string>, days: Set<string>}} Basis */
/** @typedef {(number: string) => Origin | null} Find */

const NUMBER = /(?<![\w.,/-])(?!(?<=target )\d(?![\d.]))[+−-]?\d+(?:,\d{3})*(?:\.\d+)?(?:\s?%|R\b)?(?![\w/])(?!-\d)/g;
const PLAN = /\bplan_[0-9a-f]{16}\b/g;
const DAY = /(?<![\w-])\d{4}-\d{2}-\d{2}(?![\w-])/g;
const INSTANT = /^(\d{4}-\d{2}-\d{2})T(\d{2}):(\d{2})/;
const PLACES_MAX = 6;
const COMPOSED = "plan_";
/** @type {WeakMap<object, {numbers: Set<string>, days: Set<string>}>} */
const read = new WeakMap();

/** Returns the passages of a text that are numbers or days, in order.
 * @param {string} text @returns {{at: number, text: string}[]} */
export function numbersIn(text) {
  const days = [...text.matchAll(DAY)].map((one) => ({ at: one.index, text: one[0] }));
  const within = (/** @type {number} */ at) => days.some((day) => at >= day.at && at < day.at + day.text.length);
  const numbers = [...text.matchAll(NUMBER)].map((one) => ({ at: one.index, text: one[0] })).filter((one) => !within(one.at));
  return [...days, ...numbers].sort((one, other) => one.at - other.at);
}

/** Returns how a number is compared: without grouping, sign and unit; a share also as a percentage.
 * @param {string} text */
function plain(text) {
  return text.replace(/[,%R\s+−-]/g, "").replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "");
}

/** Returns the ways that a decimal may be written: rounded, and as a percentage.
 * @param {string} text @param {Set<string>} into */
function ways(text, into) {
  const value = Number(text);
  for (let places = 0; places <= PLACES_MAX; places += 1) {
    into.add(plain(value.toFixed(places)));
    if (Math.abs(value) <= 1) into.add(plain((value * 100).toFixed(places)));
  }
}

/** Gathers every number of a document, also those within its sentences.
 * @param {unknown} body @param {Set<string>} numbers @param {Set<string>} days */
function gather(body, numbers, days) {
  if (typeof body === "string") {
    const [, day, hour, minute] = INSTANT.exec(body) ?? [];
    if (day) {
      days.add(day);
      [hour, minute].forEach((one) => numbers.add(plain(one)));
    } else if (/^-?\d+(\.\d+)?$/.test(body)) ways(body, numbers);
    else for (const one of numbersIn(body)) (/^\d{4}-/.test(one.text) ? days : numbers).add(/^\d{4}-/.test(one.text) ? one.text : plain(one.text));
  } else if (typeof body === "number") numbers.add(plain(String(body)));
  else if (body !== null && typeof body === "object") Object.values(body).forEach((one) => gather(one, numbers, days));
}

/** @param {object} key @param {unknown[]} bodies */
function known(key, bodies) {
  let found = read.get(key);
  if (!found) {
    found = { numbers: new Set(), days: new Set() };
    for (const body of bodies) gather(body, found.numbers, found.days);
    read.set(key, found);
  }
  return found;
}

/** Returns what a call's result holds: its words, and for a composed plan the whole document.
 * @param {ToolCall} call @param {string} at @param {boolean} own @returns {Basis} */
function basis(call, at, own) {
  const plan = call.ref?.startsWith(COMPOSED) && call.name === "plan" ? seePlan(call.ref).plan : null;
  return { call, at, own, ...known(plan ?? call, plan ? [plan, call.digest] : [call.digest ?? ""]) };
}

/** Returns who knows where a number of this turn's text comes from: its own look-ups first, then the
 * earlier result that explains the most of the text, then the newest.
 * @param {Turn} turn @param {Turn[]} turns @param {string} text @returns {Find} */
export function finder(turn, turns, text) {
  const upto = turns.slice(0, turns.indexOf(turn) + 1);
  const named = (text.match(PLAN) ?? []).map((ref) => basis({ call_id: ref, name: "plan", ok: true, digest: "", ref }, "", true));
  const found = upto.flatMap((one) => one.blocks.flatMap((block) => block.kind === "tools"
    ? block.calls.filter((call) => call.ok && call.digest).map((call) => basis(call, one.at, one === turn)) : [])).reverse().concat(named);
  const wanted = numbersIn(text).map((one) => one.text);
  const rank = new Map(found.map((one) => [one, wanted.filter((number) => holds(one, number)).length + (one.own ? wanted.length + 1 : 0)]));
  const ranked = [...found].sort((one, other) => Number(rank.get(other)) - Number(rank.get(one)));
  return (number) => {
    const from = ranked.find((one) => holds(one, number));
    return from ? told(from) : null;
  };
}

/** Turns the numbers of a text into buttons that open their source; a number without one stays text.
 * @param {string} text @param {Find} find @returns {unknown} */
export function sourced(text, find) {
  /** @type {unknown[]} */ const parts = [];
  let from = 0;
  for (const one of numbersIn(text)) {
    const origin = find(one.text);
    if (!origin) continue;
    parts.push(text.slice(from, one.at), figure(one.text, origin));
    from = one.at + one.text.length;
  }
  return parts.length ? [...parts, text.slice(from)] : text;
}

/** @param {Basis} one @param {string} number */
function holds(one, number) {
  return /^\d{4}-\d{2}-/.test(number) ? one.days.has(number) : one.numbers.has(plain(number));
}

/** @param {Basis} from @returns {Origin} */
function told({ call, at }) {
  const plan = call.ref?.startsWith(COMPOSED) ? seePlan(call.ref).plan : null;
  const cited = plan ? quoteOf(plan) : null;
  const source = call.source?.[0] ?? (cited ? { provider: cited.provider, dataset: cited.dataset, as_of: cited.last_ts, provenance: cited.provenance } : null);
  /** @type {[string, string][]} */
  const lines = [["Look-up", words(call.label || call.name)]];
  if (source) lines.push(["Provider", source.provider], ["Dataset", source.dataset], ["As of", stamp(source.as_of)]);
  if (at) lines.push(["Answered", stamp(at)]);
  if (call.ref) lines.push(["Ref", call.ref]);
  return { what: `Result of ${words(call.label || call.name)}`, provenance: source?.provenance, lines, said: call.digest, href: plan ? `/ideas/${call.ref}` : undefined };
}
