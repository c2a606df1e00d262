// Lists the GPUs of the machine by id, each with the replicas that have it.

import { hrefOf } from "./addresses";
import type { MapDeployment } from "./map_places";
import { gibibytes } from "./map_sizes";
import type { EmulatorState } from "./told";
import { short } from "./words";

export function MapGpus({ state, deployments }: { state: EmulatorState; deployments: MapDeployment[] }) {
  if (!state.gpus.length) {
    const why = state.no_accelerators_because;
    return <p class="quiet">This machine has no GPU{why && `: ${why}`}.</p>;
  }
  const holders = new Map<string, { id: string; deployment: string }[]>();
  for (const { id: deployment, replicas } of deployments) {
    for (const { replica_id: id, devices } of replicas) {
      for (const device of devices) holders.set(device, [...(holders.get(device) ?? []), { id, deployment }]);
    }
  }
  return (
    <>
      <h3>GPUs of this machine</h3>
      <ul class="gpus" aria-label="GPUs of this machine">
        {state.gpus.map((gpu) => (
          <li key={gpu.id} class="box">
            <strong>
              #{gpu.index} {gpu.name}
            </strong>{" "}
            <span class="quiet">
              {gpu.memory ? gibibytes(gpu.memory) : "memory not known"}
              {gpu.simulated && ", simulated: a GPU in name only"} · {gpu.id}
            </span>
            <p>
              {holders.get(gpu.id)?.map((each) => (
                <span key={each.id}>
                  taken by <a href={hrefOf("replicas", each.id)}>{short(each.id)}</a> of {each.deployment}{" "}
                </span>
              )) ?? "free"}
            </p>
          </li>
        ))}
      </ul>
    </>
  );
}
