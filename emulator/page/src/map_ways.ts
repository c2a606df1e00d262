// Says what of the map a request, or the answer to a question, lights: what was taken, and what was passed over.

import type { RequestRow } from "./requests";
import type { Explained } from "./told";

export interface Lit {
  isOn: boolean;
  caller: string;
  deployment: string;
  nodepools: string[];
  replica: string;
  // Reasons, by what was passed over: `deployment me/x`, `nodepool me/cluster/x`.
  rejected: Map<string, string>;
}

export const NOTHING_LIT: Lit = {
  isOn: false,
  caller: "",
  deployment: "",
  nodepools: [],
  replica: "",
  rejected: new Map(),
};

export function litByRequest(row: RequestRow, self: string): Lit {
  const { route, refusal } = row;
  return {
    isOn: true,
    caller: row.user || self,
    deployment: route?.deployment ?? "",
    nodepools: row.nodepool ? [row.nodepool] : (route?.nodepools ?? []),
    replica: row.replica,
    rejected: reasonsOf({ ...(route && { decision: route }), ...(refusal && { refusal }) }),
  };
}

export function litByAnswer(explained: Explained, caller: string): Lit {
  return {
    isOn: true,
    caller,
    deployment: explained.decision?.deployment ?? "",
    nodepools: explained.decision?.nodepools ?? [],
    replica: "",
    rejected: reasonsOf(explained),
  };
}

function reasonsOf({ decision, refusal }: Explained): Map<string, string> {
  return new Map((decision ?? refusal)?.rejected?.map((each) => [each.what, each.reason]) ?? []);
}
