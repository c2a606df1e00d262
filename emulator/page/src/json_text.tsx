// Shows JSON as a tree whose parts open and close; what cannot be read as JSON, as text.

import type { ComponentChildren } from "preact";
import { useMemo, useState } from "preact/hooks";
import { count } from "./sizes";

// Parts that are deeper, or have more entries, are closed at first.
const OPEN_DEPTH = 2;
const OPEN_ENTRIES = 50;
const AT_ONCE = 200;

export function JsonText({ text, isWhole }: { text: string; isWhole: boolean }) {
  const value = useMemo(() => (isWhole ? parsed(text) : undefined), [text, isWhole]);
  if (value === undefined) return <pre>{text}</pre>;
  return (
    <div class="json">
      <Part value={value.of} name="" depth={0} />
    </div>
  );
}

// Also numbers that only Python writes make it a text.
function parsed(text: string): { of: unknown } | undefined {
  try {
    return { of: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

function Part({ value, name, depth }: { value: unknown; name: string; depth: number }) {
  const label = name ? <span class="key">{name}: </span> : null;
  if (value === null || typeof value !== "object") {
    return (
      <div class="leaf">
        {label}
        <span class={`of-${typeof value}`}>{JSON.stringify(value)}</span>
      </div>
    );
  }
  const entries = Object.entries(value);
  const [open, close] = Array.isArray(value) ? ["[", "]"] : ["{", "}"];
  if (!entries.length) {
    return (
      <div class="leaf">
        {label}
        {open}
        {close}
      </div>
    );
  }
  const said = `${open} ${count(entries.length)} ${Array.isArray(value) ? "items" : "fields"} ${close}`;
  return (
    <Fold label={label} said={said} isOpen={depth < OPEN_DEPTH && entries.length <= OPEN_ENTRIES}>
      <Entries entries={entries} isList={Array.isArray(value)} depth={depth} />
    </Fold>
  );
}

interface FoldProps {
  label: ComponentChildren;
  said: string;
  isOpen: boolean;
  children: ComponentChildren;
}

function Fold({ label, said, isOpen, children }: FoldProps) {
  const [open, setOpen] = useState(isOpen);
  return (
    <details open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        {label}
        <span class="quiet">{said}</span>
      </summary>
      {open && children}
    </details>
  );
}

function Entries({ entries, isList, depth }: { entries: [string, unknown][]; isList: boolean; depth: number }) {
  const [most, setMost] = useState(AT_ONCE);
  return (
    <div class="entries">
      {entries.slice(0, most).map(([name, each]) => (
        <Part key={name} value={each} name={isList ? name : JSON.stringify(name)} depth={depth + 1} />
      ))}
      {entries.length > most && (
        <button type="button" class="small" onClick={() => setMost(most + AT_ONCE)}>
          show {count(Math.min(AT_ONCE, entries.length - most))} more
        </button>
      )}
    </div>
  );
}
