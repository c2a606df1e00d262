// Shows how many requests come, how long they take, what waits and how many replicas there are, over some minutes.

import { useEffect, useMemo, useState } from "preact/hooks";
import { hrefOf } from "./addresses";
import type { Emulator } from "./emulator";
import { TrafficCharts } from "./traffic_charts";
import { type Sums, sliceOf, sumsByKey, WINDOWS } from "./traffic_points";
import { FiguresByDeployment, FiguresByTime } from "./traffic_tables";
import "./traffic.css";
import { ALL, LOOK_UPS } from "./traffic";

const TICK_MILLISECONDS = 1000;

export function TrafficPanel({ emulator, chosen }: { emulator: Emulator; chosen: string }) {
  const [minutes, setMinutes] = useState(() => usualWindow(emulator));
  const [pausedAt, setPausedAt] = useState<number | undefined>(undefined);
  const live = useEnd(emulator, pausedAt !== undefined);
  const end = pausedAt ?? live;
  const { traffic, spans } = emulator;
  // Once a second, whatever else the page hears meanwhile.
  const heard = Math.floor(traffic.last);
  const slice = useMemo(
    () => sliceOf(traffic, spans, chosen, end, minutes),
    [chosen, end, minutes, heard, emulator.state],
  );
  const rows = useMemo(() => sumsByKey(traffic, end, minutes), [end, minutes, heard]);
  return (
    <section aria-labelledby="traffic-title">
      <h2 id="traffic-title">Traffic</h2>
      <form class="bar" aria-label="What is shown" onSubmit={(event) => event.preventDefault()}>
        <Which rows={rows} chosen={chosen} />
        <label>
          in the last{" "}
          <select value={String(minutes)} onChange={(event) => setMinutes(Number(event.currentTarget.value))}>
            {WINDOWS.map((each) => (
              <option key={each} value={String(each)}>
                {each === 1 ? "minute" : `${each} minutes`}
              </option>
            ))}
          </select>
        </label>
        {emulator.link !== "saved" && (
          <button
            type="button"
            aria-pressed={pausedAt !== undefined}
            onClick={() => setPausedAt(pausedAt === undefined ? end : undefined)}
          >
            {pausedAt === undefined ? "Pause" : "Go on"}
          </button>
        )}
      </form>
      <Doubts emulator={emulator} isOfOne={chosen !== ALL} begin={end - minutes * 60} />
      {slice.sums.finished || slice.points.some((each) => each.waiting || each.inFlight) ? (
        <p>{summary(slice.sums, minutes)}</p>
      ) : (
        <Quiet emulator={emulator} chosen={chosen} minutes={minutes} />
      )}
      <TrafficCharts slice={slice} />
      <FiguresByDeployment emulator={emulator} rows={rows} chosen={chosen} seconds={slice.seconds} />
      <FiguresByTime points={slice.points} />
    </section>
  );
}

// The second up to which there is something to show. A page that hears nothing stays where it was.
function useEnd(emulator: Emulator, isPaused: boolean): number {
  const [now, setNow] = useState(() => Math.floor(Date.now() / 1000));
  const isLive = emulator.link === "live" && !isPaused;
  useEffect(() => {
    if (!isLive) return;
    const tick = () => {
      emulator.traffic.pass(Date.now() / 1000);
      setNow(Math.floor(Date.now() / 1000));
    };
    tick();
    const timer = window.setInterval(tick, TICK_MILLISECONDS);
    return () => window.clearInterval(timer);
  }, [isLive]);
  // The clock of the emulator may be ahead of the browser's.
  return emulator.link === "saved"
    ? Math.floor(emulator.traffic.last) + 1
    : Math.max(now, Math.floor(emulator.traffic.last));
}

// All that was saved, where it is a saved page.
function usualWindow(emulator: Emulator): number {
  const { seconds, last } = emulator.traffic;
  const length = emulator.link === "saved" ? last + 1 - (seconds[0]?.at ?? last) : 300;
  return WINDOWS.find((each) => each * 60 >= length) ?? 60;
}

function Which({ rows, chosen }: { rows: [string, Sums][]; chosen: string }) {
  const keys = new Set(rows.map(([key]) => key));
  keys.delete(LOOK_UPS);
  if (chosen !== ALL && chosen !== LOOK_UPS) keys.add(chosen);
  return (
    <label>
      Requests to{" "}
      <select
        value={chosen}
        onChange={(event) => {
          location.hash = hrefOf("traffic", event.currentTarget.value);
        }}
      >
        <option value={ALL}>all models</option>
        {[...keys].sort().map((key) => (
          <option key={key} value={key}>
            {key}
          </option>
        ))}
        <option value={LOOK_UPS}>no model: look-ups</option>
      </select>
    </label>
  );
}

function Doubts({ emulator, isOfOne, begin }: { emulator: Emulator; isOfOne: boolean; begin: number }) {
  const since = emulator.traffic.detailedSince;
  return (
    <>
      {emulator.missed > 0 && (
        <p class="mark">
          {emulator.missed} events came too fast for this page, or were no longer kept when it came: there were more
          requests than it shows.
        </p>
      )}
      {isOfOne && since > Math.max(begin, emulator.traffic.seconds[0]?.at ?? 0) && (
        <p class="mark">Of a single deployment, only the newest minutes are kept when there are many of them.</p>
      )}
    </>
  );
}

function Quiet({ emulator, chosen, minutes }: { emulator: Emulator; chosen: string; minutes: number }) {
  const model = emulator.state?.models[0];
  const when = minutes === 1 ? "minute" : `${minutes} minutes`;
  return (
    <div class="empty">
      <p>
        No request{chosen === ALL ? "" : " of this kind"} has been answered in the last {when}.{" "}
        {emulator.link !== "saved" &&
          (model ? "Choose a longer time, or send one:" : "Deploy a model, and send one:")}
      </p>
      {emulator.link !== "saved" && (
        <pre>
          {model
            ? `clarifai-emulator predict ${model}`
            : "clarifai-emulator init my-model\nclarifai-emulator deploy my-model\nclarifai-emulator predict my-model prompt=Hello"}
        </pre>
      )}
    </div>
  );
}

function summary(sums: Sums, minutes: number): string {
  const parts = [
    `${sums.finished} ${sums.finished === 1 ? "request" : "requests"} in ${minutes === 1 ? "a minute" : `${minutes} minutes`}`,
    `${sums.failed} failed`,
  ];
  if (sums.cancelled) parts.push(`${sums.cancelled} cancelled`);
  return parts.join(" · ");
}
