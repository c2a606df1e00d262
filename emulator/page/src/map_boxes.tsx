// Draws a deployment, a nodepool and a replica of the map, each with how it is and what to do about it.

import { hrefOf } from "./addresses";
import { isTaken, type MapDeployment, nameOfPool } from "./map_places";
import { gibibytes, number, sharesOf, typeWords } from "./map_sizes";
import type { Lit } from "./map_ways";
import type { DevState, NodepoolState, ReplicaState, VersionState } from "./told";
import { milliseconds, short } from "./words";

export function DeploymentBox({
  deployment: each,
  project,
  lit,
}: {
  deployment: MapDeployment;
  project: DevState | undefined;
  lit: Lit;
}) {
  const reason = lit.rejected.get(`deployment ${each.name}`);
  const taken = isTaken(each, lit);
  const answered = taken && lit.replica && each.replicas.some((one) => one.replica_id === lit.replica);
  return (
    <li class={classOf("box", taken, reason)} data-at={`deployment ${each.name}`}>
      {each.isShared ? <strong>{each.id}</strong> : <DeploymentName each={each} />}{" "}
      {taken && <span class="taken">taken{answered && `, answered by ${short(lit.replica)}`}</span>}
      {reason && <p class="reason">passed over: {reason}</p>}
      <p class="quiet">
        {each.model && `${each.model} · `}
        {each.bounds}
        {!each.isEnabled && " · disabled"}
      </p>
      {each.versions.map((version) => (
        <VersionLines key={version.version_id} version={version} />
      ))}
      {project && <Reloaded project={project} />}
    </li>
  );
}

function DeploymentName({ each }: { each: MapDeployment }) {
  return (
    <strong>
      <a href={hrefOf("resources", `deployment/${each.name}`)}>{each.id}</a>
    </strong>
  );
}

function VersionLines({ version }: { version: VersionState }) {
  const problem = version.error || version.stuck || version.last_crash?.reason || "";
  return (
    <div class="version">
      <span class={`state ${version.state.replaceAll(" ", "-")}`}>{version.state}</span>
      <span class="quiet">
        {` version ${short(version.version_id)}`}
        {version.in_flight > 0 && ` · ${version.in_flight} in flight`}
        {version.queued > 0 && ` · ${version.queued} waiting`}
      </span>
      {version.pending && !version.error && <p class="waits">Waits for room: {version.pending}</p>}
      {problem && <p class="failed lines-kept">{problem}</p>}
      {problem && version.traceback && (
        <details>
          <summary>What it printed last</summary>
          <pre>{version.traceback}</pre>
        </details>
      )}
    </div>
  );
}

function Reloaded({ project }: { project: DevState }) {
  const { last } = project;
  return (
    <div class="version">
      <p class="quiet">
        In the dev loop: code {short(project.code)} of {project.directory}
        {last && ` · last save ${last.state} after ${milliseconds(last.milliseconds)}`}
      </p>
      {last?.failure && (
        <p class="failed lines-kept">
          {last.failure.message}
          {last.failure.file && ` (${last.failure.file}, line ${last.failure.line})`} {last.failure.hint}
        </p>
      )}
    </div>
  );
}

export function NodepoolBox({ pool, lit }: { pool: NodepoolState; lit: Lit }) {
  const name = nameOfPool(pool);
  const reason = lit.rejected.get(`nodepool ${name}`);
  const taken = lit.nodepools.includes(name) && !reason;
  const { cpus, memory } = pool.overcommitted;
  const over = [cpus > 0 && `${number(cpus)} CPUs`, memory > 0 && gibibytes(memory)].filter(Boolean).join(" and ");
  return (
    <li class={classOf("box", taken, reason)} data-at={`nodepool ${name}`}>
      <strong>
        <a href={hrefOf("resources", `nodepool/${name}`)}>{pool.nodepool_id}</a>
      </strong>{" "}
      {taken && <span class="taken">taken</span>}
      {reason && <p class="reason">passed over: {reason}</p>}
      {pool.types.length ? (
        pool.types.map((type) => (
          <p key={type.id} class="quiet">
            {typeWords(type)}
          </p>
        ))
      ) : (
        <p class="quiet">It has no instance type.</p>
      )}
      {sharesOf(pool).map((each) => (
        <p key={each.what} class="share">
          <span class="track" aria-hidden="true">
            <span style={{ width: `${each.of ? Math.min(100, (100 * each.taken) / each.of) : 0}%` }} />
          </span>
          {each.words}
        </p>
      ))}
      {over && <p class="waits">{over} more are asked for than there are; this machine runs it all the same.</p>}
    </li>
  );
}

export function ReplicaBox({ replica, deployment, lit }: { replica: ReplicaState; deployment: string; lit: Lit }) {
  const answered = replica.replica_id === lit.replica;
  return (
    <li class={classOf("box", answered, undefined)} data-at={`replica ${replica.replica_id}`}>
      <a href={hrefOf("replicas", replica.replica_id)}>{short(replica.replica_id)}</a>{" "}
      <span class={`state ${replica.state}`}>{replica.state}</span> <span class="quiet">of {deployment}</span>
      {replica.devices.length > 0 && <span class="quiet"> on {replica.devices.join(", ")}</span>}
      {answered && <span class="taken"> answered</span>}
    </li>
  );
}

function classOf(name: string, isTakenNow: boolean, reason: string | undefined): string {
  return `${name}${isTakenNow ? " lit" : ""}${reason ? " rejected" : ""}`;
}
