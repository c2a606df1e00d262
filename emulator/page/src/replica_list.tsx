// Lists replicas with their lives on one time axis, of one, ten or sixty minutes.

import { useEffect, useReducer, useState } from "preact/hooks";
import { hrefOf } from "./addresses";
import { ReplicaBar } from "./replica_bar";
import { inWords, PHASE_NAMES, phasesOf } from "./replica_phases";
import type { ShownReplica } from "./replicas_shown";
import { saved } from "./source";
import { clock, short } from "./words";

const WINDOWS = [1, 10, 60];
const EVERY_MILLISECONDS = 1000;

export function ReplicaList({ shown, chosen, since }: { shown: ShownReplica[]; chosen: string; since: number }) {
  const [minutes, setMinutes] = useState(10);
  const now = useNow();
  const from = now - 60 * minutes;
  return (
    <>
      <fieldset class="bar windows">
        <legend>Time shown</legend>
        {WINDOWS.map((each) => (
          <label key={each}>
            <input type="radio" name="window" checked={each === minutes} onChange={() => setMinutes(each)} />{" "}
            {each === 1 ? "1 minute" : `${each} minutes`}
          </label>
        ))}
      </fieldset>
      <p class="legend" aria-hidden="true">
        {PHASE_NAMES.map((name) => (
          <span key={name}>
            <span class={`phase ${name}`} /> {name}
          </span>
        ))}
      </p>
      <div class="scroll">
        <table class="lives">
          <thead>
            <tr>
              <th scope="col">Replica</th>
              <th scope="col">State</th>
              <th scope="col">Deployment</th>
              <th scope="col">Nodepool</th>
              <th scope="col" class="axis">
                {clock(from).slice(0, 8)} to {clock(now).slice(0, 8)}
              </th>
            </tr>
          </thead>
          <tbody>
            {shown.map((each) => (
              <Row key={each.id} each={each} isChosen={each.id === chosen} from={from} now={now} />
            ))}
          </tbody>
        </table>
      </div>
      {since > from && <p class="quiet">Work is known since {clock(since).slice(0, 8)}.</p>}
    </>
  );
}

function Row({ each, isChosen, from, now }: { each: ShownReplica; isChosen: boolean; from: number; now: number }) {
  const phases = phasesOf(each.life, each.isOver ? "" : each.state, now);
  return (
    <tr class={`${isChosen ? "is-chosen" : ""}${each.isOver ? " over" : ""}`}>
      <td>
        <a href={hrefOf("replicas", each.id)} aria-current={isChosen ? "true" : undefined}>
          {short(each.id)}
        </a>
      </td>
      <td>
        <span class={`state ${each.state}`}>{each.state}</span>
      </td>
      <td>{each.deployment}</td>
      <td>
        {each.nodepool}
        {each.devices.length > 0 && <p class="quiet">{each.devices.join(", ")}</p>}
      </td>
      <td>
        <ReplicaBar life={each.life} phases={phases} from={from} now={now} />
        <p class="quiet">{inWords(each.life, phases, from, now)}</p>
      </td>
    </tr>
  );
}

function useNow(): number {
  const [, again] = useReducer((count: number) => count + 1, 0);
  useEffect(() => {
    if (saved) return;
    const timer = window.setInterval(() => document.hidden || again(undefined), EVERY_MILLISECONDS);
    return () => window.clearInterval(timer);
  }, []);
  return saved?.time ?? Date.now() / 1000;
}
