// @ts-check
// Owns one conversation: what was said, in blocks, kept current by its event stream.
import { add, changed, see } from "./cards.js";
import { get, post } from "./api.js";
import { loadAlerts } from "./lists.js";
import { Stream } from "./stream.js";
import { showPlan } from "./refresh.js";
import { update } from "./state.js";

/** @typedef {import("./wire.js").ToolCall} ToolCall */
/** @typedef {{kind: "text", id: string, text: string, done: boolean, marks: import("./events.js").Mark[]}} Text */
/** @typedef {{kind: "tools", calls: ToolCall[]} | {kind: "card", id: string} | {kind: "notice", text: string, retry: boolean} | Text} Block */
/** @typedef {{role: "user" | "assistant", id: string, run: string, at: string, blocks: Block[]}} Turn */

/** @type {Record<string, string>} */
const STOPPED = {
  step_limit: "I stopped at my limit of steps for one answer.",
  call_limit: "I stopped at my limit of look-ups for one answer.",
  token_budget: "I stopped: this answer's budget is used up.",
  deadline: "I stopped: this took too long.",
  repeated_calls: "I stopped: I was asking for the same thing again.",
  cancelled: "Stopped, as you asked.",
  model_error: "The language model failed. Nothing was sent anywhere.",
  blocked: "This answer was blocked by a safety rule.",
};

/** The tools whose result is a plan. */
const PLANNERS = new Set(["plan", "plan_check"]);
const MAKERS = new Set(["propose_order", "propose_bracket", "replace_order", "cancel_order", "position_action"]);

/** Whether a call made a card: a moved stop or a hedge may leave none.
 * @param {import("./wire.js").ToolCall} call */
const drew = (call) => call.name !== "position_action" || (call.digest ?? "").includes("Prepared");

export class Conversation {
  /** @type {Turn[]} */ turns = [];
  /** @type {{id: string, title: string}[]} */ list = [];
  id = "";
  run = "";
  step = "";
  /** The last text sent, to offer it again. */
  sent = "";
  /** @type {Stream | null} */ #stream = null;
  #redraw; #speak;

  /** @param {() => void} redraw @param {(sentence: string) => void} speak */
  constructor(redraw, speak) {
    this.#redraw = redraw;
    this.#speak = speak;
  }

  /** Opens the newest conversation, or none yet: the first message starts one. */
  async openNewest() {
    this.list = (await get("coach/conversations")).items;
    if (this.list.length) await this.open(this.list[0].id);
    else update({ chatLine: "open" });
    this.#redraw();
  }

  /** @param {string} id */
  async open(id) {
    this.close();
    this.id = id;
    update({ conversation: id });
    await this.#load();
  }

  /** Leaves the screen empty; the next message starts a new conversation. */
  begin() {
    this.close();
    Object.assign(this, { id: "", turns: [], run: "", step: "" });
    update({ chatLine: "open", conversation: "", plan: null });
    this.#redraw();
  }

  close() {
    this.#stream?.close();
    this.#stream = null;
  }

