// Shows the panel that the address names, and above it how the emulator is and whether this page still hears of it.

import { render } from "preact";
import { useEffect, useReducer } from "preact/hooks";
import { hrefOf, usePlace } from "./addresses";
import { ContractsPanel } from "./contracts_panel";
import { Emulator } from "./emulator";
import { FaultsPanel, namesOf } from "./faults_panel";
import { MapPanel } from "./map_panel";
import { ReplicasPanel } from "./replicas_panel";
import { RequestsPanel } from "./requests_panel";
import { ResourcesPanel } from "./resources_panel";
import { TrafficPanel } from "./traffic_panel";
import { TryPanel } from "./try_panel";
import "./app.css";

const PANELS = [
  { id: "requests", title: "Requests", Panel: RequestsPanel },
  { id: "map", title: "Map", Panel: MapPanel },
  { id: "replicas", title: "Replicas", Panel: ReplicasPanel },
  { id: "try", title: "Try it", Panel: TryPanel },
  { id: "traffic", title: "Traffic", Panel: TrafficPanel },
  { id: "faults", title: "Faults", Panel: FaultsPanel },
  { id: "contracts", title: "Contracts", Panel: ContractsPanel },
  { id: "resources", title: "Resources", Panel: ResourcesPanel },
];

function Page({ emulator }: { emulator: Emulator }) {
  const [, again] = useReducer((count: number) => count + 1, 0);
  useEffect(() => emulator.subscribe(() => again(undefined)), [emulator]);
  const place = usePlace();
  const shown = PANELS.find((each) => each.id === place.panel) ?? PANELS[0];
  useEffect(() => {
    document.title = `${shown?.title ?? ""} · Clarifai emulator`;
  }, [shown]);
  if (!shown) return null;
  return (
    <>
      <header>
        <h1>Clarifai emulator</h1>
        <nav aria-label="Panels">
          {PANELS.map((each) => (
            <a key={each.id} href={hrefOf(each.id)} aria-current={each === shown ? "page" : undefined}>
              {each.title}
            </a>
          ))}
        </nav>
        <Facts emulator={emulator} />
      </header>
      <Link emulator={emulator} />
      <main>{emulator.link === "locked" ? null : <shown.Panel emulator={emulator} chosen={place.item} />}</main>
    </>
  );
}

function Facts({ emulator }: { emulator: Emulator }) {
  const state = emulator.state;
  if (!state) return null;
  const replicas = state.deployments.flatMap((each) => each.versions.flatMap((version) => version.replicas));
  const live = replicas.filter((each) => each.state === "live").length;
  return (
    <p class="facts">
      {state.url} · user {state.user_id} · {live} of {replicas.length} replicas live
      {state.faults.length > 0 && (
        <>
          {" · "}
          <a href={hrefOf("faults")}>
            <strong>faults set: {namesOf(state.faults)}</strong>
          </a>
        </>
      )}
      {" · "}
      <a href="/docs">API</a>
    </p>
  );
}

function Link({ emulator }: { emulator: Emulator }) {
  if (emulator.link === "gone") {
    return (
      <p class="notice" role="alert">
        The emulator does not answer: it has stopped, or is starting. This page goes on when it is there again; what
        is shown is what was known last.
      </p>
    );
  }
  if (emulator.link === "locked") {
    return (
      <p class="notice" role="alert">
        The emulator does not let this browser in any longer. Open the address that{" "}
        <code>clarifai-emulator page</code> prints.
      </p>
    );
  }
  return emulator.restarts > 0 ? (
    <p class="notice calm" role="status">
      The emulator was started again; requests of before are gone.
    </p>
  ) : null;
}

const emulator = new Emulator();
emulator.start();
const root = document.getElementById("page");
if (root) render(<Page emulator={emulator} />, root);
