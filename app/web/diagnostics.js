// @ts-check
// Owns the element `cornerman-diagnostics`: connection, latency, providers, and what is off and why.
import { html, nothing } from "./vendor/lit.js";
import { Live } from "./element.js";
import { local, span, words } from "./format.js";
import { ageOf } from "./freshness.js";
import { badge } from "./label.js";
import { sentence, waiting } from "./panel.js";
import { state } from "./state.js";

const SLOW_MS = 2000;
const WARN_S = 15;
/** @type {Record<string, string>} */
const BREAKERS = { closed: "answers", open: "resting after failures", half_open: "trying again" };
const STREAM = "market stream";
/** @typedef {"green" | "amber" | "red" | "off"} Tone */
/** @type {Record<import("./wire.js").StreamState["phase"], Tone>} */
const PHASES = { off: "off", connecting: "amber", live: "green", silent: "red", waiting: "amber", refused: "red", not_leader: "off" };

class CornermanDiagnostics extends Live {
  static uses = ["config", "socket", "deskLine", "chatLine", "offline", "answer_ms", "prices", "status", "view"];

  /** @param {string} name @param {Tone} tone @param {string} said @param {string} [todo] */
  #line(name, tone, said, todo = "") {
    return html`<div><dt>${name}</dt><dd><span class="level ${tone}"><span class="dot" aria-hidden="true"></span>${said}</span>
      ${todo ? html`<p class="muted">${sentence(todo)}</p>` : nothing}</dd></div>`;
  }

  #socket() {
    const { phase, why, ping_ms, reconnects } = state.socket;
    const extra = reconnects ? `, reconnected ${reconnects} ${reconnects === 1 ? "time" : "times"}` : "";
    if (phase === "live") return this.#line("Live prices", "green", `pushed${ping_ms === null ? "" : `, ${ping_ms} ms`}${extra}`);
    if (phase === "connecting") return this.#line("Live prices", "amber", "connecting");
    return this.#line("Live prices", "amber", "asked for every few seconds", why ? `${why}; it is tried again by itself` : "");
  }

  #freshest() {
    const ages = Object.values(state.prices).map((one) => ageOf(one.ts)).filter((one) => one !== null);
    if (!ages.length) return this.#line("Oldest price", "off", "no price yet");
    const worst = Math.max(...ages);
    if (state.status?.state !== "open") return this.#line("Oldest price", "off", "market closed");
    return this.#line("Oldest price", worst > 60 ? "red" : worst > WARN_S ? "amber" : "green", span(worst), worst > WARN_S ? "See data health above" : "");
  }

  render() {
    const { config, offline, answer_ms } = state;
    if (state.view !== "Data") return nothing;
    if (!config) return html`<section aria-label="Diagnostics"><h3>Connection and providers</h3>${waiting("Diagnostics")}</section>`;
    const events = state.deskLine === "open" ? "open" : state.deskLine;
    return html`<section aria-label="Diagnostics"><h3>Connection and providers</h3>
      <dl class="lines">
        ${offline ? this.#line("Server", "red", "not reached", "Check that Cornerman runs")
          : this.#line("Server", (answer_ms ?? 0) > SLOW_MS ? "amber" : "green", `answers in ${answer_ms ?? "–"} ms`)}
        ${this.#line("Events", events === "open" ? "green" : "amber", events)}
        ${this.#socket()}${this.#freshest()}${this.#stream()}
      </dl>
      ${config.providers.length ? html`<ul class="rows providers">${config.providers.map((one) => this.#provider(one))}</ul>` : nothing}
      ${this.#off()}</section>`;
  }

  #stream() {
    const found = state.config?.stream;
    if (found) {
      const { phase, since, last_frame_at, reconnects, reason, todo } = found;
      const last = last_frame_at ? `last frame ${local(last_frame_at)}` : "no frame yet";
      const again = reconnects ? `, reconnected ${reconnects} ${reconnects === 1 ? "time" : "times"}` : "";
      return this.#line("Provider stream", PHASES[phase], `${words(phase)} since ${local(since)}, ${last}${again}${reason ? `: ${reason}` : ""}`, todo);
    }
    const stream = state.config?.features.find((one) => one.name === STREAM);
    return stream ? this.#line("Provider stream", stream.on ? "green" : "off", stream.why, stream.todo) : nothing;
  }

  /** @param {import("./wire.js").Provider} one */
  #provider(one) {
    const tone = !one.on ? "off" : one.breaker === "closed" ? "green" : one.breaker === "open" ? "red" : "amber";
    const quota = one.requests_allowed ? `${one.requests_used} of ${one.requests_allowed} requests this minute` : one.requests_used ? `${one.requests_used} requests this minute` : "";
    const refusedParts = (one.products ?? []).filter((part) => !part.on);
    return html`<li data-provider=${one.name}><p><b>${one.name}</b> ${badge(one.on ? one.provenance : null)}
        <span class="level ${tone}"><span class="dot" aria-hidden="true"></span>${one.on ? BREAKERS[one.breaker] ?? words(one.breaker) : "off"}</span></p>
      <p class="muted">${sentence(one.why)}${one.todo ? html` <b>${sentence(one.todo)}</b>` : nothing}</p>
      <p class="chips">${quota ? html`<span class="chip">${quota}</span>` : nothing}
        ${one.limited_for_s > 0 ? html`<span class="chip">limited for ${span(Number(one.limited_for_s))}</span>` : nothing}
        ${one.failed_over_to ? html`<span class="chip warn">values come from ${one.failed_over_to}</span>` : nothing}
        ${one.checked_at ? html`<span class="chip">checked ${local(one.checked_at)}</span>` : nothing}</p>
      ${refusedParts.length ? html`<ul class="plain">${refusedParts.map((part) => html`<li><b>${part.feature}</b>: off. ${sentence(part.why)} ${sentence(part.todo)}</li>`)}</ul>` : nothing}</li>`;
  }

  #off() {
    const off = (state.config?.features ?? []).filter((one) => !one.on);
    if (!off.length) return nothing;
    return html`<details class="off"><summary>What is off, and why (${off.length})</summary>
      <dl>${off.map((one) => html`<div><dt>${one.name}</dt><dd>${sentence(one.why)}${one.todo ? html` <b>${one.todo}</b>` : nothing}</dd></div>`)}</dl></details>`;
  }
}

customElements.define("cornerman-diagnostics", CornermanDiagnostics);
