// Asks where a request would go, without sending one, and says what the emulator answers.

import { useState } from "preact/hooks";
import type { Emulator } from "./emulator";
import { nameOfPool } from "./map_places";
import { RefusalText, RejectedList } from "./request_detail";
import { ask } from "./source";
import type { Explained } from "./told";

export interface RouteAnswer {
  caller: string;
  explained: Explained;
}

// A list that is too long to choose from is typed into.
const MOST_CHOICES = 500;

export function WhereForm({ emulator, onAnswer }: { emulator: Emulator; onAnswer: (answer: RouteAnswer) => void }) {
  const [problem, setProblem] = useState("");
  const state = emulator.state;
  if (!state?.models.length || emulator.link === "saved") return null;
  const send = async (event: SubmitEvent) => {
    event.preventDefault();
    const given = new FormData(event.currentTarget as HTMLFormElement);
    const query: Record<string, string> = {};
    for (const [name, value] of given) if (typeof value === "string" && value.trim()) query[name] = value.trim();
    try {
      onAnswer({ caller: query.caller ?? state.user_id, explained: await ask<Explained>("route", query) });
      setProblem("");
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
  };
  const deployments = state.deployments.map((each) => `${each.user_id}/${each.deployment_id}`);
  return (
    <form class="bar" onSubmit={send} aria-label="Where would a request go?">
      <Choice text="Where would a request for" name="model" choices={state.models} />
      <Choice text="naming" name="deployment" choices={deployments} none="no deployment" />
      <Choice text="and" name="nodepool" choices={state.nodepools.map(nameOfPool)} none="no nodepool" />
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

function Choice({ text, name, choices, none }: { text: string; name: string; choices: string[]; none?: string }) {
  const id = `where-${name}`;
  return (
    <span>
      <label for={id}>{text}</label>{" "}
      {choices.length > MOST_CHOICES ? (
        <input id={id} name={name} placeholder={none ?? choices[0]} required={none === undefined} />
      ) : (
        <select id={id} name={name}>
          {none !== undefined && <option value="">{none}</option>}
          {choices.map((each) => (
            <option key={each} value={each}>
              {each}
            </option>
          ))}
        </select>
      )}
    </span>
  );
}

export function Answer({ answer, onClose }: { answer: RouteAnswer; onClose: () => void }) {
  const { decision, refusal, is_settled } = answer.explained;
  return (
    <div class="way" role="status">
      <button type="button" class="close" onClick={onClose}>
        Close
      </button>
      {decision && (
        <p>
          It would go to <strong>{decision.deployment ?? decision.nodepools.join(", then ")}</strong>.{" "}
          {decision.rule}: {decision.reason}
          {is_settled === false && " For now: it depends on how busy everything is when a request comes."}
        </p>
      )}
      {refusal && <RefusalText refusal={refusal} />}
      <RejectedList rejected={(decision ?? refusal)?.rejected ?? []} />
    </div>
  );
}
