// Asks for resources, and again after something has happened in the emulator.

import { useEffect, useState } from "preact/hooks";
import type { Emulator } from "./emulator";
import { addressOf, ask } from "./source";

const LEAST_MILLISECONDS = 1000;
const MOST_MILLISECONDS = 5000;

export interface ResourceName {
  kind: string;
  key: string;
}

export interface KindCount {
  kind: string;
  count: number;
}

export interface ResourceList {
  count: number;
  found: number;
  start: number;
  items: ResourceName[];
}

export interface ResourceLink extends ResourceName {
  at: (string | number)[];
}

export interface OneResource extends ResourceName {
  json: unknown;
  links: ResourceLink[];
  lies_in: ResourceName[];
  holds: (KindCount & { items: ResourceName[] })[];
}

interface Answer<T> {
  address: string;
  value?: T;
  problem?: string;
}

export function useResources<T>(emulator: Emulator, query: Record<string, string>): Answer<T> {
  const address = addressOf("resources", query);
  const [answer, setAnswer] = useState<Answer<T>>({ address });
  useEffect(() => {
    let isOver = false;
    let timer = 0;
    let hasChanged = false;
    let asked = 0;
    const look = async () => {
      const isDue = hasChanged || performance.now() - asked > MOST_MILLISECONDS;
      if ((!asked || isDue) && !document.hidden) {
        hasChanged = false;
        asked = performance.now();
        const found = await read<T>(address, query);
        if (isOver) return;
        if (found) setAnswer(found);
      }
      if (emulator.link !== "saved") timer = window.setTimeout(look, LEAST_MILLISECONDS);
    };
    const end = emulator.subscribe(() => {
      hasChanged = true;
    });
    void look();
    return () => {
      isOver = true;
      window.clearTimeout(timer);
      end();
    };
  }, [emulator, address]);
  return answer.address === address ? answer : { address };
}

// Nothing while the emulator does not answer: the page says so, and what was known last stays.
async function read<T>(address: string, query: Record<string, string>): Promise<Answer<T> | undefined> {
  try {
    const value = await ask<T & { missing?: string }>("resources", query);
    return value.missing ? { address, problem: value.missing } : { address, value };
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    return { address, problem: error instanceof Error ? error.message : String(error) };
  }
}
