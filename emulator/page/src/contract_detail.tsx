// Shows what one model promises: its methods and who uses them, what did not fit, and what its lock file says.

import { hrefOf } from "./addresses";
import { Reloads, reloadsOf } from "./code_reloads";
import {
  type Contract,
  type ContractMethod,
  classOf,
  type FindingGroup,
  type Lock,
  type LockChange,
  times,
  useAsked,
} from "./contract_words";
import type { Emulator } from "./emulator";
import { Close, Copy, lastOf, short, Time } from "./words";

export function ContractDetail({ emulator, model }: { emulator: Emulator; model: string }) {
  const { told, problem } = useAsked<Contract>(emulator, "contract", { model });
  return (
    <section aria-labelledby="contract-title" class="detail">
      <Close panel="contracts" />
      <h2 id="contract-title">{model}</h2>
      {problem && (
        <p class="failed" role="alert">
          {problem}
        </p>
      )}
      {!told && !problem && (
        <p class="empty" role="status">
          Asking the emulator about the model …
        </p>
      )}
      {told && <Told emulator={emulator} contract={told} />}
    </section>
  );
}

function Told({ emulator, contract }: { emulator: Emulator; contract: Contract }) {
  const deployments = contract.served.flatMap((each) => each.deployments).filter(Boolean);
  const reloads = reloadsOf(emulator.state, deployments, lastOf(contract.model));
  return (
    <>
      <p>
        A {contract.kind}
        {contract.version_id && ` · version ${short(contract.version_id)}`}
        {deployments.length > 0 && ` · deployed as ${[...new Set(deployments)].join(", ")}`}
        {!contract.is_deployed && " · not deployed"}
      </p>
      {contract.newest_version_id !== contract.version_id && (
        <p class="mark">Its newest version {short(contract.newest_version_id)} is not deployed.</p>
      )}
      <Methods contract={contract} canTry={emulator.link !== "saved" && contract.is_deployed} />
      <Findings contract={contract} />
      {contract.code && <LockTold lock={contract.code.lock} isThere={contract.code.is_there} />}
      {reloads.length > 0 && (
        <>
          <h3>Code</h3>
          <Reloads reloads={reloads} />
        </>
      )}
    </>
  );
}

function Methods({ contract, canTry }: { contract: Contract; canTry: boolean }) {
  const directory = contract.code?.directory;
  return (
    <>
      <h3>Methods</h3>
      {contract.methods.length === 0 && (
        <p class="empty">
          No method is known.{" "}
          {contract.version_id ? "The version was made without signatures." : "It has no version: "}
          {!contract.version_id && <code>clarifai-emulator deploy DIR</code>}
        </p>
      )}
      <ul class="contract-items">
        {contract.methods.map((each) => (
          <Method
            key={each.name}
            method={each}
            place={contract.code?.places[each.name] ?? ""}
            tryHref={canTry ? hrefOf("try", `${contract.model}/${each.name}`) : ""}
          />
        ))}
      </ul>
      {contract.methods_left_out > 0 && (
        <p class="quiet">{contract.methods_left_out} more methods are not shown.</p>
      )}
      {contract.unknown_calls.length > 0 && (
        <p class="mark">
          Called, though it has no such method:{" "}
          {contract.unknown_calls.map((each) => `${each.method} (${times(each.calls)})`).join(", ")}
        </p>
      )}
      <p class="quiet">Calls are counted since the emulator started, or was reset.</p>
      {directory && (
        <p class="quiet">
          Its code: <code class="break">{directory}</code>{" "}
          <Copy text={directory} what="the path of the directory" />
        </p>
      )}
    </>
  );
}

function Method({ method, place, tryHref }: { method: ContractMethod; place: string; tryHref: string }) {
  return (
    <li>
      <p>
        <code class="break">def {method.signature}</code>
      </p>
      {method.docstring && <p class="lines">{method.docstring}</p>}
      {method.limits.map((each) => (
        <p key={each} class="quiet">
          {each}
        </p>
      ))}
      <p class="quiet">
        <span class={method.calls ? undefined : "mark"}>
          {method.calls ? `called ${times(method.calls)}` : "never called"}
        </span>
        {method.kind && ` · ${method.kind}`}
        {place && ` · ${place}`}
        {tryHref && (
          <>
            {" · "}
            <a href={tryHref}>Try {method.name}</a>
          </>
        )}
      </p>
    </li>
  );
}

