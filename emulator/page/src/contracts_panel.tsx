// Lists the models with how much of what they promise is used, and shows the one that is chosen beside the list.

import { useState } from "preact/hooks";
import { hrefOf } from "./addresses";
import { CodeReloads } from "./code_reloads";
import { ContractDetail } from "./contract_detail";
import { type ContractRow, useAsked } from "./contract_words";
import type { Emulator } from "./emulator";
import "./contracts.css";
import { SearchField } from "./words";

export function ContractsPanel({ emulator, chosen }: { emulator: Emulator; chosen: string }) {
  return (
    <div class={chosen ? "split chosen" : "split"}>
      <section aria-labelledby="contracts-title">
        <h2 id="contracts-title">Contracts</h2>
        <Models emulator={emulator} chosen={chosen} />
        <CodeReloads emulator={emulator} />
      </section>
      {chosen && <ContractDetail key={chosen} emulator={emulator} model={chosen} />}
    </div>
  );
}

function Models({ emulator, chosen }: { emulator: Emulator; chosen: string }) {
  const [words, setWords] = useState("");
  const find = words.trim().toLowerCase();
  // Of a page that was saved, the whole list is there and nothing else.
  const query: Record<string, string> = find && emulator.link !== "saved" ? { find } : {};
  const { told, problem } = useAsked<{ models: ContractRow[]; left_out: number }>(emulator, "contracts", query);
  const found = told?.models.filter((each) => each.model.toLowerCase().includes(find)) ?? [];
  return (
    <>
      <p class="quiet">What the methods of each model promise, which of them were called, and what did not fit.</p>
      <SearchField label="Find a model" placeholder="find a model by its name" value={words} onInput={setWords} />
      {problem && (
        <p class="failed" role="alert">
          {problem}
        </p>
      )}
      {!told && !problem && <p class="empty">Asking the emulator which models there are …</p>}
      {told && found.length === 0 && <NoModels isSearched={find !== ""} />}
      {found.length > 0 && <Table models={found} chosen={chosen} />}
      {told && told.left_out > 0 && (
        <p class="quiet">{told.left_out} more models are not shown; find them by their names.</p>
      )}
    </>
  );
}

function NoModels({ isSearched }: { isSearched: boolean }) {
  if (isSearched) return <p class="empty">No model has this in its name.</p>;
  return (
    <div class="empty">
      <p>There is no model yet. Deploy one to see what its methods promise:</p>
      <pre>clarifai-emulator init my-model{"\n"}clarifai-emulator deploy my-model</pre>
    </div>
  );
}

function Table({ models, chosen }: { models: ContractRow[]; chosen: string }) {
  return (
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th scope="col">Model</th>
            <th scope="col">Methods</th>
            <th scope="col" class="number">
              Calls
            </th>
            <th scope="col">Findings</th>
          </tr>
        </thead>
        <tbody>
          {models.map((each) => (
            <Row key={each.model} row={each} isChosen={each.model === chosen} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Row({ row, isChosen }: { row: ContractRow; isChosen: boolean }) {
  return (
    <tr class={isChosen ? "is-chosen" : undefined}>
      <td class="wide">
        <a href={hrefOf("contracts", row.model)} aria-current={isChosen ? "true" : undefined}>
          {row.model}
        </a>
        <span class="quiet">
          {" "}
          {row.kind}
          {!row.is_deployed && ", not deployed"}
        </span>
      </td>
      <td>
        {row.methods || "none"}
        {row.never_called > 0 && <span class="mark">, {row.never_called} never called</span>}
      </td>
      <td class="number">{row.calls}</td>
      <td>{row.findings > 0 ? <span class="mark">{row.findings}</span> : <span class="quiet">none</span>}</td>
    </tr>
  );
}
