// Draws clusters, their nodepools, the deployments in them and the replicas of those; a request lights its way.

import { useState } from "preact/hooks";
import { hrefOf } from "./addresses";
import type { Emulator } from "./emulator";
import { RefusalText, RejectedList, useRequest } from "./request_detail";
import type { RequestRow } from "./requests";
import { ask } from "./source";
import type { DeploymentState, Explained, NodepoolState, Rejected, VersionState } from "./told";
import { lastOf, nameOf, Outcome, short } from "./words";

interface Lit {
  deployment: string;
  nodepools: string[];
  replica: string;
  rejected: Map<string, string>;
}

const NOTHING_LIT: Lit = { deployment: "", nodepools: [], replica: "", rejected: new Map() };

export function MapPanel({ emulator, chosen }: { emulator: Emulator; chosen: string }) {
  const { row, isLooking } = useRequest(emulator, chosen);
  const [explained, setExplained] = useState<Explained | undefined>(undefined);
  const shown = explained ?? (row && { decision: row.route, refusal: row.refusal });
  const lit = shown
    ? litBy(shown as Explained, explained ? "" : (row?.replica ?? ""), row, !explained)
    : NOTHING_LIT;
  return (
    <section aria-labelledby="map-title">
      <h2 id="map-title">Map</h2>
      <WhereForm emulator={emulator} onAnswer={setExplained} />
      {chosen && !explained && <WayOf row={row} id={chosen} isLooking={isLooking} />}
      {explained && <Answer explained={explained} onClose={() => setExplained(undefined)} />}
      <Clusters emulator={emulator} lit={lit} />
    </section>
  );
}

function litBy(shown: Explained, replica: string, row: RequestRow | undefined, isRequest: boolean): Lit {
  const { decision, refusal } = shown;
  const rejected = new Map<string, string>();
  for (const each of ((decision ?? refusal)?.rejected ?? []) as Rejected[]) rejected.set(each.what, each.reason);
  const taken = isRequest && row?.nodepool ? [row.nodepool] : (decision?.nodepools ?? []);
  return { deployment: decision?.deployment ?? "", nodepools: taken, replica, rejected };
}

function WayOf({ row, id, isLooking }: { row: RequestRow | undefined; id: string; isLooking: boolean }) {
  if (!row) {
    return (
      <p class="empty" role="status">
        {isLooking ? "Looking for the request …" : "The emulator no longer keeps this request."}
      </p>
    );
  }
  return (
    <div class="way" role="status">
      <a class="close" href={hrefOf("map")}>
        Close
      </a>
      <p>
        The way of <a href={hrefOf("requests", id)}>{nameOf(row)}</a> <Outcome row={row} />
      </p>
      {row.route && (
        <p>
          <strong>{row.route.rule}</strong>: {row.route.reason}
        </p>
      )}
      {row.refusal && <RefusalText refusal={row.refusal} />}
      <RejectedList rejected={(row.route ?? row.refusal)?.rejected ?? []} />
    </div>
  );
}

function Answer({ explained, onClose }: { explained: Explained; onClose: () => void }) {
  const { decision, refusal } = explained;
  return (
    <div class="way" role="status">
      <button type="button" class="close" onClick={onClose}>
        Close
      </button>
      {decision && (
        <p>
          It would go to <strong>{decision.deployment ?? decision.nodepools.join(", then ")}</strong>.{" "}
          {decision.rule}: {decision.reason}
          {explained.is_settled === false && " For now: it depends on how busy everything is when a request comes."}
        </p>
      )}
      {refusal && <RefusalText refusal={refusal} />}
      <RejectedList rejected={(decision ?? refusal)?.rejected ?? []} />
    </div>
  );
}

