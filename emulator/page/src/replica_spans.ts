// Keeps from when to when each replica took requests, to count them at any time of the last hour.

import { type EmulatorEvent, type EmulatorState, text, type VersionState } from "./told";

const MOST_SPANS = 2000;
// A replica of which the state does not tell yet is not gone.
const AGREE_SECONDS = 5;

export interface ReplicaSpan {
  // The deployment, USER/ID; of models that run without one, the model.
  key: string;
  from: number;
  to: number;
}

export class ReplicaSpans {
  readonly all = new Map<string, ReplicaSpan>();

  take(event: EmulatorEvent): void {
    const id = text(event, "replica_id");
    if (event.kind === "replica.live") {
      const key = this.all.get(id)?.key ?? keyOf(event);
      this.put(id, { key, from: event.time, to: Number.POSITIVE_INFINITY });
    } else if (event.kind === "replica.stopped" || event.kind === "replica.crashed") {
      const known = this.all.get(id);
      // One that was there before the first event that is kept; of one that never took requests nothing is known.
      const { key, from } = known ?? { key: keyOf(event), from: event.time };
      this.put(id, { key, from, to: event.time });
    }
  }

  // Take what the state says for replicas that were there before all events, or ended unheard.
  agree(state: EmulatorState, now: number): void {
    const live = new Set<string>();
    const see = (key: string, version: VersionState) => {
      for (const { replica_id, state } of version.replicas) {
        if (state !== "live") continue;
        live.add(replica_id);
        const known = this.all.get(replica_id);
        if (known) known.key = key;
        else this.put(replica_id, { key, from: Number.NEGATIVE_INFINITY, to: Number.POSITIVE_INFINITY });
      }
    };
    for (const each of state.deployments)
      for (const version of each.versions) see(`${each.user_id}/${each.deployment_id}`, version);
    for (const version of state.shared) see(version.model, version);
    for (const [id, span] of this.all)
      if (span.to > now && !live.has(id) && span.from < now - AGREE_SECONDS) span.to = now;
  }

  clear(): void {
    this.all.clear();
  }

  private put(id: string, span: ReplicaSpan): void {
    this.all.delete(id);
    this.all.set(id, span);
    if (this.all.size <= MOST_SPANS) return;
    const oldest = this.all.keys().next().value;
    if (oldest !== undefined) this.all.delete(oldest);
  }
}

function keyOf(event: EmulatorEvent): string {
  const deployment = text(event, "deployment_id");
  return deployment ? `${text(event, "user_id")}/${deployment}` : text(event, "model_id");
}
