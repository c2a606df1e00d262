// Says between which boxes of the map lines are drawn.

import type { MapCaller } from "./map_callers";
import type { DrawnCluster } from "./map_clusters";
import type { MapLine } from "./map_lines";
import { isTaken } from "./map_places";
import type { Lit } from "./map_ways";

export function linesOf(clusters: DrawnCluster[], callers: MapCaller[], lit: Lit): MapLine[] {
  const lines: MapLine[] = [];
  const add = (from: string, to: string, look: MapLine["look"]) => lines.push({ from, to, look });
  for (const caller of callers) {
    for (const name of caller.deployments.keys()) add(`caller ${caller.user}`, `deployment ${name}`, "plain");
  }
  for (const { deployments } of clusters) {
    for (const each of deployments) {
      for (const pool of each.nodepools) add(`deployment ${each.name}`, `nodepool ${pool}`, "plain");
      for (const one of each.replicas) add(`nodepool ${one.nodepool}`, `replica ${one.replica_id}`, "plain");
    }
  }
  if (lit.isOn) addWay(clusters, lit, add);
  return lines;
}

type Add = (from: string, to: string, look: MapLine["look"]) => void;

function addWay(clusters: DrawnCluster[], lit: Lit, add: Add): void {
  const caller = `caller ${lit.caller}`;
  const taken = clusters.flatMap((each) => each.deployments).find((each) => isTaken(each, lit));
  const from = taken ? `deployment ${taken.name}` : caller;
  for (const what of lit.rejected.keys()) add(what.startsWith("nodepool ") ? from : caller, what, "passed");
  if (taken) add(caller, from, "taken");
  for (const pool of lit.nodepools) {
    if (!lit.rejected.has(`nodepool ${pool}`)) add(from, `nodepool ${pool}`, "taken");
  }
  if (lit.replica && lit.nodepools[0]) add(`nodepool ${lit.nodepools[0]}`, `replica ${lit.replica}`, "taken");
}
