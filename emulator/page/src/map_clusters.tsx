// Draws the columns of the map (who asks, deployments, nodepools, replicas), a cluster at a time.
//
// Of many deployments, clusters are folded to their counts; one that is opened, searched for or lit is drawn.

import { useMemo, useRef, useState } from "preact/hooks";
import type { Emulator } from "./emulator";
import { DeploymentBox, NodepoolBox, ReplicaBox } from "./map_boxes";
import { callersOf, type MapCaller } from "./map_callers";
import { linesOf } from "./map_edges";
import { MapGpus } from "./map_gpus";
import { MapLines } from "./map_lines";
import {
  clustersOf,
  deploymentsOf,
  isLit,
  isTaken,
  isUsed,
  type MapCluster,
  type MapDeployment,
  matches,
  nameOfPool,
} from "./map_places";
import type { Lit } from "./map_ways";
import { saved } from "./source";
import type { EmulatorState, NodepoolState } from "./told";
import { SearchField } from "./words";

const MOST_UNFOLDED = 50;
const AT_ONCE = 50;
const MOST_REPLICAS = 200;
const MOST_PASSED = 200;

interface Props {
  emulator: Emulator;
  state: EmulatorState;
  lit: Lit;
}

export function MapClusters({ emulator, state, lit }: Props) {
  const [withShared, setShared] = useState(false);
  const [search, setSearch] = useState("");
  const [opened, setOpened] = useState<Record<string, number>>({});
  const around = useRef<HTMLDivElement>(null);
  const deployments = useMemo(() => deploymentsOf(state), [state]);
  const used = useMemo(() => new Set(deployments.flatMap((each) => each.nodepools)), [deployments]);
  const unused = state.nodepools.filter((pool) => !isUsed(pool, used, lit)).length;
  const pools = withShared ? state.nodepools : state.nodepools.filter((pool) => isUsed(pool, used, lit));
  const isLarge = deployments.length > MOST_UNFOLDED || pools.length > MOST_UNFOLDED;
  const found = searched(search, deployments, pools);
  const clusters = [...clustersOf(found.deployments, found.pools, state.user_id).values()];
  const shown = clusters.map((each) => {
    const most = opened[each.name] ?? (isLarge ? 0 : AT_ONCE);
    return drawnOf(each, lit, found.isSearch ? Math.max(most, AT_ONCE) : most);
  });
  const callers = callersOf(emulator.requests, saved?.time ?? Date.now() / 1000);
  return (
    <>
      <div class="bar">
        {(isLarge || search) && (
          <SearchField
            label="Search the map"
            placeholder="search deployments, models and nodepools"
            value={search}
            onInput={setSearch}
          />
        )}
        {unused > 0 && (
          <label class="quiet">
            <input
              type="checkbox"
              checked={withShared}
              onChange={(event) => setShared(event.currentTarget.checked)}
            />{" "}
            Clarifai's {unused} shared nodepools too, which nothing runs in
          </label>
        )}
      </div>
      {!state.deployments.length && (
        <div class="empty">
          <p>Nothing is deployed. Deploy a model to see where it runs:</p>
          <pre>clarifai-emulator deploy my-model</pre>
        </div>
      )}
      {found.isSearch && !clusters.length && (
        <p class="empty" role="status">
          Nothing on the map has “{search}” in its name. Clear the search to see all.
        </p>
      )}
      <div class={`map${lit.isOn ? " is-lit" : ""}`} ref={around}>
        <MapLines lines={linesOf(shown, callers, lit)} around={around} />
        <Callers callers={callers} lit={lit} />
        <ul class="clusters">
          {shown.map((each) => (
            <ClusterBand
              key={each.cluster.name}
              drawn={each}
              state={state}
              lit={lit}
              isFoldable={isLarge && !found.isSearch}
              onOpen={(most) => setOpened((before) => ({ ...before, [each.cluster.name]: most }))}
            />
          ))}
        </ul>
      </div>
      <MapGpus state={state} deployments={deployments} />
    </>
  );
}

function searched(search: string, deployments: MapDeployment[], pools: NodepoolState[]) {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return { isSearch: false, deployments, pools };
  const found = deployments.filter((each) => matches(words, each.name, each.model, ...each.nodepools));
  const theirs = new Set(found.flatMap((each) => each.nodepools));
  const fitting = pools.filter((pool) => {
    const name = nameOfPool(pool);
    return theirs.has(name) || matches(words, name, ...pool.instance_types);
  });
  return { isSearch: true, deployments: found, pools: fitting };
}

export interface DrawnCluster {
  cluster: MapCluster;
  most: number;
  deployments: MapDeployment[];
  nodepools: NodepoolState[];
}

