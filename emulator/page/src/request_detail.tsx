// Shows one request: why it went where it went, what was passed over, when what happened, and what its replica wrote.

import { useEffect, useState } from "preact/hooks";
import { hrefOf } from "./addresses";
import { Again } from "./call_again";
import { AskedAndAnswered } from "./call_messages";
import { type CallTold, traceOf, useCall } from "./call_told";
import { CopyAs } from "./copy_as";
import type { Emulator } from "./emulator";
import { newFaultHref } from "./fault_fields";
import { LogLines } from "./log_lines";
import { Timeline } from "./request_timeline";
import { type RequestRow, rowOf } from "./requests";
import { ask } from "./source";
import { type EmulatorEvent, type LogLine, type Rejected, text } from "./told";
import { Close, Copy, milliseconds, nameOf, Outcome, short, Time } from "./words";

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
  const { call, said } = useCall(row);
  if (!row) {
    return (
      <section aria-label="Request" class="detail">
        <Close panel="requests" />
        <p class="empty" role="status">
          {isLooking ? "Looking for the request …" : "The emulator no longer keeps this request, or never had it."}
        </p>
      </section>
    );
  }
  const inner = [...emulator.requests.rows.values()].filter((each) => each.parent === row.id);
  return (
    <section aria-labelledby="request-title" class="detail">
      <Close panel="requests" />
      <h2 id="request-title">{nameOf(row)}</h2>
      <p>
        <Outcome row={row} /> · <Time at={row.began} />
        {row.milliseconds !== undefined && ` · ${milliseconds(row.milliseconds)}`}
        {row.user && ` · asked by ${row.user}`}
      </p>
      {call && emulator.link !== "saved" && (
        <>
          <Again key={call.id} call={call} />
          <CopyAs key={`copy ${call.id}`} id={call.id} />
        </>
      )}
      {row.error && (
        <>
          <h3>Error</h3>
          <pre class="failed">{row.error}</pre>
        </>
      )}
      <Trace text={traceOf(call)} error={row.error} />
      <Findings row={row} call={call} />
      {call ? (
        <AskedAndAnswered call={call} isOver={row.milliseconds !== undefined} />
      ) : (
        said && <p class="quiet">{said}</p>
      )}
      <Why row={row} code={codeOf(row, call)} />
      <Timeline row={row} call={call} />
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

// What the model raised, where it is more than the error itself.
function Trace({ text, error }: { text: string; error: string }) {
  if (!text || text.trim() === error.trim()) return null;
  return (
    <>
      <h3>Traceback</h3>
      <pre>{text}</pre>
      <p>
        <Copy text={text} what="the traceback" />
      </p>
    </>
  );
}

// In the dev loop, of the code that answered; else of the model directory when the version was made.
function codeOf(row: RequestRow, call: CallTold | undefined): string {
  const marked = row.events.find((each) => each.kind.startsWith("work.") && text(each, "code"));
  return text(marked, "code") || (call?.code ?? "");
}

function Why({ row, code }: { row: RequestRow; code: string }) {
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
            {code && (
              <>
                <dt>Code</dt>
                <dd>
                  <code title={code}>{code.slice(0, 12)}</code>
                </dd>
              </>
            )}
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

function Findings({ row, call }: { row: RequestRow; call: CallTold | undefined }) {
  if (!row.findings.length && !row.faults.length) return null;
  return (
    <>
      <h3>Contract and faults</h3>
      <ul>
        {row.findings.map((each) => (
          <li key={each.seq}>
            <code>{text(each, "rule")}</code> {text(each, "message")} {text(each, "hint")}
            {call?.place && (
              <span class="quiet">
                {" "}
                {text(each, "method") || call.method} is at{" "}
                <code>
                  {call.place.file}:{call.place.line}
                </code>
              </span>
            )}
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
