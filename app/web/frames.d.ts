// Generated from app/http/ws_frames.py by: python -m app.http.ws_frames_dts

export interface Trade {
  ts: string;
  price: string;
  size: string;
}

export interface Welcome {
  seq: number;
  skipped?: number;
  type: "welcome";
  channels: string[];
  symbols_max: number;
  payload_bytes_max: number;
  heartbeat_ms: number;
  idle_close_ms: number;
}

export interface Subscribed {
  seq: number;
  skipped?: number;
  type: "subscribed";
  channels: string[];
  symbols: string[];
}

export interface Price {
  seq: number;
  skipped?: number;
  type: "price";
  symbol: string;
  last?: string;
  bid?: string;
  ask?: string;
  bid_size?: string;
  ask_size?: string;
  currency: string;
  ts: string;
  provenance: string;
  source: string;
  change_pct?: string;
}

export interface Trades {
  seq: number;
  skipped?: number;
  type: "trades";
  symbol: string;
  items: Trade[];
  left_out: number;
  provenance: string;
  source: string;
}

export interface Risk {
  seq: number;
  skipped?: number;
  type: "risk";
  state: string;
  reason: string;
  switch: string;
  switch_reason: string;
  items: (Record<string, unknown>)[];
  at: string;
}

export interface AlertRaised {
  seq: number;
  skipped?: number;
  type: "alert";
  level: "info" | "warning" | "critical";
  msg: string;
  at: string;
  meta: Record<string, unknown>;
}

export interface Alerts {
  seq: number;
  skipped?: number;
  type: "alerts";
  items: (Record<string, unknown>)[];
}

export interface Orders {
  seq: number;
  skipped?: number;
  type: "orders";
  items: (Record<string, unknown>)[];
  whole: boolean;
}

export interface Positions {
  seq: number;
  skipped?: number;
  type: "positions";
  items: (Record<string, unknown>)[];
}

export interface Resynced {
  seq: number;
  skipped?: number;
  type: "resync";
  channels: string[];
}

export interface Failed {
  seq: number;
  skipped?: number;
  type: "error";
  code: string;
  message: string;
  hint: string;
  symbol?: string;
}

export interface Pong {
  seq: number;
  skipped?: number;
  type: "pong";
  at: string;
}

export interface Heartbeat {
  seq: number;
  skipped?: number;
  type: "heartbeat";
  at: string;
}

export type SocketFrame = Welcome | Subscribed | Price | Trades | Risk | AlertRaised | Alerts | Orders | Positions | Resynced | Failed | Pong | Heartbeat;
export type SocketFrameType = SocketFrame["type"];
export type Channel = "price" | "trades" | "risk" | "alerts" | "orders" | "positions";
export type SocketRequest =
  | { type: "auth"; ticket: string }
  | { type: "subscribe" | "unsubscribe"; channels: Channel[]; symbols?: string[] }
  | { type: "ping" };
export type SocketProtocol = "cornerman.v1";
