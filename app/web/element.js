// @ts-check
// Owns the base of the page's elements: plain light DOM, redrawn when a named part of the state changes.
import { LitElement } from "./vendor/lit.js";
import { listen } from "./state.js";

export class Live extends LitElement {
  /** The names in the state that this element draws. @type {string[]} */
  static uses = [];
  /** @type {(() => void) | null} */ #stop = null;

  createRenderRoot() {
    return this;
  }

  connectedCallback() {
    super.connectedCallback();
    const uses = /** @type {typeof Live} */ (this.constructor).uses;
    this.#stop = listen((changed) => {
      if (uses.some((name) => changed.has(name))) this.requestUpdate();
    });
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.#stop?.();
  }
}

/** True where a foreign page frames us: such a place chats and shows, it never confirms. */
export const FRAMED = window.top !== window;
