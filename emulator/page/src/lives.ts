// Keeps what became of each replica, from its events, and when it was at work.

import { BusySpans } from "./busy_spans";
import { type EmulatorEvent, text } from "./told";

const MOST_REPLICAS = 1000;
const MOST_STEPS = 50;
const ENDS = ["replica.stopped", "replica.crashed"];
const WORK_ENDS = ["work.done", "work.failed", "work.cancelled"];
// The same step, told by an event and by a line of the log.
const SAME_SECONDS = 0.2;

export interface ReplicaLife {
  id: string;
  deployment: string;
  model: string;
  version: string;
  nodepool: string;
  steps: EmulatorEvent[];
  ended: EmulatorEvent | undefined;
  busy: BusySpans;
}

export class ReplicaLives {
  readonly all = new Map<string, ReplicaLife>();
  // When this page began to see work.
  since = 0;

  take(event: EmulatorEvent): void {
    this.since ||= event.time;
    if (event.kind.startsWith("work.")) this.note(event);
    else if (event.kind.startsWith("replica.")) this.step(event);
  }

  // What the emulator's log has of replicas whose events are no longer kept.
  takeOld(steps: EmulatorEvent[]): void {
    for (const step of steps) this.step(step);
  }

  clear(): void {
    this.all.clear();
    this.since = 0;
  }

  private note(event: EmulatorEvent): void {
    const id = text(event, "replica_id");
    if (!id) return;
    const busy = this.life(id).busy;
    if (event.kind === "work.sent") busy.begin(text(event, "work_id"), event.time);
    else if (WORK_ENDS.includes(event.kind)) busy.end(text(event, "work_id"), event.time);
  }

  private step(event: EmulatorEvent): void {
    const id = text(event, "replica_id");
    if (!id) return;
    const life = this.life(id);
    life.deployment = text(event, "deployment_id") || life.deployment;
    life.model = nameOf(event) || life.model;
    life.version = text(event, "version_id") || life.version;
    life.nodepool = text(event, "nodepool") || life.nodepool;
    const isSame = (one: EmulatorEvent) =>
      one.kind === event.kind && Math.abs(one.time - event.time) < SAME_SECONDS;
    if (life.steps.some(isSame)) return;
    if (life.steps.length >= MOST_STEPS) life.steps.shift();
    life.steps.push(event);
    life.steps.sort((one, other) => one.time - other.time);
    if (!ENDS.includes(event.kind)) return;
    life.ended = event;
    life.busy.stop(event.time);
  }

  private life(id: string): ReplicaLife {
    const known = this.all.get(id);
    if (known) return known;
    const made: ReplicaLife = {
      id,
      deployment: "",
      model: "",
      version: "",
      nodepool: "",
      steps: [],
      ended: undefined,
      busy: new BusySpans(),
    };
    this.all.set(id, made);
    this.forgetOne();
    return made;
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

// Events name the model by its id alone; its user and app are in the log and in the state.
function nameOf(event: EmulatorEvent): string {
  const [user, app, model] = ["user_id", "app_id", "model_id"].map((name) => text(event, name));
  return app ? `${user}/${app}/${model}` : "";
}
