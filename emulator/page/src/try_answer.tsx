// Shows what a call came to: its answers as they come, how long it took, its error, and the way to its request.

import { useEffect, useState } from "preact/hooks";
import { hrefOf } from "./addresses";
import { type ShownValue, Values } from "./call_values";
import { count } from "./sizes";
import type { CallError, TryCall } from "./try_call";
import type { Method } from "./try_methods";
import { milliseconds } from "./words";

// So many answers of a stream are shown one by one.
const MOST_SHOWN = 200;

export function Answer({ call, method }: { call: TryCall; method: Method }) {
  return (
    <section aria-labelledby="answer-title" class="answer">
      <h3 id="answer-title">Answer</h3>
      <CallState call={call} />
      {call.requestId && (
        <p>
          <a href={hrefOf("requests", call.requestId)}>Why it went there, and its log</a>
        </p>
      )}
      {method.kind === "unary" ? <Single call={call} /> : <Stream call={call} method={method} />}
      {call.problem && (
        <p class="failed" role="alert">
          {call.problem}
        </p>
      )}
      {call.error && <Failure error={call.error} />}
    </section>
  );
}

export function CallState({ call, parts = "answers" }: { call: TryCall; parts?: string }) {
  useTicking(call.isRunning);
  const took = call.isRunning ? performance.now() - call.began : call.milliseconds;
  const words = {
    running: ["running", "… running"],
    done: ["ok", "✓ done"],
    failed: ["failed", "✗ failed"],
    cancelled: ["cancelled", "– cancelled"],
  }[call.state];
  return (
    <p>
      <span role="status" class={`outcome ${words[0]}`}>
        {words[1]}
      </span>
      {` · ${milliseconds(took)}`}
      {call.firstAfter !== undefined && call.count > 1 && ` · first after ${milliseconds(call.firstAfter)}`}
      {call.count > 1 && ` · ${count(call.count)} ${parts}`}
    </p>
  );
}

function useTicking(isRunning: boolean): void {
  const [, tick] = useState(0);
  useEffect(() => {
    if (!isRunning) return;
    const timer = window.setInterval(() => tick((number) => number + 1), 200);
    return () => window.clearInterval(timer);
  }, [isRunning]);
}

function Single({ call }: { call: TryCall }) {
  const values = call.answers[0];
  return values ? <Values values={values} nothing="The method returned nothing (None)." /> : null;
}

function Stream({ call, method }: { call: TryCall; method: Method }) {
  const [isApart, setApart] = useState(false);
  if (!call.count) {
    return call.state === "done" ? <p class="quiet">The method yielded nothing.</p> : null;
  }
  const isText = method.result?.type === "str" && call.answers.every(isOneText);
  const gone = call.count - call.answers.length;
  return (
    <>
      {isText && (
        <label class="quiet">
          <input type="checkbox" checked={isApart} onChange={(event) => setApart(event.currentTarget.checked)} />{" "}
          each answer by itself
        </label>
      )}
      {gone > 0 && <p class="quiet">{count(gone)} earlier answers are no longer shown.</p>}
      {isText && !isApart ? <pre class="stream">{call.answers.map(textOf).join("")}</pre> : <Each call={call} />}
    </>
  );
}

function Each({ call }: { call: TryCall }) {
  const shown = call.answers.slice(-MOST_SHOWN);
  const first = call.count - shown.length;
  return (
    <>
      {shown.length < call.answers.length && <p class="quiet">The last {MOST_SHOWN} answers are shown.</p>}
      <ol class="answers" start={first + 1}>
        {shown.map((values, index) => (
          <li key={first + index}>
            <Values values={values} nothing="nothing (None)" />
          </li>
        ))}
      </ol>
    </>
  );
}

function isOneText(values: ShownValue[]): boolean {
  return values.length === 1 && values[0]?.kind === "text" && values[0].whole === undefined;
}

function textOf(values: ShownValue[]): string {
  return values[0]?.text ?? "";
}

export function Failure({ error }: { error: CallError }) {
  const name = error.code ? `${error.code} ${error.description}` : error.description;
  return (
    <div role="alert">
      <p class="failed">
        <strong>{name}</strong>
      </p>
      {error.details && <pre class="failed">{error.details}</pre>}
      {error.stack_trace && (
        <>
          <h4>Traceback</h4>
          <pre>{error.stack_trace}</pre>
        </>
      )}
    </div>
  );
}
