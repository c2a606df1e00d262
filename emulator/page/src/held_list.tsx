// Holds a list still while it is scrolled: what comes meanwhile would push away what somebody reads.

import type { RefObject } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import "./held_list.css";

// Tells whether the top of a list, where `top` stands, has been scrolled out of view.
export function useScrolledAway(top: RefObject<HTMLElement | null>): boolean {
  const [isAway, setAway] = useState(false);
  useEffect(() => {
    if (!top.current) return;
    const seen = new IntersectionObserver(([entry]) => {
      if (entry) setAway(!entry.isIntersecting && entry.boundingClientRect.top < 0);
    });
    seen.observe(top.current);
    return () => seen.disconnect();
  }, [top]);
  return isAway;
}

// Gives what was there when `isHeld` began, until it ends; then what there is.
export function useHeld<T>(isHeld: boolean, look: () => T): T {
  const held = useRef<{ found: T } | undefined>(undefined);
  if (!isHeld) held.current = undefined;
  else held.current ??= { found: look() };
  return held.current ? held.current.found : look();
}

export function Newer({ count, top }: { count: number; top: RefObject<HTMLElement | null> }) {
  if (count <= 0) return null;
  return (
    <p class="newer">
      <button type="button" onClick={() => top.current?.scrollIntoView({ block: "end" })}>
        Show {count === 1 ? "a newer request" : `${count} newer requests`}
      </button>
    </p>
  );
}
