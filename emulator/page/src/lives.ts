// Keeps what became of each replica, from its events.

import { type EmulatorEvent, text } from "./told";

const MOST_REPLICAS = 1000;
const MOST_STEPS = 50;
const ENDS = ["replica.stopped", "replica.crashed"];

export interface ReplicaLife {
  id: string;
  deployment: string;
  model: string;
  nodepool: string;
  steps: EmulatorEvent[];
  ended: EmulatorEvent | undefined;
}

export class ReplicaLives {
  readonly all = new Map<string, ReplicaLife>();

  take(event: EmulatorEvent): void {
    if (!event.kind.startsWith("replica.")) return;
    const id = text(event, "replica_id");
    if (!id) return;
    let life = this.all.get(id);
    if (!life) {
      life = { id, deployment: "", model: "", nodepool: "", steps: [], ended: undefined };
      this.all.set(id, life);
      this.forgetOne();
    }
    life.deployment = text(event, "deployment_id") || life.deployment;
    life.model = text(event, "model_id") || life.model;
    life.nodepool = text(event, "nodepool") || life.nodepool;
    if (life.steps.some((each) => each.seq === event.seq)) return;
    if (life.steps.length >= MOST_STEPS) life.steps.shift();
    life.steps.push(event);
    if (ENDS.includes(event.kind)) life.ended = event;
  }

  clear(): void {
    this.all.clear();
  }

  private forgetOne(): void {
    if (this.all.size <= MOST_REPLICAS) return;
    for (const [id, life] of this.all) {
      if (life.ended) {
        this.all.delete(id);
        return;
      }
    }
    const oldest = this.all.keys().next().value;
    if (oldest !== undefined) this.all.delete(oldest);
  }
}
