// The bodies about positions and orders that the book's own elements read. Numbers are decimal text.
import type { Fill, Order } from "./wire.js";

export interface PositionStop { listing: string; symbol: string; stop: string | null; stop_source: string; works: boolean }
export interface ActionCard {
  proposal_id: string; version: number; kind: "order" | "cancel" | "replace"; symbol: string; side: string; quantity: string;
  type: string; stop_price: string | null; target_order_id: string | null; expires_at: string;
}
export interface Check {
  symbol: string; name: string; verdict: "pass" | "warn" | "fail"; text: string; value: string | null;
  limit: string | null; source: string;
}
export interface Acted {
  action: string; symbol: string; cards: ActionCard[]; checks: Check[]; stop: string | null; before: string | null;
  step: string; skipped: { symbol: string; code: string; why: string }[]; summary: string;
}
export interface Transition { number: number; from_state: string; event: string; to_state: string; reason: string; at: string }
export interface AuditLine {
  seq: number; at: string; actor: string; actor_kind: string; kind: string; subject: string;
  facts: Record<string, unknown>; hash: string;
}
export interface OrderDetail extends Order { transitions: Transition[]; fills: Fill[] }
