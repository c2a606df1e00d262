// Shows lines of a log as text, those with a searched word only.

import { useMemo } from "preact/hooks";
import type { LogLine } from "./told";
import { Time } from "./words";

interface Props {
  lines: LogLine[];
  leftOut: number;
  words: string;
}

export function LogLines({ lines, leftOut, words }: Props) {
  const wanted = words.toLowerCase();
  const found = useMemo(
    () => (wanted ? lines.filter((line) => line.text.toLowerCase().includes(wanted)) : lines),
    [lines, wanted],
  );
  // The page is drawn again with every event; thousands of lines are not, as long as they are the same.
  const list = useMemo(() => <List lines={found} />, [found]);
  return (
    <>
      {leftOut > 0 && <p class="quiet">{leftOut} older lines are not shown.</p>}
      {wanted && (
        <p class="quiet" role="status">
          {found.length} of {lines.length} lines
        </p>
      )}
      {list}
    </>
  );
}

function List({ lines }: { lines: LogLine[] }) {
  return (
    <ol class="log">
      {lines.map((line) => (
        <li key={line.seq} class={line.is_event ? "event" : undefined}>
          <Time at={line.time} />
          <span class="text">
            {line.text}
            {line.cut > 0 && <em> … {line.cut} characters more</em>}
          </span>
        </li>
      ))}
    </ol>
  );
}
