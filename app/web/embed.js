// @ts-check
// Owns `<cornerman-chat api="https://…">` for foreign pages: it frames our origin and holds no secret.

const VERSION = 1;

class CornermanChat extends HTMLElement {
  /** @type {HTMLIFrameElement | null} */ #frame = null;
  #origin = "";

  connectedCallback() {
    const address = new URL(this.getAttribute("api") ?? "", location.href);
    if (address.protocol !== "https:" && address.hostname !== "127.0.0.1" && address.hostname !== "localhost") {
      this.textContent = "cornerman-chat: the api address must be https.";
      return;
    }
    this.#origin = address.origin;
    const frame = document.createElement("iframe");
    frame.src = `${address.origin}/embed`;
    frame.title = "Cornerman chat";
    frame.sandbox.add("allow-scripts", "allow-same-origin", "allow-forms", "allow-popups", "allow-popups-to-escape-sandbox");
    frame.referrerPolicy = "origin";
    Object.assign(frame.style, { border: "0", width: "100%", height: "100%", minHeight: "420px", colorScheme: "normal" });
    this.#frame = frame;
    this.style.display ||= "block";
    this.replaceChildren(frame);
    window.addEventListener("message", this.#hear);
  }

  disconnectedCallback() {
    window.removeEventListener("message", this.#hear);
    this.#frame = null;
  }

  /** Puts a text into the composer; the person still sends it.
   * @param {string} text */
  suggest(text) {
    this.#frame?.contentWindow?.postMessage({ cornerman: VERSION, type: "suggest", text: String(text).slice(0, 2000) }, this.#origin);
  }

  /** Only our own frame on our own origin is heard. */
  #hear = (/** @type {MessageEvent} */ event) => {
    if (event.origin !== this.#origin || event.source !== this.#frame?.contentWindow) return;
    if (event.data?.cornerman !== VERSION || event.data.type !== "ready") return;
    this.dispatchEvent(new CustomEvent("cornerman-ready"));
  };
}

if (!customElements.get("cornerman-chat")) customElements.define("cornerman-chat", CornermanChat);
