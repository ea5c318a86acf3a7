// The bodies of the JSON API as the page reads them. Numbers are decimal text.

export interface Problem {
  code: string; message: string; hint: string; facts: Record<string, unknown>;
  field?: string; retryable: boolean; request_id: string; status: number;
}
export interface Session {
  user: { id: string; name: string }; tenant: string; mode: "local" | "served";
  surface: string; scopes: string[];
}
export interface Feature { name: string; on: boolean; why: string; todo: string }
export interface Config {
  version: string; mode: string; features: Feature[];
  feed: { name: string; provenance: string; as_of: string | null; on: boolean; why: string; todo: string };
  providers: Provider[]; stream: StreamState | null;
  model: { name: string; calls_tools: boolean; why: string };
}
export interface StreamState {
  phase: "off" | "connecting" | "live" | "silent" | "waiting" | "refused" | "not_leader";
  since: string; last_frame_at: string | null; reconnects: number; reason: string; todo: string;
}
export interface Product { feature: string; on: boolean; why: string; todo: string }
export interface Provider {
  name: string; host: string; on: boolean; why: string; todo: string; provenance: string | null;
  products: Product[]; breaker: "closed" | "open" | "half_open"; requests_used: number;
  requests_allowed: number; limited_for_s: number; failed_over_to: string | null;
  checked_at: string | null;
}
export interface Labelled { as_of: string; provenance: string; source: string }
export interface MarketStatus extends Labelled {
  state: "open" | "closed" | "pre" | "post"; next_open: string | null; next_change: string | null;
  half_day?: boolean;
}
export interface ReplayClock extends Labelled { paused: boolean; speed: number }
export interface Instrument { symbol: string; name: string; currency: string }
export interface Quote extends Labelled {
  symbol: string; bid: string; ask: string; last: string; mid: string; spread_pct: string;
  bid_size: string | null; ask_size: string | null; currency: string;
}
export interface Price {
  symbol: string; last?: string | null; bid?: string | null; ask?: string | null; ts: string;
  change_pct?: string | null; bid_size?: string | null; ask_size?: string | null; heard_ms?: number; provenance: string; source: string;
}
export interface Watchlist { id: string; name: string; symbols: string[] }
export interface Alert extends Labelled {
  id: string; symbol: string; kind: string; level: string | null; effective: string | null; timeframe: string;
  mode: string; basis: string; repeat: boolean; state: string; flags: string[]; expires_at: string | null;
  triggers: number; note: string; note_why: string; text: string; last_event_at: string | null;
  subject: string; moments: string[]; risk_state: string | null;
}
export interface Trigger extends Labelled { id: string; at: string; price: string; gap: boolean; late_s: number; provisional: boolean; what: string }
export interface Risk extends Labelled {
  portfolio_id: string; state: "ok" | "warn" | "breach" | "frozen"; reason: string; text: string; currency: string;
  equity: string | null; one_r: string | null; open_risk: string | null; open_risk_r: string | null; gross: string | null;
  net: string | null; day_pnl: string | null; day_r: string | null; week_pnl: string | null; breaches: string[]; flags: string[];
  cools_until: string | null; market_open: boolean;
  limits: { name: string; label: string; value: string; limit: string; used: string }[];
  positions: { symbol: string; side: string; quantity: string; stop: string | null; open_risk: string; open_risk_r: string }[];
}
export interface Rule { canonical: string; rule: Record<string, unknown>; alert: Alert | null; flags: string[] }
export interface NextAction { text: string; tool?: string | null; arguments?: Record<string, unknown> | null }
export interface Notice {
  id: number; level: "info" | "warning" | "critical"; topic: string; message: string;
  next_action: NextAction | null; at: string; read_at: string | null;
}
export interface Notices { items: Notice[]; unread: number; cursor: number }
export interface Finding { code: string; detail: string; at?: string; severity?: string }
export interface Freeze {
  id: string; scope: string; code: string; subject: string; reason: string; findings: Finding[];
  opened_at: string; auto_clear: boolean; clean_needed: number; clean_seen: number; unfreezes: string;
  cleared_at: string | null;
}
export interface Health {
  symbol: string; level: "green" | "amber" | "red"; age_s: number | null; findings: Finding[];
  last_good: { price: string; at: string; provenance: string } | null; freeze: string | null; unfreezes: string | null;
}
export interface Bar { t: string; o: string; h: string; l: string; c: string; v: string; complete: boolean }
export interface History extends Labelled {
  symbol: string; timeframe: string; bars: Bar[]; closed_provenance: string;
  left_out: { t: string; code: string }[]; note: string;
}
export interface Held {
  listing: string; symbol: string; quantity: string; average_cost: string; last: string | null;
  market_value: string | null; unrealised: string | null; unrealised_pct: string | null;
  r?: string | null; stop?: string | null;
  provenance: string; source: string; as_of: string | null; missing: string;
}
export interface Amount { amount: string; currency: string }
export interface Valuation extends Labelled {
  currency: string; equity: string | null; day_pnl: string | null; unrealised: string | null;
  market_value: string | null; holdings: Held[]; flags: string[];
  cash: { posted: Amount; reserved: Amount; available: Amount };
}
export interface Account { id: string; broker: string; mode: string; currency: string }
export interface Portfolio {
  portfolio: { id: string; name: string }; account: Account; valuation: Valuation;
}
export interface Order {
  id: string; proposal_id: string; state: string; reason: string; symbol: string; side: string;
  quantity: string; filled_quantity: string; avg_price: string | null; type: string; tif: string;
  limit_price: string | null; stop_price: string | null; protective_stop: string | null;
  order_class: string | null; take_profit: string | null; stop_loss: string | null; parent_id: string | null;
  mode: string; provenance: string; updated_at: string; confirmed_at: string; is_open: boolean;
}
export interface Fill {
  id: string; order_id: string; symbol: string; side: string; quantity: string; price: string;
  commission: string; currency: string; provenance: string; at: string; corrected: string;
}
export interface CardLine { label: string; value: string; note?: string }
export interface Card {
  title: string; lines: CardLine[]; warnings: string[]; mode: string; provenance: string;
  account: string; typed: null | { prompt: string; expected_hint: string };
}
export interface Challenge {
  token: string; version: number; order_hash: string; expires_at: string; server_time: string;
  card: Card;
}
export interface Terms {
  symbol: string; side: string; quantity: string; type: string; limit_price: string | null;
  stop_price: string | null; protective_stop: string | null;
  order_class?: string | null; take_profit?: string | null; stop_loss?: string | null;
}
export interface Proposal {
  id: string; version: number; kind: string; status: string; status_reason: string;
  expires_at: string; order: Terms; order_hash: string; card: Card; conversation_id: string;
  supersedes: string | null; order_id: string | null; order_state: string | null;
}
export interface Switch { state: string; reason: string; since: string | null }
export interface ToolCall {
  call_id: string; name: string; label?: string; ok?: boolean; digest?: string; ref?: string;
  source?: import("./events.js").Source[]; duration_ms?: number; running?: boolean;
  error?: import("./events.js").Fault;
}
export interface Message {
  id: string; role: "user" | "assistant"; text: string; run_id: string; at: string;
  tools: ToolCall[]; marks: import("./events.js").Mark[];
}
export interface Level { price: number; title: string; tone: "entry" | "stop" | "target" | "held" }
export interface Plan extends Labelled {
  ref: string; symbol: string; side: string; entry: string; stop: string; targets: string[]; errors: string[];
}
export interface Activity { at: string; text: string; tone: string; ref?: string }
