// Shows every resource there is: the kinds, the names of one kind, and one of them as JSON with links.

import { useState } from "preact/hooks";
import { hrefOf } from "./addresses";
import type { Emulator } from "./emulator";
import { ResourceJson } from "./resource_json";
import {
  type KindCount,
  type OneResource,
  type ResourceList,
  type ResourceName,
  useResources,
} from "./resources_told";
import { Close, Copy, SearchField } from "./words";
import "./resources.css";

const PAGE = 100;

export function ResourcesPanel({ emulator, chosen }: { emulator: Emulator; chosen: string }) {
  const [kind = "", ...rest] = chosen.split("/");
  const key = rest.join("/");
  return (
    <div class={`resources${kind ? " kind" : ""}${key ? " one" : ""}`}>
      <Kinds emulator={emulator} chosen={kind} />
      {kind && <Names key={kind} emulator={emulator} kind={kind} chosen={key} />}
      {key && <One key={chosen} emulator={emulator} kind={kind} name={key} />}
    </div>
  );
}

function Kinds({ emulator, chosen }: { emulator: Emulator; chosen: string }) {
  const { value, problem } = useResources<{ kinds: KindCount[] }>(emulator, {});
  const kinds = value?.kinds ?? [];
  const empty = kinds.filter((each) => !each.count);
  return (
    <section aria-labelledby="resources-title">
      <h2 id="resources-title">Resources</h2>
      {problem && <p class="failed">{problem}</p>}
      {!problem && !value && <p class="empty">Asking the emulator what there is …</p>}
      <KindList kinds={kinds.filter((each) => each.count)} chosen={chosen} />
      {empty.length > 0 && (
        <details open={empty.some((each) => each.kind === chosen)}>
          <summary>{empty.length} kinds that there are none of</summary>
          <KindList kinds={empty} chosen={chosen} />
        </details>
      )}
    </section>
  );
}

function KindList({ kinds, chosen }: { kinds: KindCount[]; chosen: string }) {
  return (
    <ul class="names">
      {kinds.map((each) => (
        <li key={each.kind}>
          <a href={hrefOf("resources", each.kind)} aria-current={each.kind === chosen ? "true" : undefined}>
            {wordOf(each.kind)}
          </a>{" "}
          <span class="quiet">{each.count}</span>
        </li>
      ))}
    </ul>
  );
}

function Names({ emulator, kind, chosen }: { emulator: Emulator; kind: string; chosen: string }) {
  const [search, setSearch] = useState("");
  const [start, setStart] = useState(0);
  const { value, problem } = useResources<ResourceList>(emulator, {
    kind,
    ...(search && { search }),
    ...(start && { start: String(start) }),
  });
  const last = value ? Math.min(value.found, start + PAGE) : 0;
  return (
    <section aria-labelledby="names-title">
      <Close panel="resources" />
      <h2 id="names-title">{wordOf(kind)}</h2>
      {problem ? (
        <p class="failed" role="alert">
          {problem}
        </p>
      ) : (
        <>
          {emulator.link !== "saved" && (
            <SearchField
              label="Search by id"
              placeholder="search by id"
              value={search}
              onInput={(words) => {
                setSearch(words);
                setStart(0);
              }}
            />
          )}
          {value && <p role="status">{said(value, kind, search, start, last)}</p>}
          <ul class="names">
            {value?.items.map((each) => (
              <li key={each.key}>
                <a href={hrefTo(each)} aria-current={each.key === chosen ? "true" : undefined}>
                  {nameOf(each)}
                </a>
              </li>
            ))}
          </ul>
          <p class="bar">
            {start > 0 && (
              <button type="button" onClick={() => setStart(Math.max(0, start - PAGE))}>
                Newer
              </button>
            )}
            {value && last < value.found && emulator.link !== "saved" && (
              <button type="button" onClick={() => setStart(start + PAGE)}>
                Older
              </button>
            )}
          </p>
        </>
      )}
    </section>
  );
}

function said(value: ResourceList, kind: string, search: string, start: number, last: number): string {
  const word = wordOf(kind);
  if (!value.count)
    return `There is no ${word} yet. Whatever deploys, the SDK, the clarifai command line or the REST API make appears here.`;
  if (!value.found) return `None of ${value.count} has “${search}” in its ids. Clear the search to see all.`;
  const all = search ? `${value.found} found of ${value.count}` : `${value.count}`;
  return value.found > PAGE ? `${start + 1} to ${last} of ${all}, newest first` : `${all}, newest first`;
}

function One({ emulator, kind, name }: { emulator: Emulator; kind: string; name: string }) {
  const { value, problem } = useResources<OneResource>(emulator, { kind, key: name });
  return (
    <section aria-labelledby="resource-title" class="detail">
      <Close panel="resources" item={kind} />
      <h2 id="resource-title">
        {wordOf(kind)} {nameOf({ kind, key: name })}
      </h2>
      {problem && (
        <p class="failed" role="alert">
          {problem}
        </p>
      )}
      {!problem && !value && <p class="empty">Asking the emulator for it …</p>}
      {value && !problem && <Content value={value} />}
    </section>
  );
}

function Content({ value }: { value: OneResource }) {
  return (
    <>
      {value.lies_in.length > 0 && (
        <p>
          Of <Links names={value.lies_in} />
        </p>
      )}
      {value.holds.map((each) => (
        <p key={each.kind}>
          Holds {each.count} of kind <a href={hrefOf("resources", each.kind)}>{wordOf(each.kind)}</a>:{" "}
          <Links names={each.items} />
          {each.count > each.items.length && ` and ${each.count - each.items.length} more`}
        </p>
      ))}
      <p>
        <Copy text={JSON.stringify(value.json, undefined, 2)} what="the JSON of the resource" />
      </p>
      <ResourceJson value={value.json} links={value.links} />
    </>
  );
}

function Links({ names }: { names: ResourceName[] }) {
  return (
    <>
      {names.map((each, index) => (
        <span key={`${each.kind} ${each.key}`}>
          {index > 0 && ", "}
          {wordOf(each.kind)} <a href={hrefTo(each)}>{nameOf(each)}</a>
        </span>
      ))}
    </>
  );
}

function hrefTo(name: ResourceName): string {
  return hrefOf("resources", `${name.kind}/${name.key}`);
}

function nameOf(name: ResourceName): string {
  return name.key.startsWith("hidden-") ? `with a hidden id (${name.key.slice(7)})` : name.key;
}

function wordOf(kind: string): string {
  return kind.replaceAll("_", " ");
}
