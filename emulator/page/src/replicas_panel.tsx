// Lists replicas, those that run and those that have ended, with the life and the log of the one that is chosen.

import { useEffect, useMemo, useState } from "preact/hooks";
import { hrefOf } from "./addresses";
import type { Emulator } from "./emulator";
import type { ReplicaLife } from "./lives";
import { LogLines } from "./log_lines";
import { ask } from "./source";
import { type LogLine, type ReplicaState, text, type VersionState } from "./told";
import { Copy, lastOf, short, Time } from "./words";

const MOST_LINES = 2000;
const EVERY_MILLISECONDS = 1000;
const MOST_ENDED = 50;

interface Shown {
  id: string;
  state: string;
  isOver: boolean;
  deployment: string;
  nodepool: string;
  now: ReplicaState | undefined;
  life: ReplicaLife | undefined;
}

export function ReplicasPanel({ emulator, chosen }: { emulator: Emulator; chosen: string }) {
  const shown = replicasOf(emulator);
  const one = shown.find((each) => each.id === chosen);
  return (
    <div class={chosen ? "split chosen" : "split"}>
      <section aria-labelledby="replicas-title">
        <h2 id="replicas-title">Replicas</h2>
        {shown.length ? (
          <List shown={shown} chosen={chosen} />
        ) : (
          <div class="empty">
            <p>No replica has been started. Deploy a model to start one:</p>
            <pre>clarifai-emulator deploy my-model</pre>
          </div>
        )}
      </section>
      {chosen && <OneReplica key={chosen} id={chosen} one={one} />}
    </div>
  );
}

function replicasOf(emulator: Emulator): Shown[] {
  const found = new Map<string, Shown>();
  const add = (deployment: string, version: VersionState) => {
    for (const now of version.replicas) {
      const life = emulator.lives.all.get(now.replica_id);
      const { state, nodepool } = now;
      found.set(now.replica_id, { id: now.replica_id, state, isOver: false, deployment, nodepool, now, life });
    }
  };
  for (const each of emulator.state?.deployments ?? [])
    for (const one of each.versions) add(each.deployment_id, one);
  for (const one of emulator.state?.shared ?? []) add(lastOf(one.model), one);
  const ended = [...emulator.lives.all.values()].filter((life) => life.ended && !found.has(life.id)).reverse();
  for (const life of ended.slice(0, MOST_ENDED)) {
    const state = life.ended?.kind === "replica.crashed" ? "crashed" : "ended";
    const { id, deployment, nodepool } = life;
    found.set(id, { id, state, isOver: true, deployment, nodepool, now: undefined, life });
  }
  return [...found.values()];
}

function List({ shown, chosen }: { shown: Shown[]; chosen: string }) {
  return (
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th scope="col">Replica</th>
            <th scope="col">State</th>
            <th scope="col">Deployment</th>
            <th scope="col">Nodepool</th>
          </tr>
        </thead>
        <tbody>
          {shown.map((each) => (
            <tr key={each.id} class={`${each.id === chosen ? "is-chosen" : ""}${each.isOver ? " over" : ""}`}>
              <td>
                <a href={hrefOf("replicas", each.id)} aria-current={each.id === chosen ? "true" : undefined}>
                  {short(each.id)}
                </a>
              </td>
              <td>
                <span class={`state ${each.state}`}>{each.state}</span>
              </td>
              <td>{each.deployment}</td>
              <td>{each.nodepool}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function OneReplica({ id, one }: { id: string; one: Shown | undefined }) {
  const [words, setWords] = useState("");
  const [modelOnly, setModelOnly] = useState(false);
  const { lines, leftOut } = useLog(id);
  const wanted = useMemo(
    () => (modelOnly ? lines.filter((line) => line.origin === "model") : lines),
    [lines, modelOnly],
  );
  const steps = one?.life?.steps ?? [];
  return (
    <section aria-labelledby="replica-title" class="detail">
      <a class="close" href={hrefOf("replicas")}>
        Close
      </a>
      <h2 id="replica-title">Replica {short(id)}</h2>
      <p class="break">
        <code>{id}</code> <Copy text={id} what="the id of the replica" />
      </p>
      <p>
        <span class={`state ${one?.state ?? ""}`}>{one?.state ?? "not known any longer"}</span>
        {one?.now && one.now.pid > 0 && ` · process ${one.now.pid}`}
        {one?.now &&
          ` · ${one.now.runner} runner${one.now.runner_because && `, because ${one.now.runner_because}`}`}
        {one?.now && one.now.devices.length > 0 && ` · ${one.now.devices.join(", ")}`}
      </p>
      {steps.length > 0 && (
        <>
          <h3>Its life</h3>
          <ol class="log">
            {steps.map((step) => (
              <li key={step.seq}>
                <Time at={step.time} />
                <span class="text">
                  <strong>{step.kind.replace("replica.", "")}</strong>{" "}
                  {text(step, "message") || text(step, "reason")}
                </span>
              </li>
            ))}
          </ol>
        </>
      )}
      <h3>Its log</h3>
      <div class="bar">
        <label class="grow">
          <span class="hidden">Search the log</span>
          <input
            type="search"
            placeholder="search the log"
            value={words}
            onInput={(event) => setWords(event.currentTarget.value)}
          />
        </label>
        <label>
          <input
            type="checkbox"
            checked={modelOnly}
            onChange={(event) => setModelOnly(event.currentTarget.checked)}
          />{" "}
          what the model printed only
        </label>
      </div>
      {lines.length ? (
        <LogLines lines={wanted} leftOut={leftOut} words={words} />
      ) : (
        <p class="empty">It has written nothing yet. What the model prints appears here.</p>
      )}
    </section>
  );
}

function useLog(id: string): { lines: LogLine[]; leftOut: number } {
  const [log, setLog] = useState<{ lines: LogLine[]; leftOut: number }>({ lines: [], leftOut: 0 });
  useEffect(() => {
    let isOver = false;
    let timer = 0;
    let since = 0;
    const look = async () => {
      try {
        if (!document.hidden) {
          const told = await ask<{ lines: LogLine[]; left_out: number }>("log", {
            replica: id,
            since: String(since),
          });
          const last = told.lines[told.lines.length - 1];
          if (last && !isOver) {
            since = last.seq;
            setLog((before) => joined(before, told));
          }
        }
      } catch {
        since = 0; // the emulator that comes next counts anew
      }
      if (!isOver) timer = window.setTimeout(look, EVERY_MILLISECONDS);
    };
    void look();
    return () => {
      isOver = true;
      window.clearTimeout(timer);
    };
  }, [id]);
  return log;
}

function joined(before: { lines: LogLine[]; leftOut: number }, told: { lines: LogLine[]; left_out: number }) {
  const known = new Set(before.lines.map((line) => line.seq));
  const all = [...before.lines, ...told.lines.filter((line) => !known.has(line.seq))];
  const gone = Math.max(0, all.length - MOST_LINES);
  return { lines: all.slice(gone), leftOut: before.leftOut + told.left_out + gone };
}
