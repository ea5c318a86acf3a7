// @ts-check
// Owns the element `cornerman-scoreboard`: what was stated against what came, by setup, with the reliability diagram.
import { html, LitElement, nothing, svg } from "./vendor/lit.js";
import { chance } from "./anatomy.js";
import { ApiError, get } from "./api.js";
import { decimal, signed, stamp, tone, words } from "./format.js";
import { badge } from "./label.js";
import { figure } from "./origin.js";
import { sentence, trouble, waiting } from "./panel.js";
import { setupWords } from "./plans.js";
import { untaken } from "./untaken.js";

/** @typedef {import("./ideas.js").Score} Score */
/** @typedef {import("./ideas.js").SetupScore} SetupScore */
const SIDE_PX = 272, LEFT_PX = 34, RIGHT_PX = 20, FOOT_PX = 28, ENOUGH = 30, RECENT = 12;

class CornermanScoreboard extends LitElement {
  static properties = { score: { state: true }, left: { state: true }, problem: { state: true } };

  constructor() {
    super();
    /** @type {Score | null} */ this.score = null;
    /** @type {import("./ideas.js").NotTaken | null} */ this.left = null;
    /** @type {ApiError | null} */ this.problem = null;
  }

  createRenderRoot() {
    return this;
  }

  connectedCallback() {
    super.connectedCallback();
    void this.load();
  }

  async load() {
    try {
      this.score = /** @type {Score} */ (await get("score"));
      this.left = /** @type {import("./ideas.js").NotTaken} */ (await get("score/untaken"));
      this.problem = null;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.problem = error;
    }
  }

  render() {
    const { score } = this;
    return html`<section class="scoreboard" aria-label="Scoreboard"><div class="head"><h3>Scoreboard</h3><span class="push"></span>
        <button class="quiet small" @click=${() => this.load()}>Refresh</button></div>
      ${this.problem && !score ? trouble(this.problem, "The scoreboard", () => this.load()) : !score ? waiting("The scoreboard")
        : score.total ? this.#board(score) : html`<p class="none">No suggestion yet. Ask the coach for a plan: each one is followed to its target, its stop or its time stop, and counted here.</p>`}</section>`;
  }

