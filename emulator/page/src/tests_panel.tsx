// Lists the tests of a saved run; of the one that is chosen, its failure, its calls and where they went, and logs.

import { useMemo, useState } from "preact/hooks";
import { hrefOf } from "./addresses";
import type { Emulator } from "./emulator";
import { LogLines } from "./log_lines";
import { RejectedList } from "./request_detail";
import { logIn, type SavedCall, type SavedLog, type SavedTest } from "./saved_answers";
import type { SavedTests, TestOutcome } from "./saved_tests";
import { saved } from "./source";
import { text } from "./told";
import { Close, Copy, lastOf, milliseconds, SearchField, short } from "./words";
import "./tests.css";

const SHOWN_AT_ONCE = 200;
const SIGNS: Record<TestOutcome, string> = {
  passed: "✓",
  failed: "✗",
  error: "✗",
  skipped: "–",
  xfailed: "–",
  xpassed: "!",
};
const SAID: Record<TestOutcome, string> = {
  passed: "passed",
  failed: "failed",
  error: "error",
  skipped: "skipped",
  xfailed: "failed as expected",
  xpassed: "passed unexpectedly",
};

export function TestsPanel({ tests, emulator, chosen }: { tests: SavedTests; emulator: Emulator; chosen: string }) {
  const [words, setWords] = useState("");
  const [outcome, setOutcome] = useState("");
  const [most, setMost] = useState(SHOWN_AT_ONCE);
  const found = useMemo(() => tests.found(words, outcome), [tests, words, outcome]);
  const one = tests.all.find((each) => each.id === chosen);
  return (
    <div class={chosen ? "split chosen" : "split"}>
      <section aria-labelledby="tests-title">
        <h2 id="tests-title">Tests</h2>
        <form class="bar" aria-label="Filter" onSubmit={(event) => event.preventDefault()}>
          <SearchField
            label="Filter tests"
            placeholder="words in names, failures, calls"
            value={words}
            onInput={setWords}
          />
          <label>
            Outcome{" "}
            <select value={outcome} onChange={(event) => setOutcome(event.currentTarget.value)}>
              <option value="">any</option>
              {tests.counts().map(([each, count]) => (
                <option key={each} value={each}>
                  {SAID[each]} ({count})
                </option>
              ))}
            </select>
          </label>
        </form>
        <p class="quiet" role="status">
          {found.length} of {tests.all.length} tests ·{" "}
          {tests
            .counts()
            .map(([each, count]) => `${count} ${SAID[each]}`)
            .join(", ")}
        </p>
        {found.length ? <TestList tests={found.slice(0, most)} chosen={chosen} /> : <NoTest all={tests.all} />}
        {found.length > most && (
          <button type="button" onClick={() => setMost(most + SHOWN_AT_ONCE)}>
            Show more ({found.length - most} left)
          </button>
        )}
      </section>
      {chosen && (one ? <OneTest key={chosen} test={one} emulator={emulator} /> : <UnknownTest />)}
    </div>
  );
}

function NoTest({ all }: { all: SavedTest[] }) {
  if (all.length) return <p class="empty">No test matches the filter. Clear it to see all of them.</p>;
  return <p class="empty">The run had no test. Name files with tests on the command line of pytest.</p>;
}

function UnknownTest() {
  return (
    <section aria-label="Test" class="detail">
      <Close panel="tests" />
      <p class="empty">The run had no test of this name.</p>
    </section>
  );
}

