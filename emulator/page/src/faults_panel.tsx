// Shows the faults that are set and how often each has struck; adds them, removes them, and puts them back.

import { useEffect, useRef, useState } from "preact/hooks";
import { hrefOf, usePlace } from "./addresses";
import type { Emulator } from "./emulator";
import { type Added, FaultForm } from "./fault_form";
import type { RequestRow } from "./requests";
import { act } from "./source";
import { type FaultState, text } from "./told";
import { Close, Copy, nameOf, Outcome, Time } from "./words";
import "./faults.css";

const SHOWN_AT_ONCE = 100;
const STRUCK_SHOWN = 3;
const STRUCK_OF_CHOSEN = 50;
// In the address: the form, filled with what the address names.
const NEW = "new";

interface Note {
  said: string;
  more: string[];
  isProblem: boolean;
  // What undoes it, if it can be undone.
  removal: string;
}

export function FaultsPanel({ emulator, chosen }: { emulator: Emulator; chosen: string }) {
  const [note, setNote] = useState<Note | undefined>(undefined);
  const { given } = usePlace();
  const canAct = emulator.link !== "saved";
  const change = async (name: string, sent: object, say: (told: Changed) => string) => {
    try {
      const told = await act<Changed>(name, sent);
      setNote({ said: say(told), more: [], isProblem: false, removal: told.removal ?? "" });
    } catch (error) {
      setNote({ said: (error as Error).message, more: [], isProblem: true, removal: "" });
    }
    emulator.refreshSoon();
  };
  const added = ({ changed, warnings }: Added) => {
    const more = warnings.map((each) => `${each} The fault waits for it.`);
    setNote({
      said: changed.map((each) => `${each.id} is injected from now on: ${each.rule}`).join("\n"),
      more,
      isProblem: false,
      removal: "",
    });
    emulator.refreshSoon();
  };
  const remove = (ids: string[] | undefined) =>
    change("faults", ids ? { remove: ids } : { clear: true }, ({ changed }) => removedText(changed));
  const putBack = (removal: string) =>
    change(
      "put-back-faults",
      { removal },
      ({ changed }) => `${namesOf(changed)} ${changed.length === 1 ? "is" : "are"} back.`,
    );
  return (
    <section aria-labelledby="faults-title">
      <h2 id="faults-title">Faults</h2>
      {note && <Noted note={note} onPutBack={putBack} />}
      <FaultList emulator={emulator} chosen={chosen} onRemove={canAct ? remove : undefined} />
      {canAct && <FaultForm key={JSON.stringify(given)} emulator={emulator} given={given} onAdded={added} />}
    </section>
  );
}

interface Changed {
  changed: FaultState[];
  removal?: string;
}

export function namesOf(faults: FaultState[]): string {
  return faults.length > 3 ? `${faults.length} faults` : faults.map((each) => each.id).join(", ");
}

function removedText(removed: FaultState[]): string {
  if (!removed.length) return "There was no fault to remove.";
  const [first] = removed;
  const counts = removed.length === 1 && first ? `, injected into ${first.injected} of ${first.seen} requests` : "";
  return `Removed ${namesOf(removed)}${counts}.`;
}

function Noted({ note, onPutBack }: { note: Note; onPutBack: (removal: string) => void }) {
  const button = useRef<HTMLButtonElement>(null);
  // What was pressed is gone: without this, the keyboard would begin again at the top of the page.
  useEffect(() => button.current?.focus(), [note]);
  return (
    <div class="way" role={note.isProblem ? "alert" : "status"}>
      <p class={note.isProblem ? "failed lines" : "lines"}>{note.said}</p>
      {note.more.map((each) => (
        <p key={each} class="mark">
          {each}
        </p>
      ))}
      {note.removal && (
        <button type="button" ref={button} onClick={() => onPutBack(note.removal)}>
          Put back
        </button>
      )}
    </div>
  );
}

