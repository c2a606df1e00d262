// Makes of what was counted by the second what a chart shows of some minutes, and the sums of them.

import { Latencies } from "./latencies";
import type { ReplicaSpans } from "./replica_spans";
import { ALL, type Cell, type Second, type Traffic } from "./traffic";

// Minutes that can be shown, and the seconds of one point of the chart.
export const STEPS: Record<number, number> = { 1: 1, 5: 2, 15: 5, 60: 20 };
export const WINDOWS = Object.keys(STEPS).map(Number);

export interface Sums {
  finished: number;
  failed: number;
  cancelled: number;
  p50: number | undefined;
  p95: number | undefined;
  p99: number | undefined;
}

export interface TrafficPoint extends Sums {
  at: number;
  rate: number;
  waiting: number;
  inFlight: number;
  replicas: number;
}

export interface Slice {
  points: TrafficPoint[];
  sums: Sums;
  seconds: number;
}

// What is shown of the minutes before `end`, which is a whole second: of one deployment, or of all.
export function sliceOf(traffic: Traffic, spans: ReplicaSpans, key: string, end: number, minutes: number): Slice {
  const step = STEPS[minutes] ?? 1;
  const begin = Math.ceil((end - minutes * 60) / step) * step;
  const seconds = traffic.seconds;
  let index = seconds.findIndex((each) => each.at >= begin);
  if (index < 0) index = seconds.length;
  let before = cellBefore(seconds, index, key);
  const points: TrafficPoint[] = [];
  const whole = new Summing(traffic);
  for (let at = begin; at < end; at += step) {
    const part = new Summing(traffic);
    let waiting = before?.waiting ?? 0;
    let inFlight = before?.inFlight ?? 0;
    for (; index < seconds.length; index += 1) {
      const second = seconds[index];
      if (!second || second.at >= Math.min(at + step, end)) break;
      const cell = key === ALL ? second.all : second.by?.get(key);
      if (!cell) continue;
      part.add(cell);
      whole.add(cell);
      waiting = Math.max(waiting, cell.mostWaiting);
      inFlight = Math.max(inFlight, cell.mostInFlight);
      before = cell;
    }
    const rate = part.finished / Math.min(step, end - at);
    points.push({ ...part.sums(), at, rate, waiting, inFlight, replicas: 0 });
  }
  countReplicas(points, spans, key, step);
  return { points, sums: whole.sums(), seconds: minutes * 60 };
}

// The sums of each deployment in the minutes before `end`, those with most requests first.
export function sumsByKey(traffic: Traffic, end: number, minutes: number): [string, Sums][] {
  const found = new Map<string, Summing>();
  for (const second of traffic.seconds) {
    if (second.at < end - minutes * 60 || second.at >= end) continue;
    for (const [key, cell] of second.by ?? []) {
      let summing = found.get(key);
      if (!summing) {
        summing = new Summing(traffic);
        found.set(key, summing);
      }
      summing.add(cell);
    }
  }
  const rows = [...found].map(([key, summing]): [string, Sums] => [key, summing.sums()]);
  return rows.sort(([, one], [, other]) => other.finished - one.finished);
}

class Summing {
  finished = 0;
  private failed = 0;
  private cancelled = 0;
  private latencies: Latencies | undefined;

  constructor(private readonly traffic: Traffic) {}

  add(cell: Cell): void {
    this.finished += cell.finished;
    this.failed += cell.failed;
    this.cancelled += cell.cancelled;
    if (cell.finished <= cell.failed + cell.cancelled) return;
    this.latencies ??= new Latencies();
    this.latencies.add(this.traffic.latenciesOf(cell));
  }

  sums(): Sums {
    const { finished, failed, cancelled, latencies } = this;
    const [p50, p95, p99] = [0.5, 0.95, 0.99].map((share) => latencies?.percentile(share));
    return { finished, failed, cancelled, p50, p95, p99 };
  }
}

function cellBefore(seconds: Second[], index: number, key: string): Cell | undefined {
  for (let at = index - 1; at >= 0; at -= 1) {
    const second = seconds[at];
    const cell = key === ALL ? second?.all : second?.by?.get(key);
    if (cell) return cell;
  }
  return undefined;
}

// At the end of each step.
function countReplicas(points: TrafficPoint[], spans: ReplicaSpans, key: string, step: number): void {
  for (const span of spans.all.values()) {
    if (key !== ALL && span.key !== key) continue;
    for (const point of points) if (span.from < point.at + step && span.to >= point.at + step) point.replicas += 1;
  }
}
