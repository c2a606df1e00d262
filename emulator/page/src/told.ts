// Describes what the emulator tells: its events, and its state as `clarifai-emulator status --json` prints it.

export interface EmulatorEvent {
  seq: number;
  time: number;
  kind: string;
  [field: string]: unknown;
}

export interface Rejected {
  what: string;
  reason: string;
}

export interface ReplicaState {
  replica_id: string;
  state: string;
  pid: number;
  nodepool: string;
  devices: string[];
  runner: string;
  runner_because: string;
}

export interface VersionState {
  model: string;
  version_id: string;
  state: string;
  wanted: number;
  in_flight: number;
  queued: number;
  pending: string;
  error: string;
  stuck: string;
  traceback: string;
  last_crash: { seconds_ago: number; reason: string } | null;
  replicas: ReplicaState[];
}

export interface DeploymentState {
  user_id: string;
  deployment_id: string;
  model: string | null;
  enabled: boolean;
  min_replicas: number;
  max_replicas: number;
  nodepools: string[];
  versions: VersionState[];
}

export interface Amount {
  cpus: number;
  memory: number;
  accelerators: number;
}

export interface InstanceTypeState {
  id: string;
  // Null where it is not known.
  size: Amount | null;
  accelerators: string[];
  dollars_an_hour: number | null;
}

export interface Gpu {
  id: string;
  index: number;
  name: string;
  memory: number;
  simulated: boolean;
}

export interface NodepoolState {
  user_id: string;
  compute_cluster_id: string;
  nodepool_id: string;
  instance_types: string[];
  max_instances: number;
  instances_in_use: number;
  types: InstanceTypeState[];
  taken: Amount;
  in_use: Amount;
  overcommitted: { cpus: number; memory: number };
}

export interface EmulatorState {
  url: string;
  user_id: string;
  accelerators: string[];
  gpus: Gpu[];
  no_accelerators_because: string;
  nodepools: NodepoolState[];
  deployments: DeploymentState[];
  shared: VersionState[];
  models: string[];
  faults: FaultState[];
  dev: DevState[];
}

export interface FaultState {
  id: string;
  rule: string;
  active: boolean;
  // Requests that it concerned so far, and those it was injected into.
  seen: number;
  injected: number;
  // The line of a topology file; empty for those that were added later.
  origin: string;
  fault: Record<string, unknown>;
}

// A directory that `dev` watches, and what came of its last save.
export interface DevState {
  deployment_id: string;
  model_id: string;
  directory: string;
  code: string;
  strict: boolean;
  last: Reload | null;
}

export interface Reload {
  state: string;
  reload: string;
  reason: string;
  files: string[];
  code: string;
  milliseconds: number;
  changes: ContractChange[];
  failure?: { message: string; hint: string; file: string; line: number; frame: string; traceback: string };
}

export interface ContractChange {
  rule: string;
  severity: string;
  breaks: string;
  message: string;
  hint: string;
  method: string;
  file: string;
  line: number;
}

export interface Decision {
  rule: string;
  deployment: string | null;
  nodepools: string[];
  model: string;
  version_id: string;
  reason: string;
  rejected: Rejected[];
}

export interface Refusal {
  code: number;
  description: string;
  details: string;
  hint: string;
  note: string;
  rejected: Rejected[];
}

export interface Explained {
  decision?: Decision;
  refusal?: Refusal;
  is_settled?: boolean;
}

export interface LogLine {
  seq: number;
  time: number;
  is_event: boolean;
  origin: string;
  text: string;
  cut: number;
}

export function text(event: EmulatorEvent | undefined, field: string): string {
  const value = event?.[field];
  return value === undefined || value === null ? "" : typeof value === "string" ? value : JSON.stringify(value);
}
