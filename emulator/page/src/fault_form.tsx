// Asks for a fault, field by field, says in words what it would do and what is wrong with it, and adds it.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Emulator } from "./emulator";
import {
  doesSomething,
  FAULT_GROUPS,
  type FaultField,
  type FaultGroup,
  type FaultValues,
  faultOf,
  valuesOf,
} from "./fault_fields";
import { act, ask } from "./source";
import type { EmulatorState, FaultState } from "./told";

const PREVIEW_MILLISECONDS = 150;
const MOST_SUGGESTIONS = 200;
const NOTHING_YET = "Choose under “What” what should go wrong.";

interface Choices {
  statuses: { name: string; code: number; text: string }[];
  grpc: string[];
  rpcs: string[];
}

interface Preview {
  rule: string;
  problems: { field: string; text: string }[];
  warnings?: string[];
}

export interface Added {
  changed: FaultState[];
  warnings: string[];
}

interface Suggested {
  value: string;
  label: string;
}

interface Filling {
  values: FaultValues;
  problems: Map<string, string>;
  suggestions: (name: string, written: string) => Suggested[];
  onFill: (name: string, value: string | boolean) => void;
}

export function FaultForm({
  emulator,
  given,
  onAdded,
}: {
  emulator: Emulator;
  given: Record<string, string>;
  onAdded: (added: Added) => void;
}) {
  const [values, setValues] = useState<FaultValues>(() => valuesOf(given));
  const [failure, setFailure] = useState("");
  const form = useRef<HTMLFormElement>(null);
  const fault = faultOf(values);
  const [preview, look] = usePreview(fault);
  const choices = useChoices();
  const problems = new Map(preview?.problems.map((each) => [each.field, each.text]));
  const add = async (event: Event) => {
    event.preventDefault();
    try {
      const told = await look();
      if (told.problems.length) {
        setFailure(
          doesSomething(fault) ? "The fault cannot be added as it is: see what is wrong above." : NOTHING_YET,
        );
        form.current?.querySelector<HTMLElement>(`[name="${told.problems[0]?.field}"]`)?.focus();
        return;
      }
      onAdded(await act<Added>("faults", { add: fault }));
      setValues({});
      setFailure("");
    } catch (error) {
      setFailure((error as Error).message);
    }
  };
  const filling: Filling = {
    values,
    problems,
    suggestions: (name, written) => suggested(name, written, choices, emulator.state),
    onFill: (name, value) => {
      setFailure("");
      setValues((before) => ({ ...before, [name]: value }));
    },
  };
  return (
    <form ref={form} class="fault-form" aria-labelledby="fault-form-title" onSubmit={add} noValidate>
      <h3 id="fault-form-title">Add a fault</h3>
      <div class="fault-groups">
        {FAULT_GROUPS.map((group) => (
          <Group key={group.title} group={group} filling={filling} />
        ))}
      </div>
      <Rule fault={fault} preview={preview} />
      <button type="submit">Add the fault</button>
      {failure && (
        <p class="failed lines" role="alert">
          {failure}
        </p>
      )}
    </form>
  );
}

// The preview of a fault, a moment after the last change; and a way to have it at once.
function usePreview(fault: Record<string, unknown>): [Preview | undefined, () => Promise<Preview>] {
  const [preview, setPreview] = useState<Preview | undefined>(undefined);
  const newest = useRef(0);
  const look = async () => {
    newest.current += 1;
    const mine = newest.current;
    const told = await act<Preview>("fault-preview", { fault });
    if (mine === newest.current) setPreview(told);
    return told;
  };
  const written = JSON.stringify(fault);
  useEffect(() => {
    if (written === "{}") {
      newest.current += 1;
      setPreview(undefined);
      return;
    }
    const timer = window.setTimeout(() => void look().catch(() => undefined), PREVIEW_MILLISECONDS);
    return () => window.clearTimeout(timer);
  }, [written]);
  return [preview, look];
}

function useChoices(): Choices | undefined {
  const [choices, setChoices] = useState<Choices | undefined>(undefined);
  useEffect(() => void ask<Choices>("fault-choices").then(setChoices, () => undefined), []);
  return choices;
}

function suggested(
  name: string,
  written: string,
  choices: Choices | undefined,
  state: EmulatorState | undefined,
): Suggested[] {
  const words = written.toLowerCase();
  const found: Suggested[] = [];
  for (const each of allOf(name, choices, state)) {
    if (!`${each.value} ${each.label}`.toLowerCase().includes(words)) continue;
    found.push(each);
    if (found.length === MOST_SUGGESTIONS) break;
  }
  return found;
}

