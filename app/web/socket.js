// @ts-check
// Owns the one WebSocket of this page: a ticket, subscriptions, gap and silence noticed, back-off.
import { ApiError, post } from "./api.js";

const PROTOCOL = "cornerman.v1";
const SILENCE_MS = 40_000;
const PING_MS = 10_000;
const HIDDEN_MS = 60_000;
const PROVEN_MS = 10_000;
const BACKOFF_MS = [1000, 2000, 5000, 15_000, 60_000];
const NONE = -1;
/** @type {Channel[]} */
const DESK = ["risk", "alerts"];
/** Closings that a quick return would only repeat: flood, too big, too many sockets. */
const PATIENT = new Set([1008, 1009, 4429]);
/** @typedef {import("./frames.js").SocketFrame} Frame */
/** @typedef {import("./frames.js").SocketRequest} Request */
/** @typedef {import("./frames.js").Channel} Channel */
/** @typedef {(phase: "connecting" | "live" | "polling", why: string) => void} Say */

export class LiveSocket {
  #on; #say; #pong;
  /** @type {WebSocket | null} */ #line = null;
  /** @type {string[]} */ #symbols = [];
  #closed = false; #opening = false; #welcome = false; #tries = 0; #seq = NONE; #asked = 0;
  #retry = 0; #silence = 0; #ping = 0; #hidden = 0; #proven = 0;

  /** @param {(frame: Frame) => void} on @param {Say} say @param {(ms: number) => void} pong */
  constructor(on, say, pong) {
    this.#on = on;
    this.#say = say;
    this.#pong = pong;
    document.addEventListener("visibilitychange", this.#seen);
    void this.#open();
  }

  /** Ends the socket for good. */
  close() {
    this.#closed = true;
    document.removeEventListener("visibilitychange", this.#seen);
    clearTimeout(this.#retry);
    clearTimeout(this.#hidden);
    this.#line?.close(1000);
  }

  /** Names the symbols whose prices are wanted; what is no longer wanted is given up.
   * @param {string[]} symbols */
  want(symbols) {
    const gone = this.#symbols.filter((one) => !symbols.includes(one));
    const fresh = symbols.filter((one) => !this.#symbols.includes(one));
    this.#symbols = symbols;
    if (!this.#welcome) return;
    if (gone.length) this.#send({ type: "unsubscribe", channels: ["price"], symbols: gone });
    if (fresh.length) this.#send({ type: "subscribe", channels: ["price"], symbols: fresh });
  }

  #seen = () => {
    clearTimeout(this.#hidden);
    if (document.hidden) this.#hidden = window.setTimeout(() => this.#line?.close(1000), HIDDEN_MS);
    else if (!this.#line) this.#again(0);
  };

  /** @param {number} wait */
  #again(wait) {
    clearTimeout(this.#retry);
    if (!this.#closed && !document.hidden) this.#retry = window.setTimeout(() => void this.#open(), wait);
  }

  async #open() {
    if (this.#closed || this.#line || this.#opening) return;
    this.#opening = true;
    try {
      const { ticket } = /** @type {{ticket: string}} */ (await post("auth/ws-token", {}, ""));
      if (!this.#closed) this.#connect(ticket);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#say("polling", error.status === 401 ? "signed out" : error.message);
      if (error.status !== 401) this.#again(this.#wait());
    } finally {
      this.#opening = false;
    }
  }

  /** @param {string} ticket */
  #connect(ticket) {
    const address = new URL("/ws", location.href);
    address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    const line = new WebSocket(address, [PROTOCOL]);
    this.#line = line;
    this.#seq = NONE;
    this.#welcome = false;
    line.onopen = () => this.#send({ type: "auth", ticket });
    line.onmessage = (message) => this.#take(message.data);
    line.onclose = (event) => this.#ended(line, event.code, event.reason);
    this.#watch();
  }

  /** @param {Request} frame */
  #send(frame) {
    if (this.#line?.readyState === WebSocket.OPEN) this.#line.send(JSON.stringify(frame));
  }

  #watch() {
    clearTimeout(this.#silence);
    this.#silence = window.setTimeout(() => this.#line?.close(4000, "silent"), SILENCE_MS);
  }

  /** @param {string} text */
  #take(text) {
    this.#watch();
    /** @type {Frame} */ const frame = JSON.parse(text);
    if (this.#seq !== NONE && frame.seq !== this.#seq + 1) { this.#line?.close(4000, "gap"); return; }
    this.#seq = frame.seq;
    if (frame.type === "welcome") this.#welcomed();
    else if (frame.type === "pong") { if (this.#asked) this.#pong(Math.round(performance.now() - this.#asked)); this.#asked = 0; }
    else this.#on(frame);
  }

  #welcomed() {
    this.#welcome = true;
    this.#send({ type: "subscribe", channels: this.#symbols.length ? ["price", ...DESK] : DESK, symbols: this.#symbols });
    this.#say("live", "");
    this.#proven = window.setTimeout(() => { this.#tries = 0; }, PROVEN_MS);
    const ask = () => { this.#asked = performance.now(); this.#send({ type: "ping" }); };
    ask();
    this.#ping = window.setInterval(ask, PING_MS);
  }

  #wait() {
    return BACKOFF_MS[Math.min(this.#tries++, BACKOFF_MS.length - 1)];
  }

  /** @param {WebSocket} line @param {number} code @param {string} reason */
  #ended(line, code, reason) {
    if (line !== this.#line) return;
    this.#line = null;
    this.#welcome = false;
    [this.#silence, this.#proven].forEach((timer) => clearTimeout(timer));
    clearInterval(this.#ping);
    if (this.#closed) return;
    if (PATIENT.has(code)) this.#tries = BACKOFF_MS.length;
    this.#say("polling", reason || (code === 1006 ? "the live line could not be opened" : `the live line closed (${code})`));
    this.#again(this.#wait());
  }
}
