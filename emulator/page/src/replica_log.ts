// Reads the log of a replica as it comes, and finds the last traceback in it.

import { useEffect, useState } from "preact/hooks";
import { ask, saved } from "./source";
import type { LogLine } from "./told";

const MOST_LINES = 2000;
const EVERY_MILLISECONDS = 1000;
const MOST_TRACEBACK = 60;
const TRACEBACK = "Traceback (most recent call last):";

export interface ReadLog {
  lines: LogLine[];
  leftOut: number;
}

export function useLog(id: string): ReadLog {
  const [log, setLog] = useState<ReadLog>({ lines: [], leftOut: 0 });
  useEffect(() => {
    let isOver = false;
    let timer = 0;
    let since = 0;
    const look = async () => {
      try {
        if (!document.hidden) {
          const query: Record<string, string> = saved ? { replica: id } : { replica: id, since: String(since) };
          const told = await ask<{ lines: LogLine[]; left_out: number }>("log", query);
          const last = told.lines[told.lines.length - 1];
          if (last && !isOver) {
            since = last.seq;
            setLog((before) => joined(before, told));
          }
        }
      } catch {
        since = 0; // the emulator that comes next counts anew
      }
      if (!isOver && !saved) timer = window.setTimeout(look, EVERY_MILLISECONDS);
    };
    void look();
    return () => {
      isOver = true;
      window.clearTimeout(timer);
    };
  }, [id]);
  return log;
}

function joined(before: ReadLog, told: { lines: LogLine[]; left_out: number }): ReadLog {
  const known = new Set(before.lines.map((line) => line.seq));
  const all = [...before.lines, ...told.lines.filter((line) => !known.has(line.seq))];
  const gone = Math.max(0, all.length - MOST_LINES);
  return { lines: all.slice(gone), leftOut: before.leftOut + told.left_out + gone };
}

// The lines of the last traceback, up to its error; none where there is none.
export function lastTraceback(lines: LogLine[]): LogLine[] {
  const printed = lines.filter((line) => !line.is_event);
  let begin = printed.length - 1;
  while (begin >= 0 && !printed[begin]?.text.includes(TRACEBACK)) begin -= 1;
  if (begin < 0) return [];
  const indent = printed[begin]?.text.indexOf(TRACEBACK) ?? 0;
  let end = begin + 1;
  const isFrame = (text: string) => !text.trim() || text.slice(indent).startsWith(" ");
  while (end < printed.length && isFrame(printed[end]?.text ?? "")) end += 1;
  return printed.slice(begin, Math.min(end + 1, begin + MOST_TRACEBACK));
}
