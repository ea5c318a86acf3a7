// @ts-check
// Owns one event stream for all tabs of a browser: one tab reads, the others hear it, any may follow on.
import { Stream } from "./stream.js";

const HIDDEN_MS = 5000;
/** @typedef {import("./events.js").CoachEvent} CoachEvent */
/** @typedef {(line: "open" | "lost" | "refused", why?: string) => void} Say */

/** The tab that holds the lock reads the stream; when it closes or hides, the next one resumes at
 * the exact event. Without locks (an old browser) each tab reads for itself. */
export class SharedStream {
  #path; #on; #say; #last = ""; #hidden = 0; #closed = false;
  /** @type {[("open" | "lost" | "refused"), string | undefined] | null} */ #line = null;
  /** @type {Stream | null} */ #stream = null;
  /** @type {BroadcastChannel | null} */ #channel = null;
  /** @type {AbortController | null} */ #turn = null;
  #leave = () => {};

  /** @param {string} path @param {(event: CoachEvent) => void} on @param {Say} say */
  constructor(path, on, say) {
    this.#path = path;
    this.#on = on;
    this.#say = say;
    if (!navigator.locks) { this.#read(); return; }
    this.#channel = new BroadcastChannel(`cornerman ${path}`);
    this.#channel.onmessage = (message) => this.#hear(message.data);
    this.#channel.postMessage({ ask: true });
    document.addEventListener("visibilitychange", this.#seen);
    this.#queue();
  }

  /** Ends this tab's part; another tab goes on. */
  close() {
    this.#closed = true;
    clearTimeout(this.#hidden);
    document.removeEventListener("visibilitychange", this.#seen);
    this.#resign();
    this.#channel?.close();
  }

  #queue() {
    const turn = new AbortController();
    this.#turn = turn;
    navigator.locks.request(`cornerman ${this.#path}`, { signal: turn.signal }, () => this.#closed ? undefined
      : new Promise((/** @type {(value?: undefined) => void} */ resolve) => { this.#leave = resolve; this.#read(); }))
      .catch((error) => { if (error.name !== "AbortError") throw error; });
  }

  #read() {
    this.#stream = new Stream(this.#path, this.#last,
      (event, id) => { this.#channel?.postMessage({ event, id }); this.#take(event, id); },
      (line, why) => { this.#line = [line, why]; this.#channel?.postMessage({ line: this.#line }); this.#say(line, why); });
  }

  #resign() {
    this.#turn?.abort();
    this.#turn = null;
    this.#stream?.close();
    this.#stream = null;
    this.#line = null;
    this.#leave();
  }

  #seen = () => {
    clearTimeout(this.#hidden);
    if (document.hidden) this.#hidden = window.setTimeout(() => this.#resign(), HIDDEN_MS);
    else if (!this.#turn) this.#queue();
  };

  /** @param {CoachEvent} event @param {string} id */
  #take(event, id) {
    this.#last = id;
    this.#on(event);
  }

  /** @param {{ask?: boolean, event?: CoachEvent, id?: string, line?: ["open" | "lost" | "refused", string | undefined]}} data */
  #hear(data) {
    if (data.ask && this.#line) this.#channel?.postMessage({ line: this.#line });
    else if (data.line) this.#say(...data.line);
    else if (data.event) this.#take(data.event, data.id ?? "");
  }
}