function WhereForm({ emulator, onAnswer }: { emulator: Emulator; onAnswer: (answer: Explained) => void }) {
  const [problem, setProblem] = useState("");
  const state = emulator.state;
  if (!state?.models.length || emulator.link === "saved") return null;
  const send = async (event: SubmitEvent) => {
    event.preventDefault();
    const given = new FormData(event.currentTarget as HTMLFormElement);
    const query: Record<string, string> = {};
    for (const [name, value] of given) if (typeof value === "string" && value.trim()) query[name] = value.trim();
    try {
      onAnswer(await ask<Explained>("route", query));
      setProblem("");
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <form class="bar" onSubmit={send} aria-label="Where would a request go?">
      <label>
        Where would a request for{" "}
        <select name="model">
          {state.models.map((model) => (
            <option key={model} value={model}>
              {model}
            </option>
          ))}
        </select>
      </label>
      <label>
        naming{" "}
        <select name="deployment">
          <option value="">no deployment</option>
          {state.deployments.map((each) => (
            <option key={`${each.user_id}/${each.deployment_id}`} value={`${each.user_id}/${each.deployment_id}`}>
              {each.deployment_id}
            </option>
          ))}
        </select>
      </label>
      <label>
        and{" "}
        <select name="nodepool">
          <option value="">no nodepool</option>
          {state.nodepools.map((each) => (
            <option key={nameOfPool(each)} value={nameOfPool(each)}>
              {nameOfPool(each)}
            </option>
          ))}
        </select>
      </label>
      <label>
        of user <input name="caller" placeholder={state.user_id} size={10} />
      </label>
      <button type="submit">go?</button>
      {problem && (
        <p class="failed" role="alert">
          {problem}
        </p>
      )}
    </form>
  );
}

function nameOfPool(pool: NodepoolState): string {
  return `${pool.user_id}/${pool.compute_cluster_id}/${pool.nodepool_id}`;
}

interface Placed {
  user: string;
  id: string;
  model: string;
  bounds: string;
  isEnabled: boolean;
  versions: VersionState[];
}

function placedIn(emulator: Emulator): Map<string, Placed[]> {
  const found = new Map<string, Placed[]>();
  const put = (pool: string, placed: Placed) => found.set(pool, [...(found.get(pool) ?? []), placed]);
  for (const each of emulator.state?.deployments ?? []) for (const pool of poolsOf(each)) put(pool, placedOf(each));
  for (const version of emulator.state?.shared ?? []) {
    const name = lastOf(version.model);
    const placed = { user: "", id: name, model: version.model, bounds: "", isEnabled: true, versions: [version] };
    for (const pool of new Set(version.replicas.map((each) => each.nodepool))) put(pool, placed);
  }
  return found;
}

function poolsOf(deployment: DeploymentState): Set<string> {
  const used = deployment.versions.flatMap((version) => version.replicas.map((replica) => replica.nodepool));
  return new Set([...deployment.nodepools, ...used]);
}

function placedOf(each: DeploymentState): Placed {
  const bounds = `${each.min_replicas} to ${each.max_replicas} replicas`;
  const { user_id: user, deployment_id: id, enabled: isEnabled, versions } = each;
  return { user, id, model: each.model ?? "", bounds, isEnabled, versions };
}

function Clusters({ emulator, lit }: { emulator: Emulator; lit: Lit }) {
  const [withShared, setShared] = useState(false);
  const state = emulator.state;
  if (!state) return <p class="empty">Asking the emulator what there is …</p>;
  const placed = placedIn(emulator);
  const isUsed = (pool: NodepoolState) => {
    const name = nameOfPool(pool);
    return pool.user_id !== "clarifai" || placed.has(name) || lit.nodepools.includes(name);
  };
  const pools = withShared ? state.nodepools : state.nodepools.filter(isUsed);
  const clusters = new Map<string, NodepoolState[]>();
  for (const pool of pools) {
    const name = `${pool.user_id}/${pool.compute_cluster_id}`;
    const group = clusters.get(name);
    if (group) group.push(pool);
    else clusters.set(name, [pool]);
  }
  const hidden = state.nodepools.length - state.nodepools.filter(isUsed).length;
  return (
    <>
      {hidden > 0 && (
        <label class="quiet">
          <input
            type="checkbox"
            checked={withShared}
            onChange={(event) => setShared(event.currentTarget.checked)}
          />{" "}
          Clarifai's {hidden} shared nodepools too, which nothing runs in
        </label>
      )}
      {!state.deployments.length && (
        <div class="empty">
          <p>Nothing is deployed. Deploy a model to see where it runs:</p>
          <pre>clarifai-emulator deploy my-model</pre>
        </div>
      )}
      <ul class="map">
        {[...clusters].map(([name, members]) => (
          <li key={name} class="cluster">
            <h3>{name}</h3>
            <ul>
              {members.map((pool) => (
                <Pool key={nameOfPool(pool)} pool={pool} placed={placed.get(nameOfPool(pool)) ?? []} lit={lit} />
              ))}
            </ul>
          </li>
        ))}
      </ul>
    </>
  );
}

function Pool({ pool, placed, lit }: { pool: NodepoolState; placed: Placed[]; lit: Lit }) {
  const name = nameOfPool(pool);
  const reason = lit.rejected.get(`nodepool ${name}`);
  const isLit = lit.nodepools.includes(name);
  return (
    <li class={`nodepool${isLit ? " lit" : ""}${reason ? " rejected" : ""}`}>
      <h4>
        {pool.nodepool_id}
        {isLit && <span class="taken"> taken</span>}
      </h4>
      <p class="quiet">
        {pool.instance_types.join(", ") || "no instance type"} · {pool.instances_in_use} of {pool.max_instances}{" "}
        instances
      </p>
      {reason && <p class="reason">passed over: {reason}</p>}
      <ul>
        {placed.map((each) => (
          <Deployed key={`${each.user}/${each.id}`} placed={each} pool={name} lit={lit} isPoolLit={isLit} />
        ))}
      </ul>
    </li>
  );
}

function Deployed({
  placed,
  pool,
  lit,
  isPoolLit,
}: {
  placed: Placed;
  pool: string;
  lit: Lit;
  isPoolLit: boolean;
}) {
  const name = `${placed.user}/${placed.id}`;
  const reason = lit.rejected.get(`deployment ${name}`);
  const isLit = isPoolLit && lit.deployment === name;
  return (
    <li class={`deployment${isLit ? " lit" : ""}${reason ? " rejected" : ""}`}>
      <strong>{placed.id}</strong> {placed.model && <span class="quiet">{placed.model}</span>}
      {isLit && <span class="taken"> taken</span>}
      <span class="quiet">
        {placed.bounds && ` · ${placed.bounds}`}
        {!placed.isEnabled && " · disabled"}
      </span>
      {reason && <p class="reason">passed over: {reason}</p>}
      {placed.versions.map((version) => (
        <div key={version.version_id} class="version">
          <span class={`state ${version.state.replaceAll(" ", "-")}`}>{version.state}</span>
          <span class="quiet">
            {` version ${short(version.version_id)}`}
            {version.in_flight > 0 && ` · ${version.in_flight} in flight`}
            {version.queued > 0 && ` · ${version.queued} waiting`}
          </span>
          {version.pending && <p class="reason">{version.pending}</p>}
          {version.error && <p class="failed">{version.error}</p>}
          {!version.error && version.last_crash && <p class="failed">{version.last_crash.reason}</p>}
          <ul class="replicas">
            {version.replicas
              .filter((replica) => replica.nodepool === pool)
              .map((replica) => (
                <li key={replica.replica_id} class={replica.replica_id === lit.replica ? "lit" : undefined}>
                  <a href={hrefOf("replicas", replica.replica_id)}>{short(replica.replica_id)}</a>{" "}
                  <span class={`state ${replica.state}`}>{replica.state}</span>
                  {replica.devices.length > 0 && ` ${replica.devices.join(", ")}`}
                  {replica.replica_id === lit.replica && <span class="taken"> answered</span>}
                </li>
              ))}
          </ul>
        </div>
      ))}
    </li>
  );
}
