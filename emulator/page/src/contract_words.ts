// Describes what the emulator tells of contracts, and asks for it again whenever something has changed.

import { useEffect, useRef, useState } from "preact/hooks";
import type { Emulator } from "./emulator";
import { addressOf, ask } from "./source";
import type { ContractChange } from "./told";

export interface ContractRow {
  model: string;
  kind: string;
  is_deployed: boolean;
  methods: number;
  never_called: number;
  calls: number;
  findings: number;
}

export interface ContractMethod {
  name: string;
  signature: string;
  kind: string;
  docstring: string;
  calls: number;
  limits: string[];
}

export interface FindingGroup {
  rule: string;
  title: string;
  severity: string;
  method: string;
  message: string;
  hint: string;
  file: string;
  line: number;
  count: number;
  last_request: string;
  last_time: number;
}

export interface LockChange extends Omit<ContractChange, "file" | "line"> {
  title: string;
  old: string;
  new: string;
  place: string;
  declared: string;
}

export interface Lock {
  state: "none" | "same" | "differs" | "unreadable" | "of others";
  file: string;
  problem: string;
  changes: LockChange[];
  left_out?: number;
  next: string[];
}

export interface Contract extends Omit<ContractRow, "methods" | "findings"> {
  version_id: string;
  newest_version_id: string;
  served: { version_id: string; deployments: string[] }[];
  methods: ContractMethod[];
  methods_left_out: number;
  unknown_calls: { method: string; calls: number }[];
  findings: FindingGroup[];
  code: { directory: string; is_there: boolean; places: Record<string, string>; lock: Lock } | null;
}

export interface Asked<T> {
  told: T | undefined;
  problem: string;
}

// The emulator's state is asked for after events only, so that nothing is asked while nothing happens.
export function useAsked<T>(emulator: Emulator, path: string, query: Record<string, string>): Asked<T> {
  const address = path && addressOf(path, query);
  const [asked, setAsked] = useState<Asked<T> & { address: string }>({ address, told: undefined, problem: "" });
  const now = useRef(address);
  now.current = address;
  useEffect(() => {
    if (!address) return;
    const take = (told: T | undefined, problem: string) =>
      now.current === address && setAsked((before) => ({ address, told: told ?? kept(before, address), problem }));
    ask<T>(path, query).then(
      (told) => take(told, ""),
      (error: Error) => take(undefined, error.message),
    );
  }, [address, emulator.state]);
  return asked.address === address ? asked : { told: undefined, problem: "" };
}

function kept<T>(before: Asked<T> & { address: string }, address: string): T | undefined {
  return before.address === address ? before.told : undefined;
}

export function times(count: number): string {
  return count === 1 ? "once" : count === 2 ? "twice" : `${count} times`;
}

const OF_SEVERITY: Record<string, string> = { error: "failed", warning: "mark", unchecked: "mark" };

export function classOf(severity: string): string {
  return OF_SEVERITY[severity] ?? "quiet";
}
