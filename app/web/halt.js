// @ts-check
// Owns the element `cornerman-halt`: the switch that stops all trading, and its release with a reason.
import { html, nothing } from "./vendor/lit.js";
import { ApiError, post } from "./api.js";
import { Live } from "./element.js";
import { words } from "./format.js";
import { update, state } from "./state.js";

class CornermanHalt extends Live {
  static uses = ["halt"];
  static properties = { asking: { state: true }, problem: { state: true }, busy: { state: true } };

  constructor() {
    super();
    this.asking = false;
    this.problem = "";
    this.busy = false;
  }

  updated() {
    const dialog = this.querySelector("dialog");
    if (dialog && this.asking && !dialog.open) {
      dialog.querySelector("form")?.reset();
      dialog.showModal();
    }
    if (dialog && !this.asking && dialog.open) dialog.close();
  }

  /** @param {SubmitEvent} event */
  async #send(event) {
    event.preventDefault();
    const form = new FormData(/** @type {HTMLFormElement} */ (event.target));
    const reason = String(form.get("reason")).trim();
    const halted = this.#halted();
    this.busy = true;
    try {
      const body = halted ? { reason } : { reason, cancel_working: form.has("cancel") };
      update({ halt: await post(halted ? "resume" : "halt", body) });
      this.asking = false;
      this.problem = "";
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.problem = `${error.message}. ${error.hint}`;
    }
    this.busy = false;
  }

  #halted() {
    return !!state.halt && state.halt.state !== "ACTIVE";
  }

  render() {
    const halted = this.#halted();
    return html`
      <button class=${halted ? "resume" : "halt"} aria-haspopup="dialog" aria-label=${halted ? "Resume trading" : "Halt"} @click=${() => { this.asking = true; }}>
        ${halted ? "Resume" : "Halt"}</button>
      <dialog aria-label=${halted ? "Resume trading" : "Halt trading"} @close=${() => { this.asking = false; }}>
        <form @submit=${this.#send}>
          <h3>${halted ? "Resume trading" : "Halt all trading"}</h3>
          <p>${halted ? html`Trading is ${words(state.halt?.state)}: ${state.halt?.reason}. Say why it is safe again.`
            : "New orders stop at once. Cancels still pass. Positions stay as they are."}</p>
          <label>Reason <input name="reason" maxlength="300" autofocus ?required=${halted}
            placeholder=${halted ? "why it is safe" : "optional"}></label>
          ${halted ? nothing : html`<label class="check"><input type="checkbox" name="cancel"> Cancel working orders too</label>`}
          ${this.problem ? html`<p class="problem" role="alert">${this.problem}</p>` : nothing}
          <div class="actions"><button class=${halted ? "primary" : "danger"} ?disabled=${this.busy}>${halted ? "Resume" : "Halt now"}</button>
            <button type="button" @click=${() => { this.asking = false; }}>Back</button></div>
        </form>
      </dialog>`;
  }
}

customElements.define("cornerman-halt", CornermanHalt);
