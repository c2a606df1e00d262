// Puts events together by the request that they are about, and keeps so many of the newest requests.

import { type Decision, type EmulatorEvent, type Refusal, text } from "./told";

const MOST_REQUESTS = 5000;
const MOST_EVENTS = 100;
const MOST_EVENTS_OF_ALL = 40_000;
const SUCCESS = 10000;
const PREDICTIONS = ["PostModelOutputs", "GenerateModelOutputs", "StreamModelOutputs", "PostWorkflowResults"];

export interface RequestRow {
  id: string;
  began: number;
  rpc: string;
  user: string;
  model: string;
  milliseconds: number | undefined;
  status: number | undefined;
  outcome: "running" | "ok" | "failed" | "cancelled";
  said: string;
  error: string;
  rule: string;
  replica: string;
  nodepool: string;
  parent: string;
  method: string;
  call: string;
  route: Decision | undefined;
  refusal: Refusal | undefined;
  findings: EmulatorEvent[];
  faults: EmulatorEvent[];
  events: EmulatorEvent[];
  notShown: number;
  words: string;
  // Grows with what becomes known of it.
  revision: number;
}

export class Requests {
  readonly rows = new Map<string, RequestRow>();
  forgotten = 0;
  // How many there ever were.
  begun = 0;
  private events = 0;

  // What was saved to a file has bounds of its own.
  constructor(private readonly keepsAll = false) {}

  take(event: EmulatorEvent): void {
    const id = text(event, "request_id");
    if (!id) return;
    let row = this.rows.get(id);
    if (!row) {
      row = emptyRow(id, event.time);
      this.rows.set(id, row);
      this.begun += 1;
    }
    const before = row.events.length;
    note(row, event);
    this.events += row.events.length - before;
    const isFull = this.rows.size > MOST_REQUESTS || (this.events > MOST_EVENTS_OF_ALL && this.rows.size > 1);
    if (isFull && !this.keepsAll) this.forget();
  }

  private forget(): void {
    const [oldest] = this.rows.values();
    if (!oldest) return;
    this.rows.delete(oldest.id);
    this.events -= oldest.events.length;
    this.forgotten += 1;
  }

  clear(): void {
    this.rows.clear();
    this.forgotten = 0;
    this.begun = 0;
    this.events = 0;
  }
}

export function rowOf(id: string, events: EmulatorEvent[]): RequestRow | undefined {
  if (!events.length) return undefined;
  const requests = new Requests();
  for (const event of events) requests.take(event);
  return requests.rows.get(id);
}

export function isPredictionRpc(rpc: string): boolean {
  return PREDICTIONS.includes(rpc);
}

export function isPrediction(row: RequestRow): boolean {
  return row.route !== undefined || row.refusal !== undefined || isPredictionRpc(row.rpc);
}

function emptyRow(id: string, began: number): RequestRow {
  return {
    id,
    began,
    rpc: "",
    user: "",
    model: "",
    milliseconds: undefined,
    status: undefined,
    outcome: "running",
    said: "running",
    error: "",
    rule: "",
    replica: "",
    nodepool: "",
    parent: "",
    method: "",
    call: "",
    route: undefined,
    refusal: undefined,
    findings: [],
    faults: [],
    events: [],
    notShown: 0,
    words: "",
    revision: 0,
  };
}

function note(row: RequestRow, event: EmulatorEvent): void {
  if (row.events.some((each) => each.seq === event.seq)) return;
  if (row.events.length < MOST_EVENTS || event.kind === "request.finished") row.events.push(event);
  else row.notShown += 1;
  row.parent ||= text(event, "parent_id");
  row.replica = text(event, "replica_id") || row.replica;
  if (event.kind === "route.decided") {
    row.route = event as unknown as Decision;
    row.model = row.route.model;
    row.rule = row.route.rule;
    row.nodepool ||= row.route.nodepools[0] ?? "";
  } else if (event.kind === "route.refused") {
    row.refusal = event as unknown as Refusal;
    row.rule = "refused";
    row.model ||= text(event.ask as EmulatorEvent, "model");
  } else if (event.kind === "contract.finding") {
    row.findings.push(event);
  } else if (event.kind === "fault.injected") {
    row.faults.push(event);
  } else if (event.kind === "request.finished") {
    finish(row, event);
  }
  row.words = "";
  row.revision += 1;
}

function finish(row: RequestRow, event: EmulatorEvent): void {
  row.rpc = text(event, "rpc");
  row.user = text(event, "user_id");
  row.milliseconds = Number(event.milliseconds ?? 0);
  row.began = event.time - row.milliseconds / 1000;
  row.status = event.status === undefined ? undefined : Number(event.status);
  row.error = text(event, "error");
  row.nodepool = text(event, "nodepool") || row.nodepool;
  row.method = text(event, "method");
  row.call = text(event, "call");
  Object.assign(row, outcomeOf(event));
}

export function outcomeOf(finished: EmulatorEvent): Pick<RequestRow, "outcome" | "said"> {
  const transport = text(finished, "grpc_status");
  if (finished.cancelled) return { outcome: "cancelled", said: "cancelled" };
  if (transport) return { outcome: "failed", said: transport };
  const status = finished.status;
  if (status === undefined || Number(status) === SUCCESS) return { outcome: "ok", said: "ok" };
  return { outcome: "failed", said: String(status) };
}

const FIELDS: Record<string, (row: RequestRow) => string> = {
  model: (row) => row.model,
  method: (row) => `${row.method} ${row.rpc}`,
  rule: (row) => row.rule,
  status: (row) => `${row.outcome} ${row.said}`,
  user: (row) => row.user,
  replica: (row) => row.replica,
  nodepool: (row) => row.nodepool,
  rpc: (row) => row.rpc,
};

export const FILTER_FIELDS = Object.keys(FIELDS);

// The ids of the requests in whose arguments or answers a word was said, by the word.
export type Said = Record<string, Set<string>>;

// Words that all have to be there; `said` tells of those that stand in no column.
export function filterOf(words: string, said: Said = {}): (row: RequestRow) => boolean {
  const tests = splitWords(words).map((word) => {
    const { field, wanted } = fieldOf(word);
    if (field) return (row: RequestRow) => field(row).toLowerCase().includes(wanted);
    return (row: RequestRow) => wordsOf(row).includes(word) || said[word]?.has(row.id) === true;
  });
  return (row) => tests.every((test) => test(row));
}

// The words of a filter that are looked for anywhere, not in one column.
export function anywhereIn(words: string): string[] {
  return splitWords(words).filter((word) => !fieldOf(word).field);
}

function splitWords(words: string): string[] {
  return words.toLowerCase().split(/\s+/).filter(Boolean);
}

function fieldOf(word: string): { field: ((row: RequestRow) => string) | undefined; wanted: string } {
  const [, name, wanted] = /^([a-z]+):(.*)$/.exec(word) ?? [];
  return { field: name === undefined ? undefined : FIELDS[name], wanted: wanted ?? "" };
}

function wordsOf(row: RequestRow): string {
  row.words ||= [row.id, row.call, row.error, ...FILTER_FIELDS.map((name) => FIELDS[name]?.(row) ?? "")]
    .join(" ")
    .toLowerCase();
  return row.words;
}
