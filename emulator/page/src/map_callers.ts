// Counts who asked which deployment in the last minute, of the requests that this page keeps.

import type { Requests } from "./requests";

const SECONDS = 60;

export interface MapCaller {
  user: string;
  count: number;
  // Requests by deployment.
  deployments: Map<string, number>;
}

export function callersOf(requests: Requests, now: number): MapCaller[] {
  const found = new Map<string, MapCaller>();
  for (const row of requests.rows.values()) {
    if (row.began < now - SECONDS || !row.user || !(row.route || row.refusal)) continue;
    const caller = found.get(row.user) ?? { user: row.user, count: 0, deployments: new Map() };
    found.set(row.user, caller);
    caller.count += 1;
    const deployment = row.route?.deployment;
    if (deployment) caller.deployments.set(deployment, (caller.deployments.get(deployment) ?? 0) + 1);
  }
  return [...found.values()].sort((one, other) => other.count - one.count);
}
