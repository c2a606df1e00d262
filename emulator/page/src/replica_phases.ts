// Says in which phase of its life a replica was when: starting, loading, ready, draining; and how it ended.

import { busySeconds } from "./busy_spans";
import type { ReplicaLife } from "./lives";
import { text } from "./told";
import { ago } from "./words";

export interface Phase {
  name: string;
  begin: number;
  end: number;
}

const PHASES: Record<string, string> = {
  "replica.starting": "starting",
  "replica.loading": "loading",
  "replica.live": "ready",
  "replica.draining": "draining",
  "replica.hung": "hung",
};
export const PHASE_NAMES = ["starting", "loading", "ready", "busy", "draining", "hung"];

// `state`: what the emulator says now; empty for one that has ended.
export function phasesOf(life: ReplicaLife | undefined, state: string, now: number): Phase[] {
  const steps = (life?.steps ?? []).filter((step) => step.kind in PHASES);
  const over = life?.ended?.time ?? now;
  const phases = steps.map((step, index) => ({
    name: PHASES[step.kind] ?? "",
    begin: step.time,
    end: Math.min(over, steps[index + 1]?.time ?? over),
  }));
  // Of one that the page knows no beginning of, what it is now is all that is known.
  if (!phases.length && state) phases.push({ name: state === "live" ? "ready" : state, begin: 0, end: now });
  return phases;
}

// The same facts as the bar has, for people who see none.
export function inWords(life: ReplicaLife | undefined, phases: Phase[], from: number, now: number): string {
  const parts: string[] = [];
  for (const name of PHASE_NAMES) {
    const all = phases.filter((each) => each.name === name);
    const seconds = all.reduce((sum, each) => sum + Math.max(0, each.end - Math.max(each.begin, from)), 0);
    if (seconds > 0) parts.push(`${name} ${span(seconds)}`);
  }
  const busy = life ? busySeconds(life.busy.spans, from, now) : 0;
  if (busy > 0) parts.push(`busy ${span(busy)} of that`);
  if (life?.ended && life.ended.time >= from) {
    const how = life.ended.kind === "replica.crashed" ? "crashed" : "ended";
    parts.push(`${how} ${ago(life.ended.time)}: ${text(life.ended, "message")}`);
  }
  return parts.join(", ") || "nothing in this time";
}

function span(seconds: number): string {
  if (seconds < 0.01) return "less than 0.01 s";
  if (seconds < 10) return `${seconds.toFixed(2)} s`;
  if (seconds < 120) return `${seconds.toFixed(0)} s`;
  return `${(seconds / 60).toFixed(0)} min`;
}