function TestList({ tests, chosen }: { tests: SavedTest[]; chosen: string }) {
  return (
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th scope="col">Test</th>
            <th scope="col">Outcome</th>
            <th scope="col" class="number">
              Calls
            </th>
            <th scope="col" class="number">
              Took
            </th>
          </tr>
        </thead>
        <tbody>
          {tests.map((each) => (
            <tr key={each.id} class={each.id === chosen ? "is-chosen" : undefined}>
              <td class="wide">
                <a href={hrefOf("tests", each.id)} aria-current={each.id === chosen ? "true" : undefined}>
                  {each.id}
                </a>
                {each.findings.length > 0 && (
                  <span class="mark"> {counted(each.findings.length, "contract finding")}</span>
                )}
              </td>
              <td>
                <TestOutcomeText outcome={each.outcome} />
              </td>
              <td class="number">{each.calls.length || ""}</td>
              <td class="number">{milliseconds(each.took * 1000)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function TestOutcomeText({ outcome }: { outcome: TestOutcome }) {
  return (
    <span class={`test-outcome ${outcome}`}>
      <span aria-hidden="true">{SIGNS[outcome]} </span>
      {SAID[outcome]}
    </span>
  );
}

function OneTest({ test, emulator }: { test: SavedTest; emulator: Emulator }) {
  const faults = test.calls.flatMap((call) => emulator.requests.rows.get(call.id)?.faults ?? []);
  return (
    <section aria-labelledby="test-title" class="detail">
      <Close panel="tests" />
      <h2 id="test-title">{test.id}</h2>
      <p>
        <TestOutcomeText outcome={test.outcome} /> · {milliseconds(test.took * 1000)}
        {test.worker && ` · worker ${test.worker}`} <Copy text={test.id} what="the name of the test" />
      </p>
      {test.notes.map((each) => (
        <p key={each} class="quiet">
          {each}
        </p>
      ))}
      <Why test={test} />
      {test.findings.length > 0 && (
        <>
          <h3>Contract findings</h3>
          {test.findings.map((each) => (
            <pre key={each}>{each}</pre>
          ))}
        </>
      )}
      {faults.length > 0 && (
        <>
          <h3>Injected faults</h3>
          <ul>
            {faults.map((each) => (
              <li key={`${text(each, "request_id")} ${each.seq}`}>
                <code>{text(each, "fault_id")}</code> {text(each, "rule")}
              </li>
            ))}
          </ul>
        </>
      )}
      <CallsOfTest test={test} emulator={emulator} />
      {test.logs.map((log) => (
        <LogOfTest key={log.replica} log={log} />
      ))}
      {test.message && (
        <details>
          <summary>All that pytest says of the failure</summary>
          <pre class="test-said failed">{test.said}</pre>
        </details>
      )}
    </section>
  );
}

// The error alone, where there is one: a traceback would hide the calls that led to it.
function Why({ test }: { test: SavedTest }) {
  const isBroken = test.outcome === "failed" || test.outcome === "error";
  const said = test.message || test.said;
  if (!said) return null;
  return (
    <>
      <h3>{isBroken ? "Why it failed" : "Reason"}</h3>
      <pre class={isBroken ? "test-said failed" : "test-said"}>{said}</pre>
    </>
  );
}

function CallsOfTest({ test, emulator }: { test: SavedTest; emulator: Emulator }) {
  if (!test.uses_emulator) {
    return <p class="empty">It did not use the emulator. Tests that use the fixture clarifai show their calls.</p>;
  }
  if (!test.calls.length) return test.notes.length ? null : <p class="empty">It called no model.</p>;
  return (
    <>
      <h3>Calls</h3>
      <ol class="calls-of-test">
        {test.calls.map((call) => (
          <OneCall key={call.id} call={call} emulator={emulator} />
        ))}
      </ol>
    </>
  );
}

function OneCall({ call, emulator }: { call: SavedCall; emulator: Emulator }) {
  const row = emulator.requests.rows.get(call.id);
  const route = row?.route;
  const refusal = row?.refusal;
  const answered = [...call.answered, ...(call.more ? [`${call.more} more`] : [])].join(", ");
  return (
    <li>
      <p>
        {call.by && <span class="quiet">{call.by} → </span>}
        <a href={hrefOf("requests", call.id)}>
          {lastOf(call.model)}.{call.asked}
        </a>
        {answered && (
          <>
            {" → "}
            <code>{answered}</code>
          </>
        )}
      </p>
      <p class="quiet">
        <span class={call.ok ? "outcome ok" : "outcome failed"}>{call.status || "broke off"}</span>
        {call.milliseconds !== null && ` · ${milliseconds(call.milliseconds)}`}
        {row?.replica && (
          <>
            {" · replica "}
            <a href={hrefOf("replicas", row.replica)}>{short(row.replica)}</a>
          </>
        )}
      </p>
      {call.error && <pre class="failed">{call.error}</pre>}
      {route && (
        <p>
          <strong>{route.rule}</strong>: {route.reason} <a href={hrefOf("map", call.id)}>on the map</a>
        </p>
      )}
      {refusal && (
        <p>
          <strong class="failed">refused</strong> {refusal.details} <a href={hrefOf("map", call.id)}>on the map</a>
        </p>
      )}
      {(route ?? refusal) && (route ?? refusal)?.rejected.length ? (
        <RejectedList rejected={(route ?? refusal)?.rejected ?? []} />
      ) : null}
    </li>
  );
}

function LogOfTest({ log }: { log: SavedLog }) {
  const all = saved ? logIn(saved, log.replica).lines : [];
  const lines = all.filter((line) => line.seq >= log.first && line.seq <= log.last);
  if (!lines.length) return null;
  return (
    <>
      <h3>
        What replica <a href={hrefOf("replicas", log.replica)}>{short(log.replica)}</a> wrote meanwhile
      </h3>
      <LogLines lines={lines} leftOut={log.left_out} words="" />
    </>
  );
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