function Findings({ contract }: { contract: Contract }) {
  const { findings } = contract;
  return (
    <>
      <h3>Findings</h3>
      {findings.length === 0 && (
        <p class="quiet">
          {contract.calls > 0
            ? "None: the requests that came, and their answers, fit the signatures."
            : "None yet: each request that comes, and its answer, is held against the signatures."}
        </p>
      )}
      <ul class="contract-items">
        {findings.map((each) => (
          <OneFinding key={`${each.rule} ${each.method}`} finding={each} place={placeOf(each, contract)} />
        ))}
      </ul>
    </>
  );
}

function placeOf(finding: FindingGroup, contract: Contract): string {
  if (finding.file) return finding.line ? `${finding.file}:${finding.line}` : finding.file;
  return contract.code?.places[finding.method] ?? "";
}

function OneFinding({ finding, place }: { finding: FindingGroup; place: string }) {
  return (
    <li>
      <p>
        <span class={classOf(finding.severity)}>{finding.severity}</span> <code>{finding.rule}</code>
        {finding.title && `: ${finding.title}`}
      </p>
      <p class="lines">{finding.message}</p>
      {finding.hint && <p>Next: {finding.hint}</p>}
      <p class="quiet">
        Found {times(finding.count)}, last at <Time at={finding.last_time} />
        {finding.last_request && (
          <>
            {" in "}
            <a href={hrefOf("requests", finding.last_request)}>request {short(finding.last_request)}</a>
          </>
        )}
        {place && ` · the method is at ${place}`}
      </p>
    </li>
  );
}

const SAID: Record<Lock["state"], string> = {
  none: "There is none. Write one and commit it: the next change then tells whom it breaks.",
  same: "The methods that are deployed are those that the lock file promises.",
  differs: "What is deployed differs from what the lock file promises.",
  unreadable: "The lock file cannot be used.",
  "of others": "The lock file promises nothing of this model. Add it, and commit the file:",
};

function LockTold({ lock, isThere }: { lock: Lock; isThere: boolean }) {
  return (
    <>
      <h3>Lock file</h3>
      {!isThere && <p class="mark">The directory that was deployed is not there any longer.</p>}
      {lock.file && <p class="quiet break">{lock.file}</p>}
      <p class={lock.state === "differs" || lock.state === "unreadable" ? "failed" : undefined}>
        {SAID[lock.state]}
      </p>
      {lock.problem && <pre class="failed">{lock.problem}</pre>}
      <ul class="contract-items">
        {lock.changes.map((each) => (
          <Change key={`${each.rule} ${each.message}`} change={each} />
        ))}
      </ul>
      {(lock.left_out ?? 0) > 0 && <p class="quiet">{lock.left_out} more changes are not shown.</p>}
      {isThere && lock.state !== "unreadable" && <Next lock={lock} />}
    </>
  );
}

function Change({ change }: { change: LockChange }) {
  return (
    <li>
      <p>
        <span class={classOf(change.severity)}>{change.severity}</span> {change.title}, which breaks {change.breaks}
      </p>
      <p class="lines">{change.message}</p>
      {change.old && (
        <p>
          was: <code class="break">{change.old}</code>{" "}
          {change.declared && <span class="quiet">{change.declared}</span>}
        </p>
      )}
      {change.new && (
        <p>
          now: <code class="break">{change.new}</code> {change.place && <span class="quiet">{change.place}</span>}
        </p>
      )}
      {change.hint && <p>Next: {change.hint}</p>}
    </li>
  );
}

const NEXT: Record<Lock["state"], string[]> = {
  none: ["Write it:"],
  same: ["Hold the directory against it before the next deploy:"],
  differs: ["See in full what the directory would break:", "If the change is meant, write the lock file again:"],
  unreadable: [],
  "of others": ["Add the model to it:"],
};

function Next({ lock }: { lock: Lock }) {
  return (
    <>
      {lock.next.map((each, index) => (
        <div key={each}>
          <p>
            {NEXT[lock.state][index]} <Copy text={each} what={`the command ${each.split(" ", 3).join(" ")}`} />
          </p>
          <pre>{each}</pre>
        </div>
      ))}
    </>
  );
}
