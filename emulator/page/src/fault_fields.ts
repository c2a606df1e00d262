// Lists the fields of a fault as a form has them, and makes of what was filled in the fault that is sent.

import { hrefOf } from "./addresses";
import type { RequestRow } from "./requests";

export type FaultValues = Record<string, string | boolean>;

export interface FaultField {
  name: string;
  label: string;
  kind: "text" | "number" | "flag" | "choice";
  help: string;
  // Those that are asked for often stand first, the others behind "more".
  isCommon: boolean;
  choices?: { value: string; label: string }[];
}

export interface FaultGroup {
  title: string;
  fields: FaultField[];
}

export const FAULT_GROUPS: FaultGroup[] = [
  {
    title: "Whom",
    fields: [
      field("model", "Model", "text", "Empty means every model; chat-* means all whose id begins with chat-."),
      field("deployment", "Deployment", "text", "Requests that go to this deployment."),
      field("nodepool", "Nodepool", "text", "Requests that this nodepool takes."),
      more("rpc", "RPC", "text", "Empty means the three that call models; Get* means several, * all."),
      more("replica", "Replica", "text", "The id of a replica, or the beginning of one."),
      more("caller", "Asked by model", "text", "Only requests that this model makes while it answers others."),
    ],
  },
  {
    title: "What",
    fields: [
      field("status", "Status", "text", "The status that requests are answered with, by name or number."),
      field("throttle", "Throttle", "flag", "Requests are answered with 11005 CONN_THROTTLED."),
      field(
        "latency",
        "Latency",
        "text",
        "Seconds to wait, or uniform:LEAST,MOST, normal:MEAN,DEVIATION, exponential:MEAN.",
      ),
      field(
        "cut_after",
        "Cut a stream after",
        "number",
        "The number of chunks that still arrive before the stream breaks off.",
      ),
      field("lose_replica", "Lose the replica", "flag", "The replica that takes the request is killed."),
      {
        ...field("cold_start", "Cold start", "choice", "Requests are treated as if no replica was ready."),
        choices: [
          { value: "", label: "no" },
          { value: "hold", label: "hold: the request waits" },
          { value: "bounce", label: "bounce: 21351 MODEL_DEPLOYING" },
        ],
      },
      field(
        "scale_to_zero",
        "Scale to zero",
        "flag",
        "All replicas of the deployment are ended before the request.",
      ),
      more("grpc", "gRPC status", "text", "The call ends with this status of gRPC instead of an answer."),
      more("message", "Message", "text", "The text of the status that the client gets."),
    ],
  },
  {
    title: "How often",
    fields: [
      field("times", "Times", "number", "It strikes at most this many requests; empty means no limit."),
      field("after", "Skip the first", "number", "The number of requests that pass before it strikes."),
      field(
        "probability",
        "Probability",
        "number",
        "The share of requests that it strikes, at most 1; 0.5 is half of them.",
      ),
      more("seed", "Seed", "number", "The same seed draws the same delays and strikes the same requests."),
      more("id", "Name", "text", "Empty means a name like fault-1."),
    ],
  },
];

const FIELDS = FAULT_GROUPS.flatMap((each) => each.fields);
const EFFECTS = FAULT_GROUPS[1]?.fields.map((each) => each.name).filter((name) => name !== "message") ?? [];

function field(name: string, label: string, kind: FaultField["kind"], help: string): FaultField {
  return { name, label, kind, help, isCommon: true };
}

function more(name: string, label: string, kind: FaultField["kind"], help: string): FaultField {
  return { name, label, kind, help, isCommon: false };
}

// The values of the fields that an address names.
export function valuesOf(given: Record<string, string>): FaultValues {
  const values: FaultValues = {};
  for (const { name, kind } of FIELDS) {
    const value = given[name];
    if (value) values[name] = kind === "flag" ? value === "true" : value;
  }
  return values;
}

// What is no number is sent as it was written: the emulator says what is wrong with it.
export function faultOf(values: FaultValues): Record<string, unknown> {
  const fault: Record<string, unknown> = {};
  for (const { name, kind } of FIELDS) {
    const value = values[name];
    const written = typeof value === "string" ? value.trim() : "";
    if (kind === "flag" && value === true) fault[name] = true;
    else if (written)
      fault[name] = kind === "number" && Number.isFinite(Number(written)) ? Number(written) : written;
  }
  return fault;
}

export function doesSomething(fault: Record<string, unknown>): boolean {
  return EFFECTS.some((name) => name in fault);
}

// The address of the form, filled with whom a request asked.
export function newFaultHref(row: RequestRow): string {
  const deployment = row.route?.deployment ?? "";
  const whom = { model: row.model, deployment, rpc: row.rpc };
  return hrefOf("faults", "new", Object.fromEntries(Object.entries(whom).filter(([, value]) => value)));
}
