// Shows the directories in the dev loop: which code of each answers now, and what came of its last save.

import type { Emulator } from "./emulator";
import type { DevState, EmulatorState, Reload } from "./told";
import { milliseconds, short } from "./words";

export function CodeReloads({ emulator }: { emulator: Emulator }) {
  const reloads = emulator.state?.dev ?? [];
  return (
    <>
      <h3>Code</h3>
      {reloads.length === 0 ? (
        <p class="quiet">
          No directory is reloaded as you save. <code>clarifai-emulator dev my-model</code> brings each save to
          where it answers, and this page says what came of it.
        </p>
      ) : (
        <Reloads reloads={reloads} />
      )}
    </>
  );
}

export function reloadsOf(state: EmulatorState | undefined, deployments: string[], model: string): DevState[] {
  const isOwn = (each: DevState) => deployments.includes(each.deployment_id) && each.model_id === model;
  return (state?.dev ?? []).filter(isOwn);
}

export function Reloads({ reloads }: { reloads: DevState[] }) {
  return (
    <ul class="contract-items">
      {reloads.map((each) => (
        <li key={each.directory}>
          <p>
            <strong>{each.model_id}</strong> <span class="quiet break">{each.directory}</span>
          </p>
          <p>
            Code <code>{short(each.code)}</code> answers as <code>{each.deployment_id}</code>.
          </p>
          {each.last ? <LastSave last={each.last} isStrict={each.strict} /> : <NotSaved />}
        </li>
      ))}
    </ul>
  );
}

function NotSaved() {
  return <p class="quiet">Nothing was saved since. Save a file in it, and what came of it is here.</p>;
}

const KINDS: Record<string, string> = {
  none: "nothing had to be reloaded",
  swap: "put into the running model, which stayed loaded",
  fork: "loaded anew in fresh replicas",
  environment: "loaded anew, in another environment",
  image: "loaded anew, in another image",
};

function LastSave({ last, isStrict }: { last: Reload; isStrict: boolean }) {
  const files = last.files.join(", ");
  return (
    <>
      <p class={last.state === "failed" ? "failed" : undefined} role="status">
        Last save{files && ` (${files})`}: {outcomeOf(last, isStrict)}
      </p>
      <p class="quiet">
        {last.state !== "failed" && `${KINDS[last.reload] ?? last.reload} · `}
        {last.reason} · {milliseconds(last.milliseconds)}
      </p>
      {last.failure && <Failure failure={last.failure} />}
      {last.changes.length > 0 && (
        <ul>
          {last.changes.map((each) => (
            <li key={each.message}>
              <span class={each.severity === "error" ? "failed" : "mark"}>{each.severity}</span> {each.message}
              {each.breaks !== "nobody" && ` It breaks ${each.breaks}.`}
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

function outcomeOf(last: Reload, isStrict: boolean): string {
  if (last.state === "ready") return "it answers.";
  if (last.state === "unchanged") return "it changed nothing that runs.";
  if (last.state === "superseded") return "a newer save came before it was done.";
  return isStrict
    ? "it is broken, and requests fail until it is mended."
    : "it is broken; the code before it answers.";
}

function Failure({ failure }: { failure: NonNullable<Reload["failure"]> }) {
  const place = failure.file && failure.line ? `${failure.file}:${failure.line}` : failure.file;
  return (
    <>
      <pre class="failed">{failure.message}</pre>
      {place && (
        <p>
          At <code class="break">{place}</code>
          {failure.frame && ` in ${failure.frame}`}
        </p>
      )}
      {failure.hint && <p>Next: {failure.hint}</p>}
      {failure.traceback && (
        <details>
          <summary>Traceback</summary>
          <pre>{failure.traceback}</pre>
        </details>
      )}
    </>
  );
}
