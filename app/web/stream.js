// @ts-check
// Owns the reading of an event stream: resume by id, a dead line noticed, backoff, pause when hidden.

const SILENCE_MS = 30_000;
const BACKOFF_MS = [500, 1000, 2000, 5000, 10_000];
const HIDDEN_MS = 60_000;

/** One stream that stays open. `on` gets every event once, in order; `say` its connection state. */
export class Stream {
  #path; #on; #say; #last; #tries = 0; #closed = false; #timer = 0; #hidden = 0;
  /** @type {AbortController | null} */ #abort = null;

  /** @param {string} path @param {string} after
   * @param {(event: import("./events.js").CoachEvent, id: string) => void} on
   * @param {(state: "open" | "lost" | "refused", why?: string) => void} say */
  constructor(path, after, on, say) {
    this.#path = path;
    this.#last = after;
    this.#on = on;
    this.#say = say;
    document.addEventListener("visibilitychange", this.#seen);
    void this.#run();
  }

  /** Ends the stream for good. */
  close() {
    this.#closed = true;
    document.removeEventListener("visibilitychange", this.#seen);
    clearTimeout(this.#timer);
    clearTimeout(this.#hidden);
    this.#abort?.abort();
  }

  #seen = () => {
    clearTimeout(this.#hidden);
    if (document.hidden) this.#hidden = window.setTimeout(() => this.#abort?.abort(), HIDDEN_MS);
    else if (!this.#abort) this.#again(0);
  };

  /** @param {number} wait */
  #again(wait) {
    clearTimeout(this.#timer);
    if (!this.#closed) this.#timer = window.setTimeout(() => void this.#run(), wait);
  }

  async #run() {
    if (this.#closed || this.#abort) return;
    const abort = new AbortController();
    this.#abort = abort;
    try {
      const answer = await fetch(`/api/v1/${this.#path}`, {
        signal: abort.signal, credentials: "same-origin", cache: "no-store",
        headers: { Accept: "text/event-stream", ...(this.#last ? { "Last-Event-ID": this.#last } : {}) },
      });
      if (!answer.ok || !answer.body) throw new Refused(answer.status);
      this.#tries = 0;
      this.#say("open");
      await this.#read(answer.body, abort);
      this.#say("lost", "reconnecting");
    } catch (error) {
      this.#failed(error);
    }
    this.#abort = null;
    if (document.hidden || this.#closed) return;
    this.#again(BACKOFF_MS[Math.min(this.#tries++, BACKOFF_MS.length - 1)]);
  }

  /** @param {unknown} error */
  #failed(error) {
    if (this.#closed) return;
    if (error instanceof Refused && error.status === 401) this.#say("refused", "signed out");
    else if (error instanceof Refused && error.status === 429) this.#say("lost", "too many open tabs");
    else this.#say("lost", "reconnecting");
  }

  /** @param {ReadableStream<Uint8Array>} body @param {AbortController} abort */
  async #read(body, abort) {
    const reader = body.getReader();
    const decoder = new TextDecoder();
    let rest = "";
    let watch = window.setTimeout(() => abort.abort(), SILENCE_MS);
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        clearTimeout(watch);
        watch = window.setTimeout(() => abort.abort(), SILENCE_MS);
        const frames = (rest + decoder.decode(value, { stream: true })).replaceAll("\r\n", "\n").split("\n\n");
        rest = frames.pop() ?? "";
        frames.forEach((frame) => this.#take(frame));
      }
    } finally {
      clearTimeout(watch);
    }
  }

  /** @param {string} frame */
  #take(frame) {
    let data = "";
    for (const line of frame.split("\n")) {
      if (line.startsWith("id:")) this.#last = line.slice(3).trim();
      else if (line.startsWith("data:")) data += line.slice(5).replace(/^ /, "");
    }
    if (data) this.#on(JSON.parse(data), this.#last);
  }
}

class Refused extends Error {
  /** @param {number} status */
  constructor(status) {
    super(`refused with ${status}`);
    this.status = status;
  }
}
