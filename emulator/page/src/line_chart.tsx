// Draws lines over time, with their values beside their names: the newest, or those under the pointer.

import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import "./line_chart.css";
import { secondsOf } from "./words";

const HEIGHT = 150;
const FONT = "12px system-ui, sans-serif";
// Lines differ by more than their colour.
const DASHES = [[], [7, 3], [2, 3]];

export interface Line {
  name: string;
  values: (number | null)[];
}

interface Props {
  title: string;
  lines: Line[];
  times: number[];
  say: (value: number) => string;
  // The chart reaches up to this at least.
  least: number;
}

export function LineChart({ title, lines, times, say, least }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const legend = useRef<HTMLUListElement>(null);
  const chart = useRef<uPlot | undefined>(undefined);
  const [under, setUnder] = useState<number | undefined>(undefined);
  useEffect(() => {
    const [box, names] = [place.current, legend.current];
    if (!box || !names) return;
    const drawn = new uPlot(optionsOf(box, names, lines.length, say, least, setUnder), dataOf(times, lines), box);
    chart.current = drawn;
    const resized = new ResizeObserver(() => drawn.setSize({ width: box.clientWidth, height: HEIGHT }));
    resized.observe(box);
    const scheme = window.matchMedia("(prefers-color-scheme: dark)");
    const again = () => drawn.redraw();
    scheme.addEventListener("change", again);
    return () => {
      scheme.removeEventListener("change", again);
      resized.disconnect();
      drawn.destroy();
    };
  }, [lines.length, say, least]);
  useEffect(() => chart.current?.setData(dataOf(times, lines)), [times, lines]);
  const at = under !== undefined && under < times.length ? under : times.length - 1;
  const valueAt = (line: Line) => {
    const value = line.values[at];
    return value === null || value === undefined ? "none" : say(value);
  };
  return (
    <figure class="chart">
      <figcaption>
        <strong>{title}</strong> <span class="quiet">at {secondsOf(times[at] ?? 0)}</span>
        <ul ref={legend}>
          {lines.map((line, index) => (
            <li key={line.name}>
              <svg class={`line-${index}`} width="24" height="8" aria-hidden="true">
                <line x1="0" y1="4" x2="24" y2="4" stroke-width="2" stroke-dasharray={DASHES[index]?.join(" ")} />
              </svg>{" "}
              {line.name} <span class="value">{valueAt(line)}</span>
            </li>
          ))}
        </ul>
      </figcaption>
      <div ref={place} aria-hidden="true" />
    </figure>
  );
}

function dataOf(times: number[], lines: Line[]): uPlot.AlignedData {
  return [times, ...lines.map((line) => line.values)];
}

function optionsOf(
  box: HTMLElement,
  legend: HTMLElement,
  lines: number,
  say: (value: number) => string,
  least: number,
  point: (index: number | undefined) => void,
): uPlot.Options {
  // A canvas knows no variables of the style sheet, and is drawn anew when the scheme changes.
  const colour = (element: Element | null) => () => getComputedStyle(element ?? box).color;
  const axis = {
    font: FONT,
    stroke: colour(legend),
    grid: { stroke: () => getComputedStyle(box).borderTopColor, width: 1 },
    ticks: { show: false },
  };
  return {
    width: box.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, sync: { key: "traffic" } },
    scales: { y: { range: (_, _low, high) => [0, Math.max(least, (high ?? 0) * 1.1)] } },
    axes: [
      { ...axis, values: (_, splits) => splits.map(secondsOf), space: 80, size: 26 },
      { ...axis, values: (_, splits) => splits.map(say), size: 64 },
    ],
    series: [
      {},
      ...Array.from({ length: lines }, (_, index) => ({
        stroke: colour(legend.querySelector(`.line-${index}`)),
        width: 2,
        dash: DASHES[index] ?? [],
        points: { size: 4 },
      })),
    ],
    hooks: { setCursor: [(drawn) => point(drawn.cursor.idx ?? undefined)] },
  };
}
