// Shows replicas, those that run and those that have ended, and one of them beside the list.

import { useEffect, useReducer } from "preact/hooks";
import type { Emulator } from "./emulator";
import { ReplicaDetail } from "./replica_detail";
import { ReplicaList } from "./replica_list";
import { replicasOf } from "./replicas_shown";
import { ask } from "./source";
import type { EmulatorEvent } from "./told";
import "./replicas.css";

export function ReplicasPanel({ emulator, chosen }: { emulator: Emulator; chosen: string }) {
  const [, again] = useReducer((count: number) => count + 1, 0);
  useEffect(() => {
    ask<{ steps: EmulatorEvent[] }>("lives").then(
      (told) => {
        emulator.lives.takeOld(told.steps);
        again(undefined);
      },
      () => undefined,
    );
  }, [emulator, emulator.restarts, chosen]);
  const shown = replicasOf(emulator);
  const one = shown.find((each) => each.id === chosen);
  return (
    <div class={chosen ? "split chosen" : "split"}>
      <section aria-labelledby="replicas-title">
        <h2 id="replicas-title">Replicas</h2>
        {shown.length ? (
          <ReplicaList shown={shown} chosen={chosen} since={emulator.lives.since} />
        ) : emulator.link === "saved" ? (
          <p class="empty">No replica had been started when this page was saved.</p>
        ) : (
          <div class="empty">
            <p>No replica has been started. Deploy a model to start one:</p>
            <pre>clarifai-emulator deploy my-model</pre>
          </div>
        )}
      </section>
      {chosen && <ReplicaDetail key={chosen} emulator={emulator} id={chosen} one={one} />}
    </div>
  );
}
