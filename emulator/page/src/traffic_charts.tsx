// Draws what traffic was in a chart for each thing that is counted.

import { useMemo } from "preact/hooks";
import { LineChart } from "./line_chart";
import type { Slice, TrafficPoint } from "./traffic_points";
import { milliseconds, rate } from "./words";

const whole = (value: number) => String(Math.round(value * 10) / 10);
const took = (value: number) => (value ? milliseconds(value) : "0");

export function TrafficCharts({ slice }: { slice: Slice }) {
  const drawn = useMemo(() => {
    const { points } = slice;
    const line = (name: string, of: (point: TrafficPoint) => number | undefined) => ({
      name,
      values: points.map((point) => of(point) ?? null),
    });
    const share = (point: TrafficPoint) => (point.finished ? (point.rate * point.failed) / point.finished : 0);
    return {
      times: points.map((point) => point.at),
      rates: [line("answered", (point) => point.rate), line("of these failed", share)],
      latencies: [line("p50", ({ p50 }) => p50), line("p95", ({ p95 }) => p95), line("p99", ({ p99 }) => p99)],
      busy: [line("at a replica", (point) => point.inFlight), line("waiting for one", (point) => point.waiting)],
      replicas: [line("live", (point) => point.replicas)],
    };
  }, [slice]);
  return (
    <div class="charts">
      <LineChart title="Requests per second" times={drawn.times} lines={drawn.rates} say={rate} least={1} />
      <LineChart
        title="Time that an answer took"
        times={drawn.times}
        lines={drawn.latencies}
        say={took}
        least={1}
      />
      <LineChart title="Requests at once" times={drawn.times} lines={drawn.busy} say={whole} least={1} />
      <LineChart title="Replicas" times={drawn.times} lines={drawn.replicas} say={whole} least={1} />
    </div>
  );
}
