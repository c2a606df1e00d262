// Counts requests by the second and the deployment, for an hour: how many, how long they took, and what waited.

import { Latencies, type PackedLatencies } from "./latencies";
import { isPredictionRpc, outcomeOf } from "./requests";
import { type EmulatorEvent, text } from "./told";

const MOST_SECONDS = 3600;
// Of single deployments; what is older is kept of all together only.
const MOST_CELLS = 20_000;
const MOST_UNFINISHED = 20_000;
// Whoever is sent to a replica sooner has not waited for one.
const WAITS_SECONDS = 0.05;
export const ALL = "";
export const LOOK_UPS = "look-ups";

// What happened in one second: gauges as they were at its end, and at their highest.
export interface Cell {
  finished: number;
  failed: number;
  cancelled: number;
  waiting: number;
  inFlight: number;
  mostWaiting: number;
  mostInFlight: number;
  latencies: PackedLatencies;
}

export interface Second {
  at: number;
  all: Cell;
  // Undefined where only the sum is kept.
  by: Map<string, Cell> | undefined;
}

interface Gauge {
  waiting: number;
  inFlight: number;
}

interface Unfinished {
  // The deployment, or the model where there is none; of what was refused, all.
  key: string;
  routed: number;
  phase: keyof Gauge | "routed" | "answered";
}

export class Traffic {
  readonly seconds: Second[] = [];
  last = 0;
  private cells = 0;
  private readonly open = new Map<Cell, Latencies>();
  private openAt = 0;
  private readonly unfinished = new Map<string, Unfinished>();
  private readonly routed = new Set<string>();
  private readonly gauges = new Map<string, Gauge>();

  take(event: EmulatorEvent): void {
    this.last = Math.max(this.last, event.time);
    this.pass(event.time);
    const id = text(event, "request_id");
    switch (event.kind) {
      case "route.decided":
        this.begin(id, text(event, "deployment") || text(event, "model"), event.time, "routed");
        break;
      case "route.refused":
        this.begin(id, ALL, event.time, "answered");
        break;
      case "work.sent":
        this.move(id, "inFlight", event.time);
        break;
      case "work.done":
      case "work.failed":
      case "work.cancelled":
        this.move(id, "answered", event.time);
        break;
      case "request.finished":
        this.finish(event, id);
    }
  }

  // Time goes on: what was routed and not sent to a replica yet, waits for one.
  pass(time: number): void {
    for (const id of this.routed) {
      const request = this.unfinished.get(id);
      if (request && request.routed > time - WAITS_SECONDS) return;
      this.move(id, "waiting", time);
      this.routed.delete(id);
    }
  }

  clear(): void {
    this.seconds.length = 0;
    this.cells = 0;
    this.last = 0;
    this.open.clear();
    this.forgetUnfinished();
  }

  // Events are missing: what ended meanwhile would seem to wait for ever.
  forgetUnfinished(): void {
    this.unfinished.clear();
    this.routed.clear();
    this.gauges.clear();
  }

  // The latencies of a cell, those of the second that goes on included.
  latenciesOf(cell: Cell): PackedLatencies {
    return this.open.get(cell)?.packed() ?? cell.latencies;
  }

  // Before this, single deployments are not told apart any longer.
  get detailedSince(): number {
    return this.seconds.find((each) => each.by)?.at ?? 0;
  }

  private begin(id: string, key: string, time: number, phase: Unfinished["phase"]): void {
    this.unfinished.set(id, { key, routed: time, phase });
    if (phase === "routed") this.routed.add(id);
    if (this.unfinished.size <= MOST_UNFINISHED) return;
    const oldest = this.unfinished.keys().next().value;
    if (oldest === undefined) return;
    this.move(oldest, "answered", time);
    this.unfinished.delete(oldest);
  }