  async #load() {
    const id = this.id;
    const [said, proposals] = await Promise.all([get(`coach/conversations/${id}/messages`),
      get("proposals")]);
    if (id !== this.id) return;
    this.#take(said.items);
    void showPlan(/** @type {import("./wire.js").Message[]} */ (said.items).flatMap((item) => item.tools ?? [])
      .findLast((call) => call.ok && PLANNERS.has(call.name))?.ref ?? "");
    this.#place(/** @type {import("./wire.js").Proposal[]} */ (proposals.items).filter((one) => one.conversation_id === id));
    this.#redraw();
    this.#stream ??= new Stream(`coach/conversations/${id}/events`, said.cursor,
      (event) => this.#on(event), (line, why) => update({ chatLine: why ?? line }));
  }

  /** @param {import("./wire.js").Message[]} items */
  #take(items) {
    this.turns = [];
    for (const item of items) {
      if (item.role === "user") {
        this.turns.push({ role: "user", id: item.id, run: item.run_id, at: item.at,
          blocks: [{ kind: "text", id: item.id, text: item.text, done: true, marks: [] }] });
        continue;
      }
      const turn = this.#answer(item.run_id, item.at);
      if (item.text) turn.blocks.push({ kind: "text", id: item.id, text: item.text, done: true, marks: item.marks });
      if (item.tools.length) turn.blocks.push({ kind: "tools", calls: item.tools });
    }
    const last = this.turns.at(-1);
    this.run = last?.role === "user" ? last.run : "";
  }

  /** Puts this conversation's cards (newest first) under the calls that made them; an edited card
   * stands under the one it replaced.
   * @param {import("./wire.js").Proposal[]} proposals */
  #place(proposals) {
    const makers = this.turns.flatMap((turn) => turn.blocks.flatMap((block) => block.kind === "tools"
      ? block.calls.filter((call) => call.ok && MAKERS.has(call.name) && drew(call)).map(() => turn) : []));
    const edited = makers.length < proposals.length;
    /** @type {Map<string, Turn>} */ const places = new Map();
    const made = proposals.filter((one) => !(edited && one.supersedes));
    made.forEach((one, at) => places.set(one.id, makers.at(-1 - at) ?? this.#answer(this.turns.at(-1)?.run ?? "", "")));
    for (const one of [...proposals].reverse()) {
      const turn = places.get(one.id) ?? places.get(one.supersedes ?? "") ?? this.turns.at(-1);
      if (!turn) continue;
      places.set(one.id, turn);
      this.#card(turn, one.id);
    }
  }

  /** Sends a message; the answer arrives by the stream. Raises `ApiError`.
   * @param {string} text */
  async send(text) {
    this.sent = text;
    if (!this.id) {
      const made = await post("coach/conversations", {});
      this.id = made.id;
      update({ conversation: made.id });
      this.list = [made, ...this.list];
      await this.#load();
    }
    const posted = await post(`coach/conversations/${this.id}/messages`, { text });
    if (!this.turns.some((turn) => turn.id === posted.message_id)) {
      const mine = /** @type {Turn} */ ({ role: "user", id: posted.message_id, run: posted.run_id,
        at: new Date().toISOString(),
        blocks: [{ kind: "text", id: posted.message_id, text: posted.tokens_removed
          ? `${text.replace(/ct_[A-Za-z0-9_-]{20,}/g, "[token removed]")}` : text, done: true, marks: [] }] });
      const answer = this.turns.findIndex((turn) => turn.role === "assistant" && turn.run === posted.run_id);
      if (answer >= 0) this.turns.splice(answer, 0, mine);
      else { this.turns.push(mine); this.run = posted.run_id; this.step = "Starting"; }
    }
    this.#redraw();
  }

  /** The newest plan of the conversation: the one that "it" means. */
  get newestPlan() {
    return this.turns.flatMap((turn) => turn.blocks.flatMap((block) => block.kind === "tools" ? block.calls : []))
      .findLast((call) => call.ok && PLANNERS.has(call.name));
  }

  async cancel() {
    if (!this.run) return;
    this.step = "Stopping";
    this.#redraw();
    await post(`coach/runs/${this.run}/cancel`);
  }

  /** @param {string} run @param {string} at @returns {Turn} */
  #answer(run, at) {
    const last = this.turns.at(-1);
    if (last?.role === "assistant" && last.run === run) return last;
    const found = this.turns.find((turn) => turn.role === "assistant" && turn.run === run);
    if (found && run) return found;
    const made = /** @type {Turn} */ ({ role: "assistant", id: `a_${run}`, run, at, blocks: [] });
    this.turns.push(made);
    return made;
  }

  /** @param {Turn} turn @param {string} id */
  #card(turn, id) {
    see(id);
    const there = this.turns.some((one) => one.blocks.some((block) => block.kind === "card" && block.id === id));
    if (!there) turn.blocks.push({ kind: "card", id });
  }

  /** @param {string} run @param {string} id @returns {Text} */
  #text(run, id) {
    const turn = this.#answer(run, "");
    const found = turn.blocks.find((block) => block.kind === "text" && block.id === id);
    if (found) return /** @type {Text} */ (found);
    const made = /** @type {Text} */ ({ kind: "text", id, text: "", done: false, marks: [] });
    const card = turn.blocks.findIndex((block) => block.kind === "card");
    turn.blocks.splice(card < 0 ? turn.blocks.length : card, 0, made);
    return made;
  }

  /** @param {import("./events.js").CoachEvent} event */
  #on(event) {
    const run = event.run ?? "";
    switch (event.type) {
      case "run.started": this.run = run; this.step = "Reading your message"; this.#answer(run, event.ts); break;
      case "step.started": this.step = event.step > 1 ? `Thinking, step ${event.step}` : "Thinking"; break;
      case "tool.started": this.#toolStarted(event, run); break;
      case "tool.finished": this.#toolFinished(event, run); break;
      case "text.delta": this.#text(run, event.message_id).text += event.text; this.step = "Answering"; break;
      case "text.reset": this.#text(run, event.message_id).text = ""; break;
      case "text.done":
        Object.assign(this.#text(run, event.message_id), { text: event.text, marks: event.marks, done: true });
        this.#speak(event.text);
        break;
      case "proposal.pending": add(event.proposal_id); this.#card(this.#answer(run || (this.turns.at(-1)?.run ?? ""), event.ts), event.proposal_id); break;
      case "proposal.changed": changed(event); break;
      case "run.finished": this.#ended(run, STOPPED[event.stop_reason] ?? "", event.stop_reason === "model_error"); break;
      case "run.error": this.#ended(run, `${event.message}.`, event.retryable); break;
      case "resync": void this.#load(); break;
    }
    this.#redraw();
  }

  /** @param {import("./events.js").ToolStarted} event @param {string} run */
  #toolStarted(event, run) {
    const turn = this.#answer(run, event.ts);
    const last = turn.blocks.at(-1);
    const call = { call_id: event.call_id, name: event.name, label: event.label, running: true };
    if (last?.kind === "tools") last.calls.push(call);
    else turn.blocks.push({ kind: "tools", calls: [call] });
    this.step = event.label || event.name;
  }

  /** @param {import("./events.js").ToolFinished} event @param {string} run */
  #toolFinished(event, run) {
    for (const block of this.#answer(run, event.ts).blocks) {
      if (block.kind !== "tools") continue;
      const call = block.calls.find((one) => one.call_id === event.call_id);
      if (call) Object.assign(call, { running: false, ok: event.ok, digest: event.digest, ref: event.ref,
        source: event.source, duration_ms: event.duration_ms, error: event.error });
    }
    if (event.ok && PLANNERS.has(event.name)) void showPlan(event.ref);
    if (event.ok && event.name.startsWith("alert_")) void loadAlerts();
  }

  /** @param {string} run @param {string} said @param {boolean} retry */
  #ended(run, said, retry) {
    if (said) this.#answer(run, "").blocks.push({ kind: "notice", text: said, retry });
    if (this.run === run) Object.assign(this, { run: "", step: "" });
  }
}
