// @ts-check
// Owns the parts of a plan in words and tables: its score, its confidence, what ends it, its options, its sources.
import { html, nothing } from "./vendor/lit.js";
import { FRAMED } from "./element.js";
import { decimal, quantity, stamp, words } from "./format.js";
import { badge } from "./label.js";
import { figure } from "./origin.js";
import { sentence } from "./panel.js";
import { barsOf, cite, quoteOf, ticker } from "./plans.js";

/** @typedef {import("./ideas.js").ComposedPlan} ComposedPlan */

const share = new Intl.NumberFormat("en-US", { style: "percent", minimumFractionDigits: 0, maximumFractionDigits: 2 });
/** @type {Record<string, string>} */
const PARTS = {
  mtf: "Trend agreement", vwap: "Price and VWAP", rvol: "Relative volume", room: "Room to the next level",
  momentum: "Momentum", volatility: "Volatility", market: "The market's trend",
};
/** @type {Record<string, string>} */
const OPTION_KINDS = { long_call: "Long call", leaps_call: "LEAPS call", long_put: "Long put", vertical_debit: "Debit spread" };
/** @type {Record<string, string>} */
const DO = { stop_to: "move the stop to", exit: "close what is left", trail: "trail the stop" };

/** Writes a fraction as a percentage: `0.5427` is 54.27%.
 * @param {string | null | undefined} text */
export function chance(text) {
  return text === null || text === undefined ? "–" : share.format(/** @type {any} */ (text));
}

/** The score with each component: weight, value, inputs and the bars that it was read from.
 * @param {ComposedPlan} plan */
export function anatomy(plan) {
  const { score, coverage, components, missing } = plan.confluence;
  return html`<p>${score ? html`<b>${figure(decimal(score, 2, 4), cite("Confluence score", barsOf(plan)))}</b> of 1` : html`<b>No score</b>`},
      from ${figure(chance(coverage), cite("Share of the weight that is known", null, [["Plan", plan.plan_id]]))} of its weight. It is a score, not a chance.</p>
    ${missing.length ? html`<p class="warn">Missing: ${missing.map((name) => PARTS[name] ?? words(name)).join(", ")}. ${score
      ? "Their weight is left out, nothing stands in for them." : "Too little is known for a score."}</p>` : nothing}
    <div class="wide text" tabindex="0" role="region" aria-label="The score's anatomy"><table class="anatomy">
      <thead><tr><th scope="col">Part</th><th scope="col" class="number">Weight</th><th scope="col" class="number">Value</th><th scope="col">Read from</th></tr></thead>
      <tbody>${components.map((one) => component(plan, one))}</tbody></table></div>`;
}

/** @param {ComposedPlan} plan @param {import("./ideas.js").Component} one */
function component(plan, one) {
  const known = one.value !== null && one.value !== undefined;
  const cited = one.source.map((timeframe) => barsOf(plan, timeframe)).find((found) => found !== null) ?? null;
  const inputs = Object.entries(one.inputs);
  const from = cite(PARTS[one.name] ?? words(one.name), cited, [["Bars", one.source.join(", ") || "none"]]);
  return html`<tr data-part=${one.name}><th scope="row">${PARTS[one.name] ?? words(one.name)}
      ${known ? html`<meter min="0" max="1" .value=${Number(one.value)} aria-label=${`${words(one.name)} ${one.value} of 1`}></meter>` : nothing}</th>
    <td class="number">${figure(chance(one.weight), cite("Weight of a part", null, [["Policy", plan.policy_hash.slice(0, 23)], ["Plan", plan.plan_id]]))}</td>
    <td class="number">${known ? figure(decimal(one.value, 2, 4), from) : html`<span class="warn">missing</span>`}</td>
    <td>${inputs.length ? html`<span class="inputs">${inputs.map(([name, value]) => html`<span>${words(name)} ${figure(/^-?\d/.test(value) ? quantity(value) : words(value), from)}</span>`)}</span>`
      : html`<span class="muted">not known</span>`}${one.source.length ? html`<small class="muted">${one.source.join(", ")} bars</small>` : nothing}</td></tr>`;
}

/** The chance of target 1 with its tier in words, its n, and the way to the record.
 * @param {ComposedPlan} plan */
export function confidence(plan) {
  const sure = plan.confidence;
  if (!sure) return html`<p><b>No confidence is stated</b>: what it needs is missing. <a href="/scoreboard" target=${FRAMED ? "_blank" : "_self"}>The record</a></p>`;
  const doc = sure.calibrator_hash ?? "";
  const from = { what: "Confidence", lines: /** @type {[string, string][]} */ ([["Tier", sure.tier], ["Past setups", String(sure.n)], ["Of them won", String(sure.wins)],
    ["Before a curve", chance(sure.p0)], ...(doc ? [["Document", `${doc.slice(0, 23)}…`]] : []), ["Plan", plan.plan_id]]) };
  const said = sure.tier === "prior" ? `uncalibrated: a prior from ${sure.n ? `${sure.n} past setups` : "no past setup"}` : `calibrated (${sure.tier}) on ${sure.n} past setups`;
  const edge = /^-/.test(sure.edge) || !/[1-9]/.test(sure.edge);
  return html`<p class="sure"><b>${figure(chance(sure.value), from)}</b> for target 1 before the stop, <span class=${sure.tier === "prior" ? "warn" : ""}>${said}</span>.
    ${sure.ci95 ? html`95% of such estimates lie in ${chance(sure.ci95[0])} to ${chance(sure.ci95[1])}.` : nothing}
    Break-even is ${figure(chance(sure.p_breakeven_tp1), cite("Break-even chance", quoteOf(plan), [["From", "target 1, stop and costs"]]))}:
    ${edge ? html`<b>no edge is claimed</b>` : html`stated edge ${figure(`${decimal(sure.edge, 2, 4)}`, from)}`}.
    <a href="/scoreboard" target=${FRAMED ? "_blank" : "_self"}>How such chances came out</a></p>`;
}