  private move(id: string, to: Unfinished["phase"], time: number): void {
    const request = this.unfinished.get(id);
    if (!request || request.phase === to) return;
    this.routed.delete(id);
    const from = request.phase;
    request.phase = to;
    for (const key of new Set([ALL, request.key])) {
      const cell = this.cellOf(time, key);
      const gauge = this.gauges.get(key) ?? { waiting: 0, inFlight: 0 };
      if (from === "waiting" || from === "inFlight") gauge[from] -= 1;
      if (to === "waiting" || to === "inFlight") gauge[to] += 1;
      if (gauge.waiting || gauge.inFlight) this.gauges.set(key, gauge);
      else this.gauges.delete(key);
      Object.assign(cell, gauge);
      cell.mostWaiting = Math.max(cell.mostWaiting, gauge.waiting);
      cell.mostInFlight = Math.max(cell.mostInFlight, gauge.inFlight);
    }
  }

  private finish(event: EmulatorEvent, id: string): void {
    this.move(id, "answered", event.time);
    const routed = this.unfinished.get(id)?.key;
    this.unfinished.delete(id);
    this.routed.delete(id);
    const isPrediction = routed !== undefined || isPredictionRpc(text(event, "rpc"));
    const { outcome } = outcomeOf(event);
    for (const key of isPrediction ? new Set([ALL, routed ?? ALL]) : [LOOK_UPS]) {
      const cell = this.cellOf(event.time, key);
      cell.finished += 1;
      if (outcome === "failed") cell.failed += 1;
      else if (outcome === "cancelled") cell.cancelled += 1;
      else this.latencyOf(cell, Number(event.milliseconds ?? 0));
    }
  }

  // What comes late is counted in its own second, which is packed already.
  private latencyOf(cell: Cell, milliseconds: number): void {
    const open = this.open.get(cell);
    if (open) {
      open.note(milliseconds);
      return;
    }
    const latencies = new Latencies();
    latencies.add(cell.latencies);
    latencies.note(milliseconds);
    cell.latencies = latencies.packed();
  }

  private cellOf(time: number, key: string): Cell {
    const second = this.secondOf(Math.floor(time));
    if (key === ALL) return second.all;
    second.by ??= new Map();
    let cell = second.by.get(key);
    if (!cell) {
      cell = this.newCell(key, second.at);
      second.by.set(key, cell);
      this.cells += 1;
    }
    return cell;
  }

  private secondOf(at: number): Second {
    let index = this.seconds.length;
    while (index > 0 && (this.seconds[index - 1]?.at ?? 0) > at) index -= 1;
    const known = this.seconds[index - 1];
    if (known?.at === at) return known;
    if (at > this.openAt) this.pack(at);
    const second: Second = { at, all: this.newCell(ALL, at), by: new Map() };
    this.seconds.splice(index, 0, second);
    this.forgetOld();
    return second;
  }

  private newCell(key: string, at: number): Cell {
    const { waiting, inFlight } = this.gauges.get(key) ?? { waiting: 0, inFlight: 0 };
    const cell = {
      ...{ finished: 0, failed: 0, cancelled: 0, waiting, inFlight },
      ...{ mostWaiting: waiting, mostInFlight: inFlight, latencies: NO_LATENCIES },
    };
    if (at === this.openAt) this.open.set(cell, new Latencies());
    return cell;
  }

  private pack(next: number): void {
    for (const [cell, latencies] of this.open) cell.latencies = latencies.packed();
    this.open.clear();
    this.openAt = next;
  }

  private forgetOld(): void {
    const first = this.seconds[0];
    const newest = this.seconds[this.seconds.length - 1]?.at ?? 0;
    if (first && (this.seconds.length > MOST_SECONDS || first.at <= newest - MOST_SECONDS)) {
      this.cells -= first.by?.size ?? 0;
      this.seconds.shift();
    }
    for (const second of this.seconds) {
      if (this.cells <= MOST_CELLS) return;
      if (!second.by || second.at === newest) continue;
      this.cells -= second.by.size;
      second.by = undefined;
    }
  }
}

const NO_LATENCIES: PackedLatencies = new Uint32Array(0);
