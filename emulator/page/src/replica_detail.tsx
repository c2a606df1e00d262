// Shows one replica: what it is, its life, its last traceback, what building its version printed, and its log.

import { useEffect, useMemo, useState } from "preact/hooks";
import { hrefOf } from "./addresses";
import type { Emulator } from "./emulator";
import { LogLines } from "./log_lines";
import { lastTraceback, type ReadLog, useLog } from "./replica_log";
import type { ShownReplica } from "./replicas_shown";
import { ask } from "./source";
import { type LogLine, text } from "./told";
import { Close, Copy, SearchField, short, Time } from "./words";

const LINES_AT_ONCE = 500;

export function ReplicaDetail({
  emulator,
  id,
  one,
}: {
  emulator: Emulator;
  id: string;
  one: ShownReplica | undefined;
}) {
  const log = useLog(id);
  const trace = useMemo(() => lastTraceback(log.lines), [log.lines]);
  return (
    <section aria-labelledby="replica-title" class="detail">
      <Close panel="replicas" />
      <h2 id="replica-title">Replica {short(id)}</h2>
      <p class="break">
        <code>{id}</code> <Copy text={id} what="the id of the replica" />
      </p>
      <Facts emulator={emulator} one={one} />
      {trace.length > 0 && (
        <>
          <h3>Its last traceback</h3>
          <pre class="failed">{trace.map((line) => line.text).join("\n")}</pre>
        </>
      )}
      <Life one={one} />
      {one?.model && one.version && <Build key={one.version} model={one.model} version={one.version} />}
      <Log log={log} />
    </section>
  );
}

function Facts({ emulator, one }: { emulator: Emulator; one: ShownReplica | undefined }) {
  const project = emulator.state?.dev.find((each) => each.deployment_id === one?.deployment);
  const now = one?.now;
  return (
    <>
      <p>
        <span class={`state ${one?.state ?? ""}`}>{one?.state ?? "not known any longer"}</span>
        {now && now.pid > 0 && ` · process ${now.pid}`}
        {now && ` · ${now.runner} runner${now.runner_because && `, because ${now.runner_because}`}`}
        {now && now.devices.length > 0 && ` · ${now.devices.join(", ")}`}
      </p>
      {one?.model && (
        <p>
          Of <a href={hrefOf("resources", `model/${one.model}`)}>{one.model}</a>
          {one.version && (
            <>
              , version{" "}
              <a href={hrefOf("resources", `model_version/${one.model}/${one.version}`)}>{short(one.version)}</a>
            </>
          )}
        </p>
      )}
      {project && !one?.isOver && (
        <p>
          In the dev loop: it answers with code <code>{short(project.code)}</code> of {project.directory}.
        </p>
      )}
    </>
  );
}

function Life({ one }: { one: ShownReplica | undefined }) {
  const steps = one?.life?.steps ?? [];
  if (!steps.length) return null;
  return (
    <>
      <h3>Its life</h3>
      <ol class="log">
        {steps.map((step) => (
          <li key={`${step.kind} ${step.time}`}>
            <Time at={step.time} />
            <span class="text">
              <strong>{step.kind.replace("replica.", "")}</strong> {text(step, "message") || text(step, "reason")}
            </span>
          </li>
        ))}
      </ol>
    </>
  );
}

interface BuildLog {
  lines: LogLine[];
  left_out: number;
  environment?: string;
  code?: string;
}

function Build({ model, version }: { model: string; version: string }) {
  const [told, setTold] = useState<BuildLog | undefined>(undefined);
  const [problem, setProblem] = useState("");
  const [isOpen, setOpen] = useState(false);
  useEffect(() => {
    if (!isOpen) return;
    ask<BuildLog>("build", { model, version }).then(setTold, (error: Error) => setProblem(error.message));
  }, [isOpen, model, version]);
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>How its version was built</summary>
      {problem && <p class="failed">{problem}</p>}
      {told?.environment && <p>Environment: {told.environment}</p>}
      {told?.code && (
        <p class="break">
          Code: <code>{told.code}</code>
        </p>
      )}
      {told && !told.lines.length && (
        <p class="empty">Nothing had to be built: what it needs was there, or was built for another version.</p>
      )}
      {told && told.lines.length > 0 && <LogLines lines={told.lines} leftOut={told.left_out} words="" />}
    </details>
  );
}

function Log({ log }: { log: ReadLog }) {
  const [words, setWords] = useState("");
  const [modelOnly, setModelOnly] = useState(false);
  const [most, setMost] = useState(LINES_AT_ONCE);
  const wanted = useMemo(
    () => (modelOnly ? log.lines.filter((line) => line.origin === "model") : log.lines),
    [log.lines, modelOnly],
  );
  const older = words ? 0 : Math.max(0, wanted.length - most);
  const shown = useMemo(() => wanted.slice(older), [wanted, older]);
  return (
    <>
      <h3>Its log</h3>
      <div class="bar">
        <SearchField label="Search the log" placeholder="search the log" value={words} onInput={setWords} />
        <label>
          <input
            type="checkbox"
            checked={modelOnly}
            onChange={(event) => setModelOnly(event.currentTarget.checked)}
          />{" "}
          what the model printed only
        </label>
      </div>
      {older > 0 && (
        <button type="button" onClick={() => setMost(most + LINES_AT_ONCE)}>
          Show {Math.min(older, LINES_AT_ONCE)} older lines
        </button>
      )}
      {log.lines.length ? (
        <LogLines lines={shown} leftOut={log.leftOut + older} words={words} />
      ) : (
        <p class="empty">It has written nothing yet. What the model prints appears here.</p>
      )}
    </>
  );
}
