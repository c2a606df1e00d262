// Shows the panel that the address names, and above it how the emulator is and whether this page still hears of it.

import { render } from "preact";
import { useEffect, useReducer, useRef } from "preact/hooks";
import { hrefOf, type Place, usePlace } from "./addresses";
import { ContractsPanel } from "./contracts_panel";
import { Emulator } from "./emulator";
import { FaultsPanel, namesOf } from "./faults_panel";
import { MapPanel } from "./map_panel";
import { ReplicasPanel } from "./replicas_panel";
import { RequestsPanel } from "./requests_panel";
import { ResourcesPanel } from "./resources_panel";
import type { SavedTest } from "./saved_answers";
import { SavedNotice } from "./saved_notice";
import { SavedTests } from "./saved_tests";
import { saved } from "./source";
import { TestsPanel } from "./tests_panel";
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
  const { panels, test } = useSaved(emulator, place);
  const shown = panels.find((each) => each.id === place.panel) ?? panels[0];
  useEffect(() => {
    document.title = `${shown?.title ?? ""} · ${saved?.title ?? "Clarifai emulator"}`;
  }, [shown]);
  if (!shown) return null;
  return (
    <>
      <header>
        <h1>Clarifai emulator</h1>
        <nav aria-label="Panels">
          {panels.map((each) => (
            <a key={each.id} href={hrefOf(each.id)} aria-current={each === shown ? "page" : undefined}>
              {each.title}
            </a>
          ))}
        </nav>
        <Facts emulator={emulator} />
      </header>
      <Link emulator={emulator} />
      <SavedNotice shownOf={test} />
      <main>{emulator.link === "locked" ? null : <shown.Panel emulator={emulator} chosen={place.item} />}</main>
    </>
  );
}

// A page that was saved has no panels that only act, and the file of a test run none of what tests leave behind.
const NOT_SAVED = ["try"];
const NOT_OF_TESTS = ["try", "contracts", "resources"];
const tests = saved?.tests ? new SavedTests(saved) : undefined;

function TestsOfRun({ emulator, chosen }: { emulator: Emulator; chosen: string }) {
  return tests ? <TestsPanel tests={tests} emulator={emulator} chosen={chosen} /> : null;
}

function useSaved(emulator: Emulator, place: Place) {
  const last = useRef<SavedTest | undefined>(tests?.first);
  if (!tests)
    return { panels: saved ? PANELS.filter((each) => !NOT_SAVED.includes(each.id)) : PANELS, test: undefined };
  last.current = tests.at(place.panel, place.item) ?? last.current;
  const test = last.current;
  emulator.show(test?.state ?? undefined);
  const panels = PANELS.filter((each) => !NOT_OF_TESTS.includes(each.id));
  return { panels: [{ id: "tests", title: "Tests", Panel: TestsOfRun }, ...panels], test };
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
      {!saved && (
        <>
          {" · "}
          <a href="/docs">API</a>
        </>
      )}
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
