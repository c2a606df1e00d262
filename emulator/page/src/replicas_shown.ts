// Puts together the replicas that run, as the emulator says, and those that have ended, as their events say.

import type { Emulator } from "./emulator";
import type { ReplicaLife } from "./lives";
import type { ReplicaState, VersionState } from "./told";
import { lastOf } from "./words";

const MOST_ENDED = 50;

export interface ShownReplica {
  id: string;
  state: string;
  isOver: boolean;
  deployment: string;
  nodepool: string;
  devices: string[];
  // In full, with user and app; empty where it is not known.
  model: string;
  version: string;
  now: ReplicaState | undefined;
  life: ReplicaLife | undefined;
}

export function replicasOf(emulator: Emulator): ShownReplica[] {
  const found = new Map<string, ShownReplica>();
  const add = (deployment: string, of: VersionState) => {
    for (const now of of.replicas) {
      const { replica_id: id, state, nodepool, devices } = now;
      const life = emulator.lives.all.get(id);
      const { model, version_id: version } = of;
      found.set(id, { id, state, isOver: false, deployment, nodepool, devices, model, version, now, life });
    }
  };
  for (const each of emulator.state?.deployments ?? [])
    for (const one of each.versions) add(each.deployment_id, one);
  for (const one of emulator.state?.shared ?? []) add(lastOf(one.model), one);
  for (const life of endedOf(emulator).filter((each) => !found.has(each.id))) found.set(life.id, over(life));
  return [...found.values()];
}

function endedOf(emulator: Emulator): ReplicaLife[] {
  const ended = [...emulator.lives.all.values()].filter((life) => life.ended);
  ended.sort((one, other) => (other.ended?.time ?? 0) - (one.ended?.time ?? 0));
  return ended.slice(0, MOST_ENDED);
}

function over(life: ReplicaLife): ShownReplica {
  const state = life.ended?.kind === "replica.crashed" ? "crashed" : "ended";
  const { id, deployment, nodepool, model, version } = life;
  return { id, state, isOver: true, deployment, nodepool, devices: [], model, version, now: undefined, life };
}
