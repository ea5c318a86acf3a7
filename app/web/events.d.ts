// Generated from agent/events.py by: python -m agent.events_dts

export interface Mark {
  kind: "unverified" | "replaced";
  text: string;
}

export interface Source {
  provider: string;
  dataset: string;
  as_of: string;
  provenance: string;
  symbol?: string;
}

export interface Fault {
  code: string;
  message: string;
  hint: string;
}

interface Head {
  v: 1;
  stream: string;
  seq: number;
  ts: string;
  run?: string;
}

export interface RunStarted extends Head {
  type: "run.started";
}

export interface StepStarted extends Head {
  type: "step.started";
  step: number;
}

export interface TextPart extends Head {
  type: "text.delta";
  message_id: string;
  text: string;
}

export interface TextReset extends Head {
  type: "text.reset";
  message_id: string;
}

export interface TextDone extends Head {
  type: "text.done";
  message_id: string;
  text: string;
  marks: Mark[];
}

export interface ToolStarted extends Head {
  type: "tool.started";
  call_id: string;
  name: string;
  label: string;
  args_digest: string;
}

export interface ToolFinished extends Head {
  type: "tool.finished";
  call_id: string;
  name: string;
  ok: boolean;
  digest: string;
  ref: string;
  source: Source[];
  duration_ms: number;
  error?: Fault;
}

export interface SourceCited extends Head {
  type: "source";
  source: Source;
}

export interface ProposalPending extends Head {
  type: "proposal.pending";
  proposal_id: string;
  version: number;
  expires_at: string;
  summary: string;
}

export interface ProposalChanged extends Head {
  type: "proposal.changed";
  proposal_id: string;
  version: number;
  status: string;
  reason?: string;
  order_id?: string;
  order_state?: string;
  symbol?: string;
  side?: string;
  quantity?: string;
  filled_quantity?: string;
  avg_price?: string;
}

export interface Alert extends Head {
  type: "alert";
  level: "info" | "warning" | "critical";
  message: string;
  topic?: string;
  subject?: string;
  code?: string;
  notification_id?: number;
}

export interface Narration extends Head {
  type: "narration";
  key: string;
  text: string;
}

export interface RiskChanged extends Head {
  type: "risk";
  state: string;
  reason?: string;
}

export interface StateSnapshot extends Head {
  type: "state.snapshot";
  state: Record<string, unknown>;
  changed: string[];
}

export interface UsageReported extends Head {
  type: "usage";
  prompt_tokens: number;
  completion_tokens: number;
  estimated: boolean;
}

export interface RunFinished extends Head {
  type: "run.finished";
  stop_reason: "final" | "step_limit" | "call_limit" | "token_budget" | "deadline" | "repeated_calls" | "cancelled" | "model_error" | "blocked";
  unverified: string[];
}

export interface RunError extends Head {
  type: "run.error";
  code: string;
  message: string;
  retryable: boolean;
}

export interface Resync extends Head {
  type: "resync";
}

export type CoachEvent = RunStarted | StepStarted | TextPart | TextReset | TextDone | ToolStarted | ToolFinished | SourceCited | ProposalPending | ProposalChanged | Alert | Narration | RiskChanged | StateSnapshot | UsageReported | RunFinished | RunError | Resync;
export type CoachEventType = CoachEvent["type"];
