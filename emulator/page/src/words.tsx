// Shows times, ids and texts as the panels share them.

import { useState } from "preact/hooks";
import { hrefOf } from "./addresses";
import type { RequestRow } from "./requests";

export function clock(seconds: number): string {
  const date = new Date(seconds * 1000);
  const two = (value: number) => String(value).padStart(2, "0");
  const milliseconds = String(date.getMilliseconds()).padStart(3, "0");
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${milliseconds}`;
}

export function secondsOf(seconds: number): string {
  return clock(seconds).slice(0, 8);
}

export function ago(seconds: number): string {
  const past = Math.max(0, Date.now() / 1000 - seconds);
  if (past < 60) return `${Math.round(past)} s ago`;
  if (past < 3600) return `${Math.round(past / 60)} min ago`;
  return past < 86400 ? `${Math.round(past / 3600)} h ago` : `${Math.round(past / 86400)} days ago`;
}

export function Time({ at }: { at: number }) {
  return (
    <time
      dateTime={new Date(at * 1000).toISOString()}
      title={ago(at)}
      onPointerEnter={(event) => {
        event.currentTarget.title = ago(at);
      }}
    >
      {clock(at)}
    </time>
  );
}

export function milliseconds(value: number): string {
  return value >= 10000 ? `${(value / 1000).toFixed(1)} s` : `${value.toFixed(value < 10 ? 1 : 0)} ms`;
}

export function rate(value: number): string {
  return value === 0 || value >= 10 ? value.toFixed(0) : value.toFixed(value < 0.1 ? 2 : 1);
}

export function short(id: string): string {
  return id.length > 12 ? id.slice(0, 8) : id;
}

export function Copy({ text, what }: { text: string; what: string }) {
  const [said, say] = useState("");
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      say("copied");
    } catch {
      say("not allowed to copy");
    }
    window.setTimeout(() => say(""), 1500);
  };
  return (
    <button type="button" class="small" onClick={copy} aria-label={`Copy ${what}`}>
      {said || "copy"}
    </button>
  );
}

const SIGNS = { running: "…", ok: "✓", failed: "✗", cancelled: "–" };

export function Outcome({ row }: { row: RequestRow }) {
  return (
    <span class={`outcome ${row.outcome}`}>
      <span aria-hidden="true">{SIGNS[row.outcome]} </span>
      {row.said}
    </span>
  );
}

export function lastOf(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}

export function nameOf(row: RequestRow): string {
  if (row.call) return row.call;
  const model = lastOf(row.model);
  return row.method ? `${model || "?"}.${row.method}` : row.rpc || `${model || "?"} · not answered yet`;
}

// Leads back to a panel, or to what was chosen in it before.
export function Close({ panel, item = "" }: { panel: string; item?: string }) {
  return (
    <a class="close" href={hrefOf(panel, item)}>
      Close
    </a>
  );
}

interface SearchFieldProps {
  label: string;
  placeholder: string;
  value: string;
  onInput: (words: string) => void;
  title?: string;
}

// Takes words to search for; its label is for whoever does not see the field.
export function SearchField({ label, placeholder, value, onInput, title }: SearchFieldProps) {
  return (
    <label class="grow">
      <span class="hidden">{label}</span>
      <input
        type="search"
        value={value}
        placeholder={placeholder}
        title={title}
        onInput={(event) => onInput(event.currentTarget.value)}
      />
    </label>
  );
}
