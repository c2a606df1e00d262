// Shows one request: why it went where it went, what was passed over, when what happened, and what its replica wrote.

import { useEffect, useState } from "preact/hooks";
import { hrefOf } from "./addresses";
import type { Emulator } from "./emulator";
import { newFaultHref } from "./fault_fields";
import { LogLines } from "./log_lines";
import { type RequestRow, rowOf } from "./requests";
import { ask } from "./source";
import { type EmulatorEvent, type LogLine, type Rejected, text } from "./told";
import { Copy, milliseconds, nameOf, Outcome, short, Time } from "./words";

// Lines of a log are read some hundredths of a second after they are written.
const LOG_AFTER_SECONDS = 0.3;

export function useRequest(emulator: Emulator, id: string): { row: RequestRow | undefined; isLooking: boolean } {
  const here = emulator.requests.rows.get(id);
  const [older, setOlder] = useState<RequestRow | undefined>(undefined);
  const [isLooking, setLooking] = useState(id !== "");
  useEffect(() => {
    if (!id) return;
    setOlder(undefined);
    setLooking(true);
    ask<{ events: EmulatorEvent[] }>("request", { id })
      .then((told) => setOlder(rowOf(id, told.events)))
      .catch(() => undefined)
      .finally(() => setLooking(false));
  }, [id]);
  return { row: here ?? older, isLooking };
}

export function RequestDetail({ emulator, id }: { emulator: Emulator; id: string }) {
  const { row, isLooking } = useRequest(emulator, id);
  if (!row) {
    return (
      <section aria-label="Request" class="detail">
        <Close />
        <p class="empty" role="status">
          {isLooking ? "Looking for the request …" : "The emulator no longer keeps this request, or never had it."}
        </p>
      </section>
    );
  }
  const inner = [...emulator.requests.rows.values()].filter((each) => each.parent === row.id);
  return (
    <section aria-labelledby="request-title" class="detail">
      <Close />
      <h2 id="request-title">{nameOf(row)}</h2>
      <p>
        <Outcome row={row} /> · <Time at={row.began} />
        {row.milliseconds !== undefined && ` · ${milliseconds(row.milliseconds)}`}
        {row.user && ` · asked by ${row.user}`}
      </p>
      {row.error && (
        <>
          <h3>Error</h3>
          <pre class="failed">{row.error}</pre>
        </>
      )}
      <Why row={row} />
      <Timeline row={row} />
      <Findings row={row} />
      {emulator.link !== "saved" && (
        <p>
          <a href={newFaultHref(row)}>Set a fault for requests like this</a>
        </p>
      )}
      {(row.parent || inner.length > 0) && <Calls row={row} inner={inner} />}
      <Written row={row} />
      <h3>Request</h3>
      <p class="break">
        <code>{row.id}</code> <Copy text={row.id} what="the id of the request" />
      </p>
      <details>
        <summary>Its events as JSON</summary>
        {row.notShown > 0 && <p class="quiet">{row.notShown} more are not shown.</p>}
        <pre>{row.events.map((event) => JSON.stringify(event)).join("\n")}</pre>
      </details>
    </section>
  );
}

function Close() {
  return (
    <a class="close" href={hrefOf("requests")}>
      Close
    </a>
  );
}

function Why({ row }: { row: RequestRow }) {
  if (!row.route && !row.refusal) return null;
  return (
    <>
      <h3>{row.route ? "Why it went there" : "Why it was refused"}</h3>
      {row.route ? (
        <>
          <p>
            <strong>{row.route.rule}</strong>: {row.route.reason}
          </p>
          <dl>
            <dt>Deployment</dt>
            <dd>{row.route.deployment ?? "none"}</dd>
            <dt>Nodepool</dt>
            <dd>{row.nodepool || row.route.nodepools.join(", then ")}</dd>
            <dt>Version</dt>
            <dd>{row.route.version_id}</dd>
            <dt>Replica</dt>
            <dd>{row.replica ? <a href={hrefOf("replicas", row.replica)}>{short(row.replica)}</a> : "none yet"}</dd>
          </dl>
        </>
      ) : (
        row.refusal && <RefusalText refusal={row.refusal} />
      )}
      <p>
        <a href={hrefOf("map", row.id)}>Show its way on the map</a>
      </p>
      <RejectedList rejected={(row.route ?? row.refusal)?.rejected ?? []} />
    </>
  );
}