/** What would change the coach's mind, each with its number.
 * @param {ComposedPlan} plan */
export function minds(plan) {
  const bars = barsOf(plan), gap = plan.gap_risk;
  const earnings = plan.warnings.filter((one) => one.code.startsWith("EARNINGS"));
  return html`<ul class="minds">
    ${plan.invalidation.map((one) => html`<li><b>${sentence(words(one.rule))}</b> ${one.price ? figure(decimal(one.price, 2, 4), cite("Invalidation", bars)) : nothing}
      ${one.tf ? `on a ${one.tf} bar` : ""}: ${one.why}.</li>`)}
    <li><b>Stop</b> ${figure(decimal(plan.stop.price, 2, 4), cite("Stop", bars, [["Method", words(plan.stop.method)]]))}: the trade is wrong there.</li>
    <li><b>Time stop</b> ${stamp(plan.time_stop.value)}: it ends then however it stands. The idea itself expires ${stamp(plan.expires_at)}.</li>
    ${gap ? html`<li><b>Gap</b> Of ${figure(String(gap.n), cite("Nights looked at", barsOf(plan, "1d") ?? bars))} past nights, prices jump through this stop with a chance of
      ${figure(chance(gap.p_gap_through_stop), cite("Gap through the stop", barsOf(plan, "1d") ?? bars, [["Nights", String(gap.n)]]))}.</li>` : html`<li><b>Gap</b> Not known: too few nights.</li>`}
    <li><b>Earnings</b> ${earnings.length ? earnings.map((one) => sentence(one.detail)) : "No report is known to fall into its time."}</li>
    ${plan.management.map((one) => html`<li class="muted">When ${words(one.when)}: ${DO[one.do] ?? words(one.do)} ${one.price ? figure(decimal(one.price, 2, 4), cite("Management", bars)) : nothing}</li>`)}</ul>`;
}

/** Option alternatives, or why there is none and what refused the others.
 * @param {ComposedPlan} plan */
export function options(plan) {
  const { reason, ...counts } = plan.option_rejects;
  const refused = Object.entries(counts).map(([name, value]) => value !== null && typeof value === "object"
    ? `${OPTION_KINDS[name] ?? words(name)}: ${Object.entries(value).map(([code, n]) => `${words(code)} ${n}`).join(", ") || "none"}` : `${words(name)} ${value}`);
  const mine = new Map((plan.contracts ?? []).map((one) => [one.contract, one]));
  const from = cite("Option contract", plan.citations.find((one) => /option|chain/.test(one.dataset)) ?? quoteOf(plan));
  return html`${plan.option_alternatives.map((one) => html`<section class="option" data-contract=${one.contract}><p><b>${OPTION_KINDS[one.kind] ?? words(one.kind)}</b> <code>${one.contract}</code>. ${sentence(one.why)}</p>
      ${allowed(plan, mine.get(one.contract))}
      <span class="inputs">${Object.entries(one.metrics).filter(([, value]) => typeof value !== "object").map(([name, value]) => html`<span>${words(name)} ${figure(/^-?\d/.test(String(value)) ? quantity(String(value)) : String(value), from)}</span>`)}</span>
      ${one.exits?.length ? html`<ul class="minds">${one.exits.map((rule) => html`<li class="muted">When ${words(rule.when)} ${figure(quantity(rule.value), from)}: ${words(rule.do)}${rule.why ? `, ${rule.why}` : ""}.</li>`)}</ul>` : nothing}</section>`)}
    ${plan.option_alternatives.length ? nothing : html`<p class="muted">No option alternative: ${sentence(String(reason ?? "no contract passed the filters"))}</p>`}
    ${refused.length ? html`<p class="muted small">Rejected by first failed rule: ${refused.join("; ")}.</p>` : nothing}`;
}

/** How many contracts the account that asks may buy, and what limits them; nothing while its worth is not known.
 * @param {ComposedPlan} plan @param {import("./ideas.js").ContractSize | undefined} sized */
function allowed(plan, sized) {
  if (!sized) return nothing;
  const from = cite("Contracts for your account", null, [["Limited by", words(sized.binding)], ["Plan", plan.plan_id]]);
  return html`<p class="allowed">For your account: <b>${figure(quantity(sized.contracts), from)}</b> ${sized.contracts === "1" ? "contract" : "contracts"}, ${sized.why
    ? sentence(sized.why) : html`premium ${figure(decimal(sized.premium, 2, 2), from)}, at risk ${figure(decimal(sized.one_r, 2, 2), from)}, limited by ${words(sized.binding)}.`}</p>`;
}

/** Every source that the plan stands on.
 * @param {ComposedPlan} plan */
export function citations(plan) {
  return html`<div class="wide" tabindex="0" role="region" aria-label="Sources of the plan"><table>
    <thead><tr><th scope="col">Label</th><th scope="col">Provider</th><th scope="col">Dataset</th><th scope="col">As of</th><th scope="col">Hash</th></tr></thead>
    <tbody>${plan.citations.map((one) => html`<tr><td>${badge(one.provenance)}</td><td>${one.provider}</td><td>${one.dataset} ${one.timeframe ?? ""}</td>
      <td>${stamp(one.last_ts)}</td><td><code>${(one.bar_hash ?? one.doc_hash ?? "–").slice(0, 19)}</code></td></tr>`)}</tbody></table></div>
    <p class="muted small">Plan <code>${plan.plan_id}</code> for ${ticker(plan)}, engine ${plan.engine_version}, policy <code>${plan.policy_hash.slice(0, 19)}</code>.</p>`;
}
