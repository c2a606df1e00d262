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

// A directory in the dev loop, and what its last save came to.
export interface DevProject {
  deployment_id: string;
  model_id: string;
  directory: string;
  code: string;
  last: {
    state: string;
    reason: string;
    milliseconds: number;
    failure?: { message: string; hint: string; file: string; line: number; traceback: string };
  } | null;
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
  dev: DevProject[];
  no_accelerators_because: string;
  nodepools: NodepoolState[];
  deployments: DeploymentState[];
  shared: VersionState[];
  models: string[];
  faults: { id: string; rule: string }[];
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