export function RefusalText({ refusal }: { refusal: NonNullable<RequestRow["refusal"]> }) {
  return (
    <>
      <p>
        <strong class="failed">refused</strong> {refusal.code}: {refusal.details}
      </p>
      {refusal.note && <p>In fact: {refusal.note}</p>}
      {refusal.hint && <p>Next: {refusal.hint}</p>}
    </>
  );
}

export function RejectedList({ rejected }: { rejected: Rejected[] }) {
  if (!rejected.length) return <p class="quiet">Nothing else was considered.</p>;
  return (
    <>
      <p>Passed over:</p>
      <ul class="rejected">
        {rejected.map((each) => (
          <li key={`${each.what} ${each.reason}`}>
            <code>{each.what}</code> {each.reason}
          </li>
        ))}
      </ul>
    </>
  );
}

const STEPS: Record<string, string> = {
  "route.decided": "routed",
  "route.refused": "refused",
  "work.queued": "queued",
  "work.sent": "sent to a replica",
  "work.done": "answered by the replica",
  "work.failed": "failed",
  "work.cancelled": "cancelled",
  "request.finished": "answer sent",
};

function Timeline({ row }: { row: RequestRow }) {
  const ends = row.events.map((event) => Math.max(0, event.time - row.began));
  const total = Math.max(...ends, 0.0001);
  const percent = (seconds: number) => `${(100 * seconds) / total}%`;
  return (
    <>
      <h3>Timeline</h3>
      <table class="timeline">
        <thead>
          <tr>
            <th scope="col">Step</th>
            <th scope="col" class="number">
              After
            </th>
            <td />
          </tr>
        </thead>
        <tbody>
          {row.events.map((event, index) => {
            const [begin, end] = [ends[index - 1] ?? 0, ends[index] ?? 0];
            const bar = { marginLeft: percent(begin), width: percent(Math.max(0, end - begin)) };
            return (
              <tr key={event.seq}>
                <td>{STEPS[event.kind] ?? event.kind}</td>
                <td class="number">{milliseconds(end * 1000)}</td>
                <td class="track" aria-hidden="true">
                  <div style={bar} />
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </>
  );
}

function Findings({ row }: { row: RequestRow }) {
  if (!row.findings.length && !row.faults.length) return null;
  return (
    <>
      <h3>Contract and faults</h3>
      <ul>
        {row.findings.map((each) => (
          <li key={each.seq}>
            <code>{text(each, "rule")}</code> {text(each, "message")} {text(each, "hint")}
          </li>
        ))}
        {row.faults.map((each) => (
          <li key={each.seq}>
            fault <a href={hrefOf("faults", text(each, "fault_id"))}>{text(each, "fault_id")}</a>:{" "}
            {text(each, "rule")}
          </li>
        ))}
      </ul>
    </>
  );
}

function Calls({ row, inner }: { row: RequestRow; inner: RequestRow[] }) {
  return (
    <>
      <h3>Calls in calls</h3>
      {row.parent && (
        <p>
          Made inside <a href={hrefOf("requests", row.parent)}>another request</a>.
        </p>
      )}
      <ul>
        {inner.map((each) => (
          <li key={each.id}>
            <a href={hrefOf("requests", each.id)}>{nameOf(each)}</a> <Outcome row={each} />
          </li>
        ))}
      </ul>
    </>
  );
}

function Written({ row }: { row: RequestRow }) {
  const [told, setTold] = useState<{ lines: LogLine[]; left_out: number } | undefined>(undefined);
  const isOver = row.milliseconds !== undefined;
  useEffect(() => {
    if (!row.replica || !isOver) return;
    const end = row.began + (row.milliseconds ?? 0) / 1000 + LOG_AFTER_SECONDS;
    const query = { replica: row.replica, begin: String(row.began - 0.001), end: String(end) };
    const look = () =>
      void ask<{ lines: LogLine[]; left_out: number }>("log", query).then(setTold, () => undefined);
    look();
    const again = window.setTimeout(look, LOG_AFTER_SECONDS * 1000 + 200);
    return () => window.clearTimeout(again);
  }, [row.id, row.replica, isOver]);
  if (!row.replica || !told?.lines.length) return null;
  return (
    <>
      <h3>What its replica wrote meanwhile</h3>
      <LogLines lines={told.lines} leftOut={told.left_out} words="" />
    </>
  );
}
