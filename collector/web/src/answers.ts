// What the API answers; openapi.json beside this folder is the contract.

export type Impact = "aborted" | "refused" | "benign" | "unknown";
export type Agreement = "confirmed" | "contradicted" | "refined" | "neutral";
export type Side = "client" | "server";

export interface Counts {
  aborted: number;
  refused: number;
  benign: number;
  unknown: number;
}

export interface Connections {
  opened: number;
  midstream: number;
  established: number;
  closed_well: number;
  reset: number;
  timed_out: number;
  unanswered: number;
  still_open: number;
}

export interface Endpoint {
  ip: string;
  port: number;
}

export interface ServerRange {
  ip: string;
  port?: number | null;
  prefix?: number | null;
}

export interface NameRow extends Counts {
  name: string;
}

export interface Step {
  time: string;
  connections: Connections;
  resets: Counts;
  harmful_by_cause: Record<string, number>;
}

export interface ServerSummary {
  server: ServerRange;
  connections: Connections;
  resets: Counts;
  clients: number;
  causes: NameRow[];
  last: string;
}

export interface Overview {
  from: string;
  to: string;
  step_s: number;
  connections: Connections;
  resets: Counts;
  by_origin: NameRow[];
  by_cause: NameRow[];
  by_stage: NameRow[];
  series: Step[];
  servers: ServerSummary[];
  overflow: number;
  losses: Record<string, number>;
}

export interface ServerList {
  total: number;
  rows: ServerSummary[];
}

/** An exponential histogram: bucket `i` holds what is above 2^(i/4) and at most 2^((i+1)/4). */
export interface Spread {
  count: number;
  sum: number;
  zeros: number;
  buckets: Record<string, number>;
}

export interface IdleTimer {
  seconds: number;
  count: number;
  products: string;
}

export interface IdleHistogram {
  spread: Spread;
  timers: IdleTimer[];
  is_cut: boolean;
}

export interface ServerDetail {
  summary: ServerSummary;
  step_s: number;
  series: Step[];
  by_origin: NameRow[];
  by_cause: NameRow[];
  by_stage: NameRow[];
  top_clients: { ip: string; count: number }[];
  time_to_reset_s: Spread;
  idle: IdleHistogram;
  bytes_before: Spread;
  events: EventRow[];
}

export interface EventRow {
  id: string;
  sensor: string;
  ts: string;
  client: Endpoint;
  server: Endpoint;
  origin: string;
  origin_confidence: number;
  cause: string;
  cause_confidence: number;
  impact: Impact;
  stage: string;
  agreement?: Agreement | null;
  has_evidence: boolean;
}

export interface EventList {
  rows: EventRow[];
  has_more: boolean;
}

export interface LogItem {
  agreement: Agreement;
  source: string;
  product: string;
  said: string;
  rule?: string | null;
  threat?: string | null;
  ts: string;
  clock_offset_s?: number | null;
  matched: string;
  sentence: string;
  line: string;
}

export interface PerSide<T> {
  client: T;
  server: T;
}

/** Of an event's many fields those that the page names itself; the others are in its sentences. */
export interface Event {
  id: string;
  ts: string;
  status: string;
  file?: string;
  frame?: number;
  interface?: string;
  client: Endpoint;
  server: Endpoint;
  community_id: string;
  claimed: Side;
  impact: Impact;
  origin: string;
  origin_confidence: number;
  origin_decibans: number;
  cause: string;
  cause_confidence: number;
  stage: string;
  role: string;
  effect: string;
  rule: string;
  age_s?: number;
  idle_before_s?: number;
  packets: PerSide<number>;
  bytes: PerSide<number>;
  rtt_ms: PerSide<number | null>;
  rst: { flags: string; ttl: number; hops: number; ip_id?: number; window: number };
  peer?: { ttl: number; hops: number; packets: number };
  rst_count: number;
  revision?: number;
  corroboration?: LogItem[];
  conclusion?: { origin: string; origin_confidence: number; cause: string; cause_confidence: number; sentence: string } | null;
}

export interface Reason {
  decibans: number;
  number: string;
  text: string;
  ground: string;
  void: string;
}

export interface Reading {
  origin: string;
  cause: string;
  confidence: number;
  meaning: string;
}

export interface Explanation {
  headline: string;
  place: string;
  why: string[];
  others: string[];
  effect: string;
  cost: string;
  proof: string;
  reasons: Reason[];
  connection: string;
  reset: string;
  location?: string | null;
  sure: string;
  readings: Reading[];
  alike: string[];
  view?: string | null;
  disproofs: string[];
  steps: string[];
}

export interface Rung {
  after_s: number;
  from: Side;
  flags: string;
  seq: number;
  ack: number | null;
  len: number;
  ttl: number;
  ip_id: number | null;
  window: number;
  is_judged: boolean;
  omitted_before: number;
  /** Whether packets before it were not kept, be their number known or not. */
  is_gap?: boolean;
}

export interface EventDetail {
  sensor: string;
  event: Event;
  explanation: Explanation;
  ladder: Rung[];
  same_connection: EventRow[];
}

/** Rows added up from events; is_cut where only the newest of them were read. */
export interface RowList<T> {
  rows: T[];
  is_cut: boolean;
}

export interface BurstRow {
  first: string;
  last: string;
  server: Endpoint;
  events: number;
  sentence: string;
  example: string;
}

export interface DeviceRow {
  sensor: string;
  device: string;
  hops?: number | null;
  resets: Counts;
  causes: NameRow[];
  servers: number;
  last: string;
  example: string;
}

export interface QueueStatus {
  interface: string;
  queue: number;
  fibre?: string | null;
  mode: string;
  clock: string;
  is_up: boolean;
  packets: number;
  judged: number;
  losses: Record<string, number>;
}

export interface Status {
  uptime_s: number;
  packets: number;
  bytes: number;
  flows: number;
  flows_max: number;
  connections: Connections;
  resets: number;
  skips: Record<string, number>;
  losses: Record<string, number>;
  exporter_lag_s: number;
  queues: QueueStatus[];
  tap: { faults: { kind: string; text: string }[] };
}

export interface SensorRow {
  sensor: string;
  last: string;
  status: Status;
  records: number;
  repeated: number;
  missing: number;
}

export interface DisagreementRow {
  source: string;
  rule: string;
  said: string;
  origin: string;
  agreement: Agreement;
  count: number;
  example: string;
  item: LogItem;
}

export interface LogSourceRow {
  source: string;
  via: string;
  product: string;
  lines: number;
  sessions: number;
  joined: number;
  garbage: number;
  last_garbage?: string | null;
  clock_offset_s?: number | null;
  clock_zone?: string | null;
  last: string;
}

export interface LogList {
  sources: LogSourceRow[];
  losses: Record<string, number>;
}

/** Names and what they mean, by the key that filters them. */
export type Vocabulary = Record<string, { name: string; meaning: string }[]>;

export const harmful = (counts: Counts): number => counts.aborted + counts.refused;
/** What a list shows of them: the harmful ones, or all. Those that could not be judged are not harmful. */
export const weight = (counts: Counts, all: boolean): number => (all ? total(counts) : harmful(counts));
export const total = (counts: Counts): number => counts.aborted + counts.refused + counts.benign + counts.unknown;
