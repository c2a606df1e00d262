// Chooses where a call goes, to which version, and as which user: the way of the rules, a deployment, or a nodepool.

import { useMemo } from "preact/hooks";
import type { DeploymentState, EmulatorState } from "./told";
import type { Place, TryDesk } from "./try_desk";

const KINDS = ["deployment", "nodepool"] as const;

export function WhereItGoes({ state, desk }: { state: EmulatorState; desk: TryDesk }) {
  const { deployment, nodepool, user } = desk.place;
  const kind = KINDS.find((each) => desk.place[each]);
  const value = kind ? `${kind} ${desk.place[kind]}` : "";
  const go = (chosen: string) => {
    const [kindOf = "", name = ""] = chosen.split(" ");
    const place: Partial<Place> = { deployment: "", nodepool: "" };
    if (kindOf === "deployment") place.deployment = name;
    if (kindOf === "nodepool") place.nodepool = name;
    desk.go(place);
  };
  const { deployments, pools, options } = useMemo(() => choicesOf(state, desk.model), [state, desk.model]);
  const isGone = (deployment && !deployments.includes(deployment)) || (nodepool && !pools.includes(nodepool));
  return (
    <div class="bar">
      <span>
        <label for="try-place">Where it goes</label>{" "}
        <select id="try-place" value={value} onChange={(event) => go(event.currentTarget.value)}>
          <option value="">as the rules decide</option>
          {isGone && <option value={value}>{deployment || nodepool} (gone)</option>}
          {options}
        </select>
      </span>
      <VersionChoice desk={desk} />
      <label>
        as user{" "}
        <input
          size={12}
          autoComplete="off"
          placeholder={state.user_id}
          value={user}
          onInput={(event) => desk.go({ user: event.currentTarget.value })}
        />
      </label>
    </div>
  );
}

function VersionChoice({ desk }: { desk: TryDesk }) {
  const { version } = desk.place;
  const versions = desk.told?.versions ?? [];
  if (versions.length < 2 && !version) return null;
  return (
    <span>
      <label for="try-version">Version</label>{" "}
      <select
        id="try-version"
        value={version}
        onChange={(event) => desk.go({ version: event.currentTarget.value })}
      >
        <option value="">the newest</option>
        {version && !versions.includes(version) && <option value={version}>{version} (gone)</option>}
        {versions.map((each) => (
          <option key={each} value={each}>
            {each}
          </option>
        ))}
      </select>
    </span>
  );
}

// Made once for each state: there may be thousands.
function choicesOf(state: EmulatorState, model: string) {
  const own = state.deployments.filter((each) => each.model === model);
  const others = state.deployments.filter((each) => each.model !== model);
  const nameOf = (each: DeploymentState) => `${each.user_id}/${each.deployment_id}`;
  const pools = usedPools(state);
  const options = (
    <>
      <Choices label="deployment" kind="deployment" names={own.map(nameOf)} />
      <Choices label="nodepool" kind="nodepool" names={pools} />
      <Choices label="deployment of another model" kind="deployment" names={others.map(nameOf)} />
    </>
  );
  return { deployments: state.deployments.map(nameOf), pools, options };
}

function Choices({ label, kind, names }: { label: string; kind: string; names: string[] }) {
  if (!names.length) return null;
  return (
    <optgroup label={label}>
      {names.map((each) => (
        <option key={each} value={`${kind} ${each}`}>
          {each}
        </option>
      ))}
    </optgroup>
  );
}

// Of the platform's shared nodepools, which are many, those that something runs in.
function usedPools(state: EmulatorState): string[] {
  const used = new Set(state.deployments.flatMap((each) => each.nodepools));
  const names = state.nodepools.map((each) => `${each.user_id}/${each.compute_cluster_id}/${each.nodepool_id}`);
  return names.filter((each) => !each.startsWith("clarifai/") || used.has(each));
}
