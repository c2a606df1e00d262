// Tells components that what they show has changed, at most some times a second.

import { useEffect, useReducer } from "preact/hooks";

const EVERY_MILLISECONDS = 50;

export class Listened {
  private readonly listeners = new Set<() => void>();
  private isTelling = false;

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  // For what somebody types: further changes build on it.
  protected tellNow(): void {
    for (const listener of this.listeners) listener();
  }

  protected tell(): void {
    if (this.isTelling) return;
    this.isTelling = true;
    window.setTimeout(() => {
      this.isTelling = false;
      for (const listener of this.listeners) listener();
    }, EVERY_MILLISECONDS);
  }
}

export function useListened(thing: Listened | undefined): void {
  const [, again] = useReducer((count: number) => count + 1, 0);
  useEffect(() => thing?.subscribe(() => again(undefined)), [thing]);
}
