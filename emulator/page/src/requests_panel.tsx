// Lists the requests as they come, with a filter; the one that is chosen is shown beside the list.

import { Component } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { hrefOf } from "./addresses";
import { useSaid } from "./call_search";
import type { Emulator } from "./emulator";
import { Newer, useHeld, useScrolledAway } from "./held_list";
import { RequestDetail } from "./request_detail";
import { FILTER_FIELDS, filterOf, isPrediction, type RequestRow } from "./requests";
import { milliseconds, nameOf, Outcome, SearchField, Time } from "./words";

const SHOWN_AT_ONCE = 200;

export function RequestsPanel({ emulator, chosen }: { emulator: Emulator; chosen: string }) {
  const [words, setWords] = useState("");
  const [everything, setEverything] = useState(false);
  const [most, setMost] = useState(SHOWN_AT_ONCE);
  const [isPaused, setPaused] = useState(false);
  const top = useRef<HTMLDivElement>(null);
  const isAway = useScrolledAway(top);
  const { requests } = emulator;
  const said = useSaid(words, requests.begun);
  const filter = useMemo(() => filterOf(words, said), [words, said]);
  const held = useHeld(isPaused || isAway, () => ({ rows: [...requests.rows.values()], begun: requests.begun }));
  const { rows: all, begun } = held;
  const wanted = everything ? all : all.filter(isPrediction);
  const found = words ? wanted.filter(filter) : wanted;
  return (
    <div class={chosen ? "split chosen" : "split"}>
      <section aria-labelledby="requests-title">
        <h2 id="requests-title">Requests</h2>
        <form class="bar" aria-label="Filter" onSubmit={(event) => event.preventDefault()}>
          <SearchField
            label="Filter requests"
            placeholder={`text, or ${FILTER_FIELDS.slice(0, 4).join(": ")}: …`}
            value={words}
            onInput={setWords}
            title={`Words that all have to be there, in a column, an argument or an answer; ${FILTER_FIELDS.join(":, ")}: look into one column`}
          />
          {emulator.link !== "saved" && (
            <button type="button" aria-pressed={isPaused} onClick={() => setPaused(!isPaused)}>
              {isPaused ? "Go on" : "Pause"}
            </button>
          )}
          <label>
            <input
              type="checkbox"
              checked={everything}
              onChange={(event) => setEverything(event.currentTarget.checked)}
            />{" "}
            look-ups too
          </label>
        </form>
        <p class="quiet" role="status">
          {summary(emulator, all, wanted, found, isPaused)}
        </p>
        <div ref={top} />
        {isAway && !isPaused && <Newer count={requests.begun - begun} top={top} />}
        {found.length > 0 ? (
          <List rows={found.slice(-most).reverse()} chosen={chosen} />
        ) : (
          <Nothing emulator={emulator} isFiltered={words !== "" && wanted.length > 0} />
        )}
        {found.length > most && (
          <button type="button" onClick={() => setMost(most + SHOWN_AT_ONCE)}>
            Show older ones ({found.length - most} more)
          </button>
        )}
      </section>
      {chosen && <RequestDetail key={chosen} emulator={emulator} id={chosen} />}
    </div>
  );
}

function summary(
  emulator: Emulator,
  all: RequestRow[],
  wanted: RequestRow[],
  found: RequestRow[],
  isPaused: boolean,
): string {
  const parts = [`${found.length} of ${all.length} requests`];
  if (wanted.length < all.length) parts.push(`${all.length - wanted.length} look-ups hidden`);
  if (emulator.requests.forgotten) parts.push(`${emulator.requests.forgotten} older ones no longer kept here`);
  if (emulator.missed) parts.push(`${emulator.missed} events came too fast to be shown`);
  if (isPaused) parts.push("paused");
  return parts.join(" · ");
}

function Nothing({ emulator, isFiltered }: { emulator: Emulator; isFiltered: boolean }) {
  if (isFiltered) return <p class="empty">No request matches the filter. Clear it, or show look-ups too.</p>;
  if (emulator.link === "saved") return <p class="empty">No request had come when this page was saved.</p>;
  const first = emulator.state?.models[0];
  return (
    <div class="empty">
      <p>No request has come yet. {first ? "Send one:" : "Deploy a model, and send one:"}</p>
      <pre>
        {first
          ? `clarifai-emulator predict ${first}`
          : "clarifai-emulator init my-model\nclarifai-emulator deploy my-model\nclarifai-emulator predict my-model prompt=Hello"}
      </pre>
    </div>
  );
}

function List({ rows, chosen }: { rows: RequestRow[]; chosen: string }) {
  const table = useRef<HTMLTableElement>(null);
  useEffect(() => {
    const moved = (event: KeyboardEvent) => {
      const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
      const links = [...(table.current?.querySelectorAll<HTMLAnchorElement>("tbody a") ?? [])];
      const at = links.indexOf(document.activeElement as HTMLAnchorElement);
      if (!step || at < 0) return;
      event.preventDefault();
      links[at + step]?.focus();
    };
    const element = table.current;
    element?.addEventListener("keydown", moved);
    return () => element?.removeEventListener("keydown", moved);
  }, []);
  return (
    <div class="scroll">
      <table ref={table}>
        <thead>
          <tr>
            <th scope="col">Time</th>
            <th scope="col">Request</th>
            <th scope="col">Rule</th>
            <th scope="col">Outcome</th>
            <th scope="col" class="number">
              Took
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <Row key={row.id} row={row} isChosen={row.id === chosen} revision={row.revision} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

// Is drawn again only when something has become known of its request.
class Row extends Component<{ row: RequestRow; isChosen: boolean; revision: number }> {
  override shouldComponentUpdate(next: { row: RequestRow; isChosen: boolean; revision: number }): boolean {
    const { row, isChosen, revision } = this.props;
    return next.row !== row || next.isChosen !== isChosen || next.revision !== revision;
  }

  override render() {
    const { row, isChosen } = this.props;
    return (
      <tr class={`${row.outcome}${isChosen ? " is-chosen" : ""}`}>
        <td>
          <Time at={row.began} />
        </td>
        <td class="wide">
          <a href={hrefOf("requests", row.id)} aria-current={isChosen ? "true" : undefined}>
            {nameOf(row)}
          </a>
          {row.findings.length > 0 && <span class="mark"> {row.findings.length} contract findings</span>}
          {row.faults.length > 0 && <span class="mark"> fault injected</span>}
          {row.error && <span class="one-line failed">{row.error.split("\n")[0]}</span>}
        </td>
        <td>{row.rule}</td>
        <td>
          <Outcome row={row} />
        </td>
        <td class="number">{row.milliseconds === undefined ? "" : milliseconds(row.milliseconds)}</td>
      </tr>
    );
  }
}