function FaultList({
  emulator,
  chosen,
  onRemove,
}: {
  emulator: Emulator;
  chosen: string;
  onRemove: ((ids: string[] | undefined) => void) | undefined;
}) {
  const [most, setMost] = useState(SHOWN_AT_ONCE);
  const state = emulator.state;
  if (!state) return <p class="empty">Asking the emulator which faults are set …</p>;
  const struck = struckBy(emulator);
  const faults = [...state.faults].sort((one, other) => Number(other.id === chosen) - Number(one.id === chosen));
  const isGone = chosen !== "" && chosen !== NEW && !faults.some((each) => each.id === chosen);
  return (
    <>
      {isGone && <GoneFault id={chosen} struck={struck.get(chosen) ?? []} />}
      {faults.length === 0 && !isGone && <NoFaults canAct={onRemove !== undefined} />}
      <ul class="faults" aria-label="Faults that are set">
        {faults.slice(0, most).map((each) => (
          <OneFault
            key={each.id}
            fault={each}
            isChosen={each.id === chosen}
            struck={struck.get(each.id) ?? []}
            onRemove={onRemove}
          />
        ))}
      </ul>
      {faults.length > most && (
        <button type="button" onClick={() => setMost(most + SHOWN_AT_ONCE)}>
          Show {Math.min(SHOWN_AT_ONCE, faults.length - most)} more of {faults.length} faults
        </button>
      )}
      {onRemove && faults.length > 1 && (
        <button type="button" onClick={() => onRemove(undefined)}>
          Remove all faults
        </button>
      )}
    </>
  );
}

function NoFaults({ canAct }: { canAct: boolean }) {
  return (
    <p class="empty">
      No fault is set: every request is answered as well as the emulator can.
      {canAct && " Add one below to see what your client does when requests fail, wait or break off."}
    </p>
  );
}

// The requests that each fault was injected into, newest first.
function struckBy(emulator: Emulator): Map<string, RequestRow[]> {
  const found = new Map<string, RequestRow[]>();
  for (const row of emulator.requests.rows.values()) {
    for (const id of new Set(row.faults.map((each) => text(each, "fault_id")))) {
      const rows = found.get(id);
      if (rows) rows.push(row);
      else found.set(id, [row]);
    }
  }
  for (const rows of found.values()) rows.reverse();
  return found;
}

function OneFault({
  fault,
  isChosen,
  struck,
  onRemove,
}: {
  fault: FaultState;
  isChosen: boolean;
  struck: RequestRow[];
  onRemove: ((ids: string[] | undefined) => void) | undefined;
}) {
  // An earlier fault may have had this name.
  const own = struck.filter((row) =>
    row.faults.some((each) => text(each, "fault_id") === fault.id && text(each, "rule") === fault.rule),
  );
  return (
    <li class={isChosen ? "is-chosen" : undefined}>
      <p>
        <a href={hrefOf("faults", fault.id)} aria-current={isChosen ? "true" : undefined}>
          {fault.id}
        </a>{" "}
        <span class={fault.active ? "mark" : "quiet"}>{fault.active ? "active" : "used up"}</span>
        {onRemove && (
          <button
            type="button"
            class="small close"
            onClick={() => onRemove([fault.id])}
            aria-label={`Remove ${fault.id}`}
          >
            Remove
          </button>
        )}
      </p>
      <p>{fault.rule}</p>
      <p class="quiet">
        Injected into {fault.injected} of {fault.seen} {fault.seen === 1 ? "request" : "requests"} it concerned ·{" "}
        {fault.origin ? `from the topology file ${fault.origin}` : "added by a command, a test or a page"}
      </p>
      {isChosen && (
        <p class="quiet">
          As a topology file has it: <code>{JSON.stringify(fault.fault)}</code>{" "}
          <Copy text={JSON.stringify(fault.fault)} what={`the fault ${fault.id}`} />
        </p>
      )}
      <Struck rows={own} most={isChosen ? STRUCK_OF_CHOSEN : STRUCK_SHOWN} />
    </li>
  );
}

function Struck({ rows, most }: { rows: RequestRow[]; most: number }) {
  if (!rows.length) return null;
  return (
    <ul class="struck" aria-label="Requests it was injected into">
      {rows.slice(0, most).map((row) => (
        <li key={row.id}>
          <Time at={row.began} /> <a href={hrefOf("requests", row.id)}>{nameOf(row)}</a> <Outcome row={row} />
        </li>
      ))}
      {rows.length > most && <li class="quiet">and {rows.length - most} before</li>}
    </ul>
  );
}

function GoneFault({ id, struck }: { id: string; struck: RequestRow[] }) {
  const [last] = struck.flatMap((row) => row.faults.filter((each) => text(each, "fault_id") === id));
  return (
    <div class="way">
      <Close panel="faults" />
      <p>There is no fault {id} any longer: it was removed, or the emulator has forgotten it.</p>
      {last && <p>It was: {text(last, "rule")}</p>}
      <Struck rows={struck} most={STRUCK_OF_CHOSEN} />
    </div>
  );
}
