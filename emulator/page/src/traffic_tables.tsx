// Tells traffic in numbers: of each deployment, and of each point of the charts.

import { hrefOf } from "./addresses";
import type { Emulator } from "./emulator";
import { ALL, LOOK_UPS } from "./traffic";
import type { Sums, TrafficPoint } from "./traffic_points";
import { milliseconds, rate, secondsOf } from "./words";

const MOST_ROWS = 50;

interface Now {
  waiting: number;
  inFlight: number;
  replicas: number;
}

interface ByDeployment {
  emulator: Emulator;
  rows: [string, Sums][];
  chosen: string;
  seconds: number;
}

export function FiguresByDeployment({ emulator, rows, chosen, seconds }: ByDeployment) {
  const now = nowOf(emulator);
  const shown = rows.filter(([key]) => key !== LOOK_UPS).slice(0, MOST_ROWS);
  if (!shown.length) return null;
  return (
    <>
      <h3 id="traffic-by-deployment">By deployment</h3>
      <Scrolling label="Traffic by deployment">
        <table aria-labelledby="traffic-by-deployment">
          <thead>
            <tr>
              <th scope="col">Deployment</th>
              <Heads names={["Requests", "Per second", "Failed", "p50", "p95", "p99"]} />
              <Heads names={["Waiting now", "At a replica now", "Replicas now"]} />
            </tr>
          </thead>
          <tbody>
            {shown.map(([key, sums]) => (
              <tr key={key} class={key === chosen ? "is-chosen" : undefined}>
                <th scope="row" class="break">
                  <a
                    href={hrefOf("traffic", key === chosen ? ALL : key)}
                    aria-current={key === chosen ? "true" : undefined}
                  >
                    {key}
                  </a>
                </th>
                <Numbers values={[String(sums.finished), rate(sums.finished / seconds), String(sums.failed)]} />
                <Numbers values={[sums.p50, sums.p95, sums.p99].map(took)} />
                <Numbers values={present(now.get(key))} />
              </tr>
            ))}
          </tbody>
        </table>
      </Scrolling>
      {rows.length > MOST_ROWS && (
        <p class="quiet">The {rows.length - MOST_ROWS} deployments with fewer requests are not shown.</p>
      )}
    </>
  );
}

export function FiguresByTime({ points }: { points: TrafficPoint[] }) {
  return (
    <details>
      <summary>The charts as a table</summary>
      <Scrolling label="The charts as a table">
        <table>
          <thead>
            <tr>
              <th scope="col">From</th>
              <Heads names={["Requests", "Per second", "Failed", "p50", "p95", "p99"]} />
              <Heads names={["Waiting", "At a replica", "Replicas"]} />
            </tr>
          </thead>
          <tbody>
            {[...points].reverse().map((point) => (
              <tr key={point.at}>
                <th scope="row">{secondsOf(point.at)}</th>
                <Numbers values={[String(point.finished), rate(point.rate), String(point.failed)]} />
                <Numbers values={[point.p50, point.p95, point.p99].map(took)} />
                <Numbers values={[point.waiting, point.inFlight, point.replicas].map(String)} />
              </tr>
            ))}
          </tbody>
        </table>
      </Scrolling>
    </details>
  );
}

// Can be reached by the keyboard, which scrolls it.
function Scrolling({ label, children }: { label: string; children: preact.ComponentChildren }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached without a mouse
    <section class="figures" aria-label={label} tabIndex={0}>
      {children}
    </section>
  );
}

function Heads({ names }: { names: string[] }) {
  return (
    <>
      {names.map((name) => (
        <th key={name} scope="col" class="number">
          {name}
        </th>
      ))}
    </>
  );
}

function Numbers({ values }: { values: string[] }) {
  return (
    <>
      {values.map((value, index) => (
        <td key={index} class="number">
          {value}
        </td>
      ))}
    </>
  );
}

function took(value: number | undefined): string {
  return value === undefined ? "–" : milliseconds(value);
}

function present(now: Now | undefined): string[] {
  return now ? [now.waiting, now.inFlight, now.replicas].map(String) : ["–", "–", "–"];
}

// By deployment, as the state has it.
function nowOf(emulator: Emulator): Map<string, Now> {
  const found = new Map<string, Now>();
  const state = emulator.state;
  const versions = [
    ...(state?.deployments ?? []).map((each) => [`${each.user_id}/${each.deployment_id}`, each.versions] as const),
    ...(state?.shared ?? []).map((each) => [each.model, [each]] as const),
  ];
  for (const [key, all] of versions) {
    const now = { waiting: 0, inFlight: 0, replicas: 0 };
    for (const version of all) {
      now.waiting += version.queued;
      now.inFlight += version.in_flight;
      now.replicas += version.replicas.filter((each) => each.state === "live").length;
    }
    found.set(key, now);
  }
  return found;
}
