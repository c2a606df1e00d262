// Reads what was saved with a page: the emulator's own answers, by what was asked.

import type { EmulatorEvent, EmulatorState, LogLine } from "./told";

export interface SavedCall {
  id: string;
  model: string;
  // As one would write it: `predict(prompt='Hello')`.
  asked: string;
  answered: string[];
  // Further results, which are not in `answered`.
  more: number;
  // `10000 SUCCESS`; empty where the call broke off.
  status: string;
  ok: boolean;
  milliseconds: number | null;
  error: string;
  // The model that made the call; empty for the test itself.
  by: string;
}

export interface SavedLog {
  replica: string;
  // Numbers of its first and last line.
  first: number;
  last: number;
  left_out: number;
}

export interface SavedTest {
  id: string;
  outcome: "passed" | "failed" | "error" | "skipped" | "xfailed" | "xpassed";
  // Seconds.
  took: number;
  worker: string;
  // Of the error for which it failed.
  message: string;
  // All that pytest says of a failure; why it was skipped.
  said: string;
  uses_emulator: boolean;
  calls: SavedCall[];
  findings: string[];
  logs: SavedLog[];
  state: EmulatorState | null;
  // Sentences about what of it is not in the file.
  notes: string[];
}

export interface Saved {
  // Seconds since the epoch.
  time: number;
  version: string;
  title: string;
  // Sentences about what is in it, and what is not.
  notes: string[];
  events: EmulatorEvent[];
  // What the emulator answered, by what was asked: `state`, `call?id=…`. Of files, data: addresses.
  answers: Record<string, unknown>;
  // Of the file of a test run.
  tests?: SavedTest[];
}

interface SavedLines {
  lines: LogLine[];
  left_out: number;
}

const NOT_SAVED = "This was not saved with the page.";

export function answerIn(saved: Saved, path: string, query: Record<string, string>): unknown {
  if (path === "log") return linesIn(saved, query);
  if (path === "resources" && query.kind && !query.key) return namesIn(saved, query.kind, query.search ?? "");
  const key = keyOf(path, query);
  if (!(key in saved.answers)) throw new Error(NOT_SAVED);
  return saved.answers[key];
}

export function fileIn(saved: Saved, path: string, query: Record<string, string>): string | undefined {
  const found = saved.answers[keyOf(path, query)];
  return typeof found === "string" && found.startsWith("data:") ? found : undefined;
}

// In one order, whoever asks: names sorted, empty ones left out.
function keyOf(path: string, query: Record<string, string>): string {
  const given = Object.entries(query).filter(([, value]) => value !== "");
  const words = new URLSearchParams(given);
  words.sort();
  return given.length ? `${path}?${words}` : path;
}

// A replica's whole log is saved once.
export function logIn(saved: Saved, replica: string): SavedLines {
  return (saved.answers[keyOf("log", { replica })] as SavedLines | undefined) ?? { lines: [], left_out: 0 };
}

function linesIn(saved: Saved, query: Record<string, string>): SavedLines {
  const log = logIn(saved, query.replica ?? "");
  const [since, begin, end] = [Number(query.since ?? 0), Number(query.begin ?? 0), Number(query.end ?? Infinity)];
  const lines = log.lines.filter((line) => line.seq > since && line.time >= begin && line.time <= end);
  return { lines, left_out: since || begin ? 0 : log.left_out };
}

// The newest of a kind are saved, without any search.
function namesIn(saved: Saved, kind: string, search: string): unknown {
  const all = saved.answers[keyOf("resources", { kind })] as { items: { key: string }[] } | undefined;
  if (!all) throw new Error(NOT_SAVED);
  const words = search.toLowerCase().split(/\s+/);
  const items = all.items.filter((each) => words.every((word) => each.key.toLowerCase().includes(word)));
  return { ...all, start: 0, found: items.length, items };
}
