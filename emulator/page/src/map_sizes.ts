// Says sizes and prices in words.

import type { Amount, InstanceTypeState, NodepoolState } from "./told";

const GIB = 1024 ** 3;

export function number(value: number): string {
  return String(Number(value.toFixed(value < 10 ? 2 : 0)));
}

export function gibibytes(bytes: number): string {
  return `${number(bytes / GIB)} GiB`;
}

export function price(dollars: number | null): string {
  if (dollars === null) return "its price is not known";
  return dollars ? `$${dollars.toFixed(dollars < 1 ? 4 : 2)} an hour` : "free of charge";
}

export function typeWords(type: InstanceTypeState): string {
  if (!type.size) return `${type.id}: its size is not known, ${price(type.dollars_an_hour)}`;
  const gpus = type.size.accelerators
    ? `, ${type.size.accelerators} × ${type.accelerators.join(" or ") || "GPU"}`
    : "";
  const size = `${number(type.size.cpus)} CPUs, ${gibibytes(type.size.memory)}${gpus}`;
  return `${type.id}: ${size}, ${price(type.dollars_an_hour)}`;
}

export interface Share {
  what: string;
  taken: number;
  of: number;
  words: string;
}

// Of all instances that it may have, where they are of one type; else of those that are there.
export function sharesOf(pool: NodepoolState): Share[] {
  const whole = wholeOf(pool);
  const shares = [share("instances", pool.instances_in_use, pool.max_instances, number)];
  if (!whole) return shares;
  shares.push(share("CPUs", pool.taken.cpus, whole.cpus, number));
  shares.push(share("memory", pool.taken.memory, whole.memory, gibibytes));
  if (whole.accelerators) shares.push(share("GPUs", pool.taken.accelerators, whole.accelerators, number));
  return shares;
}

function wholeOf(pool: NodepoolState): Amount | undefined {
  const [only, ...others] = pool.types;
  if (!only || others.length) return pool.instances_in_use ? pool.in_use : undefined;
  if (!only.size) return undefined;
  const times = (value: number) => value * pool.max_instances;
  return {
    cpus: times(only.size.cpus),
    memory: times(only.size.memory),
    accelerators: times(only.size.accelerators),
  };
}

function share(what: string, taken: number, of: number, say: (value: number) => string): Share {
  return { what, taken, of, words: `${say(taken)} of ${say(of)} ${what}` };
}