// What was taken is drawn in any case; of what was passed over so many, and the list above the map has all.
function drawnOf(cluster: MapCluster, lit: Lit, most: number): DrawnCluster {
  let passed = 0;
  const deployments = cluster.deployments.filter((each, index) => {
    if (index < most || isTaken(each, lit)) return true;
    return isLit(each, lit) && passed++ < MOST_PASSED;
  });
  const theirs = new Set(deployments.flatMap((each) => each.nodepools));
  const isFull = cluster.nodepools.length > most;
  const nodepools = cluster.nodepools.filter((pool, index) => {
    const name = nameOfPool(pool);
    const isOfInterest = lit.nodepools.includes(name) || lit.rejected.has(`nodepool ${name}`);
    return isOfInterest || (most > 0 && (!isFull || theirs.has(name) || index < most));
  });
  return { cluster, most, deployments, nodepools };
}

function Callers({ callers, lit }: { callers: MapCaller[]; lit: Lit }) {
  const all = [...callers];
  if (lit.isOn && lit.caller && !all.some((each) => each.user === lit.caller)) {
    all.unshift({ user: lit.caller, count: 0, deployments: new Map() });
  }
  return (
    <div class="callers">
      <h3>Who asks</h3>
      {all.length ? (
        <ul aria-label="Who asks">
          {all.slice(0, AT_ONCE).map((each) => (
            <li
              key={each.user}
              data-at={`caller ${each.user}`}
              class={`box${lit.isOn && lit.caller === each.user ? " lit" : ""}`}
            >
              {each.user} <span class="quiet">{each.count} in the last minute</span>
            </li>
          ))}
        </ul>
      ) : (
        <p class="quiet">Nobody in the last minute.</p>
      )}
    </div>
  );
}

interface BandProps {
  drawn: DrawnCluster;
  state: EmulatorState;
  lit: Lit;
  isFoldable: boolean;
  onOpen: (most: number) => void;
}

function ClusterBand({ drawn, state, lit, isFoldable, onOpen }: BandProps) {
  const { cluster, most, deployments, nodepools } = drawn;
  const isOpen = most > 0;
  const more = isOpen ? cluster.deployments.length - deployments.length : 0;
  return (
    <li class="cluster">
      <h3>
        {isFoldable ? (
          <button type="button" aria-expanded={isOpen} onClick={() => onOpen(isOpen ? 0 : AT_ONCE)}>
            {cluster.name}
          </button>
        ) : (
          cluster.name
        )}
      </h3>
      <p class="quiet">{countsOf(cluster)}</p>
      {deployments.length + nodepools.length > 0 && (
        <div class="map-columns">
          <Deployments deployments={deployments} state={state} lit={lit} />
          <div>
            {nodepools.length > 0 && <p class="column">Nodepools</p>}
            <ul>
              {nodepools.map((pool) => (
                <NodepoolBox key={nameOfPool(pool)} pool={pool} lit={lit} />
              ))}
            </ul>
          </div>
          <Replicas deployments={deployments} lit={lit} />
        </div>
      )}
      {more > 0 && (
        <button type="button" onClick={() => onOpen(most + AT_ONCE)}>
          Show more deployments of {cluster.name} ({more} left)
        </button>
      )}
    </li>
  );
}

function Deployments({
  deployments,
  state,
  lit,
}: {
  deployments: MapDeployment[];
  state: EmulatorState;
  lit: Lit;
}) {
  return (
    <div>
      {deployments.length > 0 && <p class="column">Deployments</p>}
      <ul>
        {deployments.map((each) => (
          <DeploymentBox
            key={each.name}
            deployment={each}
            project={state.dev.find((one) => one.deployment_id === each.id)}
            lit={lit}
          />
        ))}
      </ul>
    </div>
  );
}

function Replicas({ deployments, lit }: { deployments: MapDeployment[]; lit: Lit }) {
  const all = deployments.flatMap((deployment) => deployment.replicas.map((replica) => ({ deployment, replica })));
  const shown = all.filter((each, index) => index < MOST_REPLICAS || each.replica.replica_id === lit.replica);
  return (
    <div>
      {all.length > 0 && <p class="column">Replicas</p>}
      <ul>
        {shown.map(({ deployment, replica }) => (
          <ReplicaBox key={replica.replica_id} replica={replica} deployment={deployment.id} lit={lit} />
        ))}
      </ul>
      {all.length > shown.length && <p class="quiet">and {all.length - shown.length} more</p>}
    </div>
  );
}

function countsOf(cluster: MapCluster): string {
  const states = new Map<string, number>();
  let replicas = 0;
  for (const each of cluster.deployments) {
    replicas += each.replicas.length;
    for (const { state } of each.versions) states.set(state, (states.get(state) ?? 0) + 1);
  }
  const bad = ["pending", "failed"].flatMap((state) =>
    states.has(state) ? [`${states.get(state)} ${state}`] : [],
  );
  const count = (number: number, what: string) => `${number} ${what}${number === 1 ? "" : "s"}`;
  return [
    count(cluster.deployments.length, "deployment") + (bad.length ? ` (${bad.join(", ")})` : ""),
    count(cluster.nodepools.length, "nodepool"),
    count(replicas, "replica"),
  ].join(" · ");
}