  /** @param {Score} score */
  #board(score) {
    const open = (score.states.waiting ?? 0) + (score.states.open ?? 0), bare = score.states.not_followed ?? 0;
    return html`<p><b class="num">${this.#of(score, score.total)}</b> suggestions: <b class="num">${this.#of(score, score.ended)}</b> ended,
        <b class="num">${this.#of(score, open)}</b> still followed, <b class="num">${this.#of(score, bare)}</b> without levels to follow${score.without
          ? html`, <span class="warn">${score.without} with no outcome and no reason</span>` : nothing}.</p>
      ${Object.entries(score.reasons).map(([why, n]) => html`<p class="muted small">${n} not followed: ${why}.</p>`)}
      ${this.#setups(score)}
      ${this.#calibration(score)}
      ${this.left ? untaken(this.left) : nothing}
      ${this.#recent(score)}`;
  }

  /** @param {Score} score @param {unknown} shown */
  #of(score, shown) {
    return figure(shown, { what: "The coach's own record", lines: [["Provider", "cornerman"], ["Dataset", "suggestions"], ["As of", stamp(score.as_of)]] });
  }

  /** @param {Score} score */
  #setups(score) {
    return html`<div class="wide text" tabindex="0" role="region" aria-label="Stated and realised by setup"><table>
      <thead><tr><th scope="col">Setup</th><th scope="col" class="number">Taken</th><th scope="col" class="number">Ended</th><th scope="col" class="number">Stated</th><th scope="col" class="number">Realised</th>
        <th scope="col" class="number">Mean R</th></tr></thead>
      <tbody>${score.by_setup.map((one) => html`<tr data-setup=${one.key}><th scope="row">${setupName(one.key)}<small>${verdict(one)}${one.ended ? html`<span class="muted">, ${one.real ? "real prices" : "replayed prices"}</span>` : nothing}</small></th>
        <td class="number">${one.taken}</td><td class="number">${one.ended}</td><td class="number">${one.stated === null ? "–" : this.#of(score, chance(one.stated))}</td>
        <td class="number">${one.hit_rate === null ? "–" : this.#of(score, chance(one.hit_rate))}${one.ci95 ? html`<small class="muted">${chance(one.ci95[0])} to ${chance(one.ci95[1])}</small>` : nothing}</td>
        <td class="number ${tone(one.mean_r)}">${one.mean_r === null ? "–" : this.#of(score, signed(one.mean_r))}</td></tr>`)}</tbody></table></div>`;
  }

  /** @param {Score} score */
  #calibration(score) {
    if (score.brier === null || score.reference === null) {
      return html`<h4>Do the chances hold?</h4><p class="none">Not known yet: no ended suggestion had a chance stated. The diagram appears with the first.</p>`;
    }
    const worse = Number(score.brier) >= Number(score.reference);
    return html`<h4>Do the chances hold?</h4>
      <p>Over ${this.#of(score, score.stated_n)} stated chances${score.real ? "" : " on replayed prices"} the Brier score is ${this.#of(score, decimal(score.brier, 4, 4))},
        the base rate's is ${this.#of(score, decimal(score.reference, 4, 4))}: ${worse ? html`<b class="warn">no edge, the chances say no more than the base rate</b>` : html`<b>better than the base rate</b>`}.
        The mean miss of a bin is ${this.#of(score, decimal(score.ece, 4, 4))}. ${score.stated_n < ENOUGH ? `Fewer than ${ENOUGH}: nothing is claimed.` : ""}</p>
      <div class="reliability">${diagram(score)}
        <div class="wide" tabindex="0" role="region" aria-label="Reliability table"><table><caption class="sr">The reliability diagram as a table</caption>
          <thead><tr><th scope="col">Stated</th><th scope="col" class="number">n</th><th scope="col" class="number">Mean stated</th><th scope="col" class="number">Came</th><th scope="col" class="number">95%</th></tr></thead>
          <tbody>${score.bins.map((bin) => html`<tr><th scope="row">${chance(bin.low)} to ${chance(bin.high)}</th><td class="number">${bin.n}</td><td class="number">${this.#of(score, chance(bin.mean_p))}</td>
            <td class="number">${this.#of(score, chance(bin.hit_rate))}</td><td class="number">${chance(bin.ci95[0])} to ${chance(bin.ci95[1])}</td></tr>`)}</tbody></table></div></div>`;
  }

  /** @param {Score} score */
  #recent(score) {
    return html`<details class="part"><summary>The newest suggestions <span class="muted">${score.recent.length}</span></summary><div class="body wide" tabindex="0" role="region" aria-label="The newest suggestions"><table>
      <thead><tr><th scope="col">Made</th><th scope="col">What</th><th scope="col" class="number">Stated</th><th scope="col">Became</th><th scope="col" class="number">R</th></tr></thead>
      <tbody>${score.recent.slice(0, RECENT).map((one) => html`<tr><td>${stamp(one.made_at)}</td><td>${one.ref.startsWith("plan_") ? html`<a href=${`/ideas/${one.ref}`}>${words(one.side)} ${one.symbol}</a>` : `${words(one.side)} ${one.symbol}`} ${badge(one.provenance)}</td>
        <td class="number">${chance(one.stated)}</td><td>${words(one.state)}${one.ambiguous ? ", ambiguous" : ""}</td><td class="number ${tone(one.r)}">${one.r === null ? "–" : signed(one.r)}</td></tr>`)}</tbody></table></div></details>`;
  }
}

/** Names a kind of suggestion: `orb/1/long/intraday` is "orb, long, intraday".
 * @param {string} key */
function setupName(key) {
  const [setup, , side, horizon] = key.split("/");
  return [setupWords(setup), side, horizon].filter(Boolean).join(", ");
}

/** Says honestly what the record shows; too few outcomes show nothing.
 * @param {SetupScore} one */
function verdict(one) {
  if (!one.enough) return html`<span class="muted">too few to judge, ${one.ended} of ${ENOUGH}</span>`;
  if (tone(one.mean_r) !== "gain") return html`<b class="warn">no edge</b>`;
  return one.stated && one.ci95 && Number(one.stated) > Number(one.ci95[1]) ? html`<b class="warn">stated too high</b>` : html`gains so far`;
}

/** Draws stated against realised; the table beside it says the same.
 * @param {Score} score */
function diagram(score) {
  const side = SIDE_PX - LEFT_PX - RIGHT_PX;
  const x = (/** @type {string | number} */ share) => LEFT_PX + Number(share) * side;
  const y = (/** @type {string | number} */ share) => 8 + (1 - Number(share)) * side;
  const most = Math.max(...score.bins.map((bin) => bin.n), 1), high = side + 8 + FOOT_PX;
  return html`<svg class="diagram" width=${SIDE_PX} height=${high} viewBox="0 0 ${SIDE_PX} ${high}" role="img"
    aria-label=${sentence(`Reliability diagram: ${score.bins.map((bin) => `stated ${chance(bin.mean_p)}, came ${chance(bin.hit_rate)}, n ${bin.n}`).join("; ")}`)}>
    ${[0, .5, 1].map((at) => svg`<line class="grid" x1=${x(at)} x2=${x(at)} y1=${y(0)} y2=${y(1)} /><line class="grid" x1=${x(0)} x2=${x(1)} y1=${y(at)} y2=${y(at)} />
      <text x=${x(at)} y=${y(0) + 13} text-anchor="middle">${at * 100}%</text><text x=${LEFT_PX - 4} y=${y(at) + 4} text-anchor="end">${at * 100}%</text>`)}
    <line class="ideal" x1=${x(0)} y1=${y(0)} x2=${x(1)} y2=${y(1)} />
    ${score.bins.map((bin) => svg`<line class="whisker" x1=${x(bin.mean_p)} x2=${x(bin.mean_p)} y1=${y(bin.ci95[0])} y2=${y(bin.ci95[1])} />
      <circle cx=${x(bin.mean_p)} cy=${y(bin.hit_rate)} r=${3 + 4 * Math.sqrt(bin.n / most)} /><text x=${x(bin.mean_p) + 9} y=${y(bin.hit_rate) - 6}>${bin.n}</text>`)}
    <text x=${x(.5)} y=${high - 2} text-anchor="middle">stated</text></svg>`;
}

customElements.define("cornerman-scoreboard", CornermanScoreboard);
