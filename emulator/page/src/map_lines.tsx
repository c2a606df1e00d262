// Draws lines over the map, from what asks to what answers, wherever the two stand.

import type { RefObject } from "preact";
import { useEffect, useLayoutEffect, useState } from "preact/hooks";

export interface MapLine {
  from: string;
  to: string;
  look: "taken" | "passed" | "plain";
}

interface Drawn {
  width: number;
  height: number;
  paths: { look: string; d: string }[];
}

const NOTHING: Drawn = { width: 0, height: 0, paths: [] };
const ORDER = ["plain", "passed", "taken"];
// What is left of the boxes where they stand below each other.
const GUTTER = 4;

// Boxes say where they are by `data-at`; a line of which an end is not on the map is left out.
export function MapLines({ lines, around }: { lines: MapLine[]; around: RefObject<HTMLElement | null> }) {
  const [drawn, setDrawn] = useState(NOTHING);
  const measure = () => {
    if (!around.current) return;
    const now = draw(lines, around.current);
    setDrawn((before) => (JSON.stringify(before) === JSON.stringify(now) ? before : now));
  };
  useLayoutEffect(measure);
  useEffect(() => {
    if (!around.current) return;
    const observer = new ResizeObserver(measure);
    observer.observe(around.current);
    return () => observer.disconnect();
  });
  return (
    <svg class="lines" width={drawn.width} height={drawn.height} aria-hidden="true">
      {drawn.paths.map((each) => (
        <path key={`${each.look} ${each.d}`} class={each.look} d={each.d} />
      ))}
    </svg>
  );
}

function draw(lines: MapLine[], around: HTMLElement): Drawn {
  const frame = around.getBoundingClientRect();
  const boxes = new Map<string, DOMRect>();
  for (const element of around.querySelectorAll<HTMLElement>("[data-at]")) {
    boxes.set(element.dataset.at ?? "", element.getBoundingClientRect());
  }
  const paths: Drawn["paths"] = [];
  for (const { from, to, look } of lines) {
    const [one, other] = [boxes.get(from), boxes.get(to)];
    if (!one || !other) continue;
    const d = pathBetween(one, other, frame, look === "taken");
    if (d) paths.push({ look, d });
  }
  paths.sort((one, other) => ORDER.indexOf(one.look) - ORDER.indexOf(other.look));
  return { width: Math.round(frame.width), height: Math.round(frame.height), paths };
}

function pathBetween(one: DOMRect, other: DOMRect, frame: DOMRect, isTaken: boolean): string {
  const round = (value: number) => Math.round(value);
  const [y1, y2] = [round(one.top + one.height / 2 - frame.top), round(other.top + other.height / 2 - frame.top)];
  if (other.left >= one.right) {
    const [x1, x2] = [round(one.right - frame.left), round(other.left - frame.left)];
    const middle = round((x1 + x2) / 2);
    return `M${x1} ${y1}C${middle} ${y1} ${middle} ${y2} ${x2} ${y2}`;
  }
  if (!isTaken) return "";
  const [x1, x2] = [round(one.left - frame.left), round(other.left - frame.left)];
  return `M${x1} ${y1}H${GUTTER}V${y2}H${x2}`;
}
