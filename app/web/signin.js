// @ts-check
// Owns the element `cornerman-signin`: what a visitor without a session sees, with one way in.
import { LitElement, html, nothing } from "./vendor/lit.js";
import { ApiError, post } from "./api.js";
import { FRAMED } from "./element.js";
import { state } from "./state.js";

class CornermanSignin extends LitElement {
  static properties = { again: { attribute: false }, problem: { state: true } };

  constructor() {
    super();
    /** @type {() => Promise<void>} */ this.again = async () => {};
    this.problem = "";
  }

  createRenderRoot() {
    return this;
  }

  /** @param {SubmitEvent} event */
  async #send(event) {
    event.preventDefault();
    const form = new FormData(/** @type {HTMLFormElement} */ (event.target));
    const body = { name: String(form.get("name")), password: String(form.get("password")), ...(FRAMED ? { frame: true } : {}) };
    try {
      await post("auth/login", body);
      await this.again();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.problem = `${error.message}. ${error.hint}`;
    }
  }

  render() {
    const signedOut = state.problem?.status === 401;
    return html`<main id="main" class="signin"><h1>Cornerman</h1>
      ${!signedOut ? html`<p class="problem" role="alert">${state.problem?.message}. ${state.problem?.hint}</p>
          <button class="primary" @click=${() => this.again()}>Try again</button>`
        : location.protocol === "https:" ? html`<form @submit=${this.#send}>
          <label>Name <input name="name" autocomplete="username" required autofocus></label>
          <label>Password <input name="password" type="password" autocomplete="current-password" required></label>
          ${this.problem ? html`<p class="problem" role="alert">${this.problem}</p>` : nothing}
          <button class="primary">Sign in</button></form>`
          : html`<p class="lead">Open the login link that the terminal printed.</p>
          <p class="muted">It works once, within ten minutes of the start. Start <code>cornerman serve</code> again for a new one.</p>
          <button @click=${() => this.again()}>I have opened it</button>`}
    </main>`;
  }
}

customElements.define("cornerman-signin", CornermanSignin);
