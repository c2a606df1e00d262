// Shows lines of a log as text, those with a searched word only.

import type { LogLine } from "./told";
import { Time } from "./words";

interface Props {
  lines: LogLine[];
  leftOut: number;
  words: string;
}

export function LogLines({ lines, leftOut, words }: Props) {
  const wanted = words.toLowerCase();
  const found = wanted ? lines.filter((line) => line.text.toLowerCase().includes(wanted)) : lines;
  return (
    <>
      {leftOut > 0 && <p class="quiet">{leftOut} older lines are not shown.</p>}
      {wanted && (
        <p class="quiet" role="status">
          {found.length} of {lines.length} lines
        </p>
      )}
      <ol class="log">
        {found.map((line) => (
          <li key={line.seq} class={line.is_event ? "event" : undefined}>
            <Time at={line.time} />
            <span class="text">
              {line.text}
              {line.cut > 0 && <em> … {line.cut} characters more</em>}
            </span>
          </li>
        ))}
      </ol>
    </>
  );
}
