// Puts what runs in order for the map: clusters, each with its deployments, nodepools and replicas.

import type { Lit } from "./map_ways";
import type { DeploymentState, EmulatorState, NodepoolState, ReplicaState, VersionState } from "./told";
import { lastOf } from "./words";

export interface MapDeployment {
  name: string;
  id: string;
  model: string;
  bounds: string;
  isEnabled: boolean;
  isShared: boolean;
  versions: VersionState[];
  nodepools: string[];
  replicas: ReplicaState[];
}

export interface MapCluster {
  name: string;
  deployments: MapDeployment[];
  nodepools: NodepoolState[];
}

export function nameOfPool(pool: NodepoolState): string {
  return `${pool.user_id}/${pool.compute_cluster_id}/${pool.nodepool_id}`;
}

export function clusterOf(pool: string): string {
  return pool.slice(0, pool.lastIndexOf("/"));
}

export function deploymentsOf(state: EmulatorState): MapDeployment[] {
  return [...state.deployments.map(deployed), ...state.shared.map(shared)];
}

function deployed(each: DeploymentState): MapDeployment {
  const replicas = each.versions.flatMap((version) => version.replicas);
  return {
    name: `${each.user_id}/${each.deployment_id}`,
    id: each.deployment_id,
    model: each.model ?? "",
    bounds: `${each.min_replicas} to ${each.max_replicas} replicas`,
    isEnabled: each.enabled,
    isShared: false,
    versions: each.versions,
    nodepools: [...new Set([...each.nodepools, ...replicas.map((replica) => replica.nodepool)])],
    replicas,
  };
}

function shared(version: VersionState): MapDeployment {
  return {
    name: `shared ${version.model}`,
    id: lastOf(version.model),
    model: version.model,
    bounds: "on shared nodepools",
    isEnabled: true,
    isShared: true,
    versions: [version],
    nodepools: [...new Set(version.replicas.map((replica) => replica.nodepool))],
    replicas: version.replicas,
  };
}

// A deployment stands in the cluster of its first nodepool; lines lead to its others.
export function clustersOf(
  deployments: MapDeployment[],
  nodepools: NodepoolState[],
  self: string,
): Map<string, MapCluster> {
  const found = new Map<string, MapCluster>();
  const at = (name: string) => {
    const known = found.get(name);
    if (known) return known;
    const made = { name, deployments: [], nodepools: [] };
    found.set(name, made);
    return made;
  };
  for (const pool of nodepools) at(clusterOf(nameOfPool(pool))).nodepools.push(pool);
  for (const each of deployments) at(clusterOf(each.nodepools[0] ?? `${self}/no cluster/`)).deployments.push(each);
  return found;
}

export function isUsed(pool: NodepoolState, used: Set<string>, lit: Lit): boolean {
  const name = nameOfPool(pool);
  return (
    pool.user_id !== "clarifai" ||
    used.has(name) ||
    lit.nodepools.includes(name) ||
    lit.rejected.has(`nodepool ${name}`)
  );
}

export function isLit(each: MapDeployment, lit: Lit): boolean {
  if (!lit.isOn) return false;
  if (lit.rejected.has(`deployment ${each.name}`)) return true;
  if (lit.deployment) return lit.deployment === each.name;
  return lit.replica !== "" && each.replicas.some((replica) => replica.replica_id === lit.replica);
}

export function isTaken(each: MapDeployment, lit: Lit): boolean {
  return isLit(each, lit) && !lit.rejected.has(`deployment ${each.name}`);
}

// Whether words are all found in what a deployment is, or where it runs.
export function matches(words: string[], ...texts: string[]): boolean {
  const all = texts.join(" ").toLowerCase();
  return words.every((word) => all.includes(word));
}