function allOf(name: string, choices: Choices | undefined, state: EmulatorState | undefined): Suggested[] {
  const plain = (values: string[] = []) => values.map((value) => ({ value, label: "" }));
  if (name === "status") {
    return (choices?.statuses ?? []).map((each) => ({ value: each.name, label: `${each.code} ${each.text}` }));
  }
  if (name === "grpc") return plain(choices?.grpc);
  if (name === "rpc") return plain(choices?.rpcs);
  if (name === "model" || name === "caller") return plain(state?.models);
  if (name === "deployment")
    return plain(state?.deployments.map((each) => `${each.user_id}/${each.deployment_id}`));
  if (name === "nodepool") {
    return plain(
      state?.nodepools.map((each) => [each.user_id, each.compute_cluster_id, each.nodepool_id].join("/")),
    );
  }
  if (name !== "replica") return [];
  const versions = [...(state?.deployments.flatMap((each) => each.versions) ?? []), ...(state?.shared ?? [])];
  return versions.flatMap((version) =>
    version.replicas.map((each) => ({ value: each.replica_id, label: `of ${version.model}` })),
  );
}

function Group({ group, filling }: { group: FaultGroup; filling: Filling }) {
  const behind = group.fields.filter((each) => !each.isCommon);
  const isUsed = behind.some((each) => filling.values[each.name] || filling.problems.has(each.name));
  const fields = (some: FaultField[]) =>
    some.map((each) => <Field key={each.name} field={each} filling={filling} />);
  return (
    <fieldset>
      <legend>{group.title}</legend>
      {fields(group.fields.filter((each) => each.isCommon))}
      <details open={isUsed || undefined}>
        <summary>
          More:{" "}
          {behind.map((each) => each.label.toLowerCase().replace("grpc", "gRPC").replace("rpc", "RPC")).join(", ")}
        </summary>
        {fields(behind)}
      </details>
    </fieldset>
  );
}

function Field({ field, filling }: { field: FaultField; filling: Filling }) {
  const { name, label, kind, help } = field;
  const problem = filling.problems.get(name);
  const value = filling.values[name];
  const id = `fault-${name}`;
  const shared = { id, name, "aria-describedby": `${id}-help`, "aria-invalid": problem !== undefined };
  return (
    <div class={`fault-field${kind === "flag" ? " flag" : ""}`}>
      <label for={id}>{label}</label>
      {kind === "flag" ? (
        <input
          {...shared}
          type="checkbox"
          checked={value === true}
          onChange={(event) => filling.onFill(name, event.currentTarget.checked)}
        />
      ) : kind === "choice" ? (
        <select
          {...shared}
          value={String(value ?? "")}
          onChange={(event) => filling.onFill(name, event.currentTarget.value)}
        >
          {field.choices?.map((each) => (
            <option key={each.value} value={each.value}>
              {each.label}
            </option>
          ))}
        </select>
      ) : (
        <Written field={field} shared={shared} filling={filling} />
      )}
      <p id={`${id}-help`} class={problem === undefined ? "quiet" : "failed"}>
        {problem ?? help}
      </p>
    </div>
  );
}

function Written({ field, shared, filling }: { field: FaultField; shared: { id: string }; filling: Filling }) {
  const written = String(filling.values[field.name] ?? "");
  const [isHere, setHere] = useState(false);
  const found = isHere && field.kind === "text" ? filling.suggestions(field.name, written) : [];
  const key = found.map((each) => each.value).join("\n");
  const options = useMemo(
    () => found.map((each) => <option key={each.value} value={each.value} label={each.label || undefined} />),
    [key],
  );
  return (
    <>
      <input
        {...shared}
        value={written}
        inputMode={field.kind === "number" ? "decimal" : undefined}
        autocomplete="off"
        spellcheck={false}
        list={found.length ? `${shared.id}-list` : undefined}
        onFocus={() => setHere(true)}
        onBlur={() => setHere(false)}
        onInput={(event) => filling.onFill(field.name, event.currentTarget.value)}
      />
      {found.length > 0 && <datalist id={`${shared.id}-list`}>{options}</datalist>}
    </>
  );
}

function Rule({ fault, preview }: { fault: Record<string, unknown>; preview: Preview | undefined }) {
  const isSilent = !doesSomething(fault);
  const whole = preview?.problems.find((each) => each.field === "")?.text;
  return (
    <div role="status" class="fault-rule">
      {isSilent ? <p class="quiet">{NOTHING_YET}</p> : whole && <p class="failed">{whole}</p>}
      {preview?.rule && (
        <p>
          It would be: <strong>{preview.rule}</strong>
        </p>
      )}
      {preview?.warnings?.map((each) => (
        <p key={each} class="mark">
          {each} The fault waits for it.
        </p>
      ))}
    </div>
  );
}
