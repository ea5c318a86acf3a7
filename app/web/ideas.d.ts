// The plan document and the answers about ideas as the page reads them. Numbers are decimal text.
import type { Labelled } from "./wire.js";

export interface Citation {
  provider: string; dataset: string; symbol: string; timeframe?: string; first_ts?: string; last_ts: string;
  retrieved_at?: string; provenance: string; bar_hash?: string; doc_hash?: string;
}
export interface Component { name: string; weight: string; value?: string | null; inputs: Record<string, string>; source: string[] }
export interface PlanTarget {
  n: number; price: string; r: string; fraction: string; p_reach: string; kind: "tp" | "runner_extension"; snapped_to?: string | null;
}
export interface Confidence {
  value: string; tier: "prior" | "platt" | "isotonic"; n: number; wins: number; p0: string; p_breakeven_tp1: string;
  ci95?: [string, string] | null; calibrator_hash?: string | null; edge: string; flags: string[];
}
export interface OptionIdea { kind: string; contract: string; why: string; metrics: Record<string, unknown>; exits?: Record<string, string>[] }
export interface ComposedPlan extends Labelled {
  schema: "plan/v1"; ref: string; plan_id: string; idea_hash: string; plan_hash: string; inputs_hash: string;
  policy_hash: string; engine_version: string; symbol: string; currency: string; side: "long" | "short";
  style: string; timeframe: string; expires_at: string;
  setup: { id: string; version: string; trigger_ts: string; trigger_price: string; supporting: string[]; features: Record<string, string> };
  entry: { kind: string; lo: string; hi: string; worst: string; reference: string };
  stop: { price: string; method: string; candidates: Record<string, string>; stop_distance: string; risk_per_unit: string;
    cost_per_unit: string; atr: string; atr_multiple: string };
  targets: PlanTarget[]; management: Record<string, string>[]; invalidation: Record<string, string>[];
  time_stop: { kind: string; value: string };
  rr: { per_target: string[]; blended: string; band: string; p_breakeven_tp1: string; ev_r: string };
  confluence: { score?: string | null; coverage: string; components: Component[]; missing: string[]; flags: string[] };
  confidence?: Confidence | null;
  gap_risk?: { sigma_gap?: string | null; p_gap_through_stop?: string | null; expected_gap_r?: string | null; n: number } | null;
  option_alternatives: OptionIdea[]; option_rejects: Record<string, unknown>;
  warnings: { code: string; detail: string }[]; rationale: string[];
  trade_detail: { bars_to_trigger: number; levels: Record<string, string> };
  actionability: { state: string; next_open: string; order_type_hint: string };
  flags: string[]; idea_url: string; citations: Citation[]; contracts?: ContractSize[];
}
export interface ContractSize { contract: string; contracts: string; binding: string; premium: string; one_r: string; why: string }
export interface Reject { symbol: string; code: string; detail: string }
export interface PickLine extends Labelled {
  rank: number; symbol: string; side: string; style: string; setup: string; timeframe: string; entry: string; stop: string;
  targets: string[]; rr: string; score: string | null; confidence: string | null; confidence_tier: string;
  edge: string | null; state: string; plan_id: string | null;
}
export interface Picks extends Labelled { items: PickLine[]; rejects: Reject[]; scanned: number; left_out: number }
export interface PlanLine extends Labelled {
  id: string; symbol: string; side: string; style: string; setup: string; timeframe: string; entry: string; stop: string;
  rr: string; score: string | null; confidence: string | null; confidence_tier: string | null; expires_at: string;
}
export interface Swing {
  symbol: string; plan_id: string; setup: string; timeframe: string; side: string; score: string | null;
  confidence?: Confidence; entry: { worst: string }; stop: string; targets: string[]; rr: { blended: string };
  snapshot_age_sessions?: number; flags: string[];
}
export interface Leaps {
  symbol: string; contract: string; expiry: string; strike: string; limit: string; dte: number; delta: string | null;
  open_interest: number; breakeven: string; cost_per_contract: string; flags: string[];
}
export interface WeekendPlan {
  session: string; as_of: string; scanned: number; left_out: number; swings: Swing[]; leaps: Leaps[];
  swing_rejects: Reject[]; leaps_rejects: Reject[]; watch?: WatchRow[]; leaps_limits?: { each: string; total: string };
  calendar: { sessions: string[]; holidays: string[]; half_days: string[]; earnings: { symbol: string; date: string; time: string | null; confirmed: boolean }[];
    earnings_unknown_because: string };
}
export interface WatchRow {
  symbol: string; close: string; week_high?: string; week_low?: string; below_high_pct: string;
  trend_weekly?: string; ema20?: string; ema200?: string; range_pct?: string; nearest: string;
}
export interface Weekend extends Labelled {
  hash: string | null; generated_at: string | null; plan: WeekendPlan | null; why: string | null; todo: string | null;
}
export interface SetupScore {
  key: string; real: boolean; taken: number; ended: number; hits: number; hit_rate: string | null; ci95: [string, string] | null;
  stated: string | null; mean_r: string | null; enough: boolean;
}
export interface Bin { low: string; high: string; n: number; hits: number; mean_p: string; hit_rate: string; ci95: [string, string] }
export interface Suggestion {
  ref: string; kind: string; symbol: string; side: string; record_key: string; stated: string | null; tier: string;
  state: string; reason: string; provenance: string; made_at: string; ended_at: string | null; r: string | null; ambiguous: boolean;
}
export interface Score {
  total: number; ended: number; states: Record<string, number>; reasons: Record<string, number>; by_setup: SetupScore[];
  real: boolean; stated_n: number; brier: string | null; reference: string | null; ece: string | null; bins: Bin[];
  recent: Suggestion[]; without: number; as_of: string;
}
export interface Untaken {
  ref: string; kind: string; symbol: string; side: string; made_at: string; fate: string; why: string; state: string; r: string | null; real: boolean;
}
export interface FateSum { fate: string; real: boolean; n: number; ended: number; sum_r: string; mean_r: string | null }
export interface NotTaken { rows: Untaken[]; sums: FateSum[]; as_of: string }
export interface Origin {
  what: string; provenance?: string; lines: [string, string][]; href?: string; said?: string;
}
