// @ts-check
// Owns the element `cornerman-idea`: the read-only pages of one plan and of the scoreboard; nothing is ordered here.
import { html, LitElement } from "./vendor/lit.js";
import { ApiError, get } from "./api.js";
import { sentence, waiting } from "./panel.js";
import "./plan_card.js";
import "./scoreboard.js";
import "./signin.js";

const IDEAS = "/ideas/";
const SIGNED_OUT = 401;

class CornermanIdea extends LitElement {
  static properties = { phase: { state: true }, problem: { state: true } };

  constructor() {
    super();
    /** @type {"reading" | "ready" | "signin" | "trouble"} */ this.phase = "reading";
    /** @type {ApiError | null} */ this.problem = null;
    const theme = localStorage.getItem("cornerman.theme");
    if (theme) document.documentElement.dataset.theme = theme;
  }

  createRenderRoot() {
    return this;
  }

  connectedCallback() {
    super.connectedCallback();
    document.title = location.pathname.startsWith(IDEAS) ? "Idea | Cornerman" : "Scoreboard | Cornerman";
    void this.start();
  }

  async start() {
    this.phase = "reading";
    try {
      await get("auth/session");
      this.phase = "ready";
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.problem = error;
      this.phase = error.status === SIGNED_OUT ? "signin" : "trouble";
    }
  }

  render() {
    const path = decodeURIComponent(location.pathname);
    const id = path.startsWith(IDEAS) ? path.slice(IDEAS.length) : "";
    if (this.phase === "signin") return html`<cornerman-signin .again=${() => this.start()}></cornerman-signin>`;
    return html`<a class="skip" href="#main">Skip to the content</a>
      <header class="top"><h1><a href="/">Cornerman</a></h1><nav class="ways" aria-label="Pages"><a href="/">Desk</a>
        <a href="/scoreboard" aria-current=${id ? "false" : "page"}>Scoreboard</a></nav></header>
      <main id="main" class="page" tabindex="-1"><h2 class="sr">${id ? "Idea" : "Scoreboard"}</h2>${this.phase === "reading" ? waiting("The page")
        : this.phase === "trouble" ? html`<div class="off-state" role="alert"><p class="problem">${sentence(this.problem?.message ?? "")} ${sentence(this.problem?.hint ?? "")}</p>
            <button @click=${() => this.start()}>Try again</button></div>`
          : id ? html`<cornerman-plan .ref=${id} whole></cornerman-plan>` : html`<div class="panel"><cornerman-scoreboard></cornerman-scoreboard></div>`}</main>`;
  }
}

customElements.define("cornerman-idea", CornermanIdea);
