// Calls a method of a model from a form, or talks to it; shows the answer below as it comes.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { hrefOf } from "./addresses";
import { Chat } from "./chat";
import type { Emulator } from "./emulator";
import { useListened } from "./listened";
import type { EmulatorState } from "./told";
import { Answer } from "./try_answer";
import { saidBy, type TryCall } from "./try_call";
import { deskOf, type TryDesk } from "./try_desk";
import { ArgumentField } from "./try_fields";
import type { Method } from "./try_methods";
import { WhereItGoes } from "./try_place";
import "./try.css";

// The model that was looked at last: its panel is shown again.
let lastModel = "";

export function TryPanel({ emulator, chosen }: { emulator: Emulator; chosen: string }) {
  return (
    <section aria-labelledby="try-title" class="try">
      <h2 id="try-title">Try it</h2>
      {emulator.link === "saved" ? (
        <p class="empty">
          Models can be called where the emulator runs. This page was saved to a file: its requests show what was
          asked and answered.
        </p>
      ) : (
        <Models emulator={emulator} chosen={chosen} />
      )}
    </section>
  );
}

function Models({ emulator, chosen }: { emulator: Emulator; chosen: string }) {
  const state = emulator.state;
  if (!state) return <p class="empty">Asking the emulator which models there are …</p>;
  const [user, app, id, method = ""] = chosen.split("/");
  const named = id ? [user, app, id].join("/") : "";
  const deployed = deployedModels(state);
  const last = state.models.includes(lastModel) ? lastModel : "";
  const model = named || last || deployed[0] || state.models[0] || "";
  if (!model) {
    return (
      <div class="empty">
        <p>No model is here yet. Deploy one, and its methods can be called from this page:</p>
        <pre>clarifai-emulator deploy my-model</pre>
      </div>
    );
  }
  if (!state.models.includes(model) && !deployed.includes(model)) {
    return (
      <p class="failed" role="alert">
        There is no model {model} here: it was deleted, or has another name.{" "}
        <a href={hrefOf("try", deployed[0] ?? state.models[0] ?? "")}>Try another one</a>
      </p>
    );
  }
  lastModel = model;
  return <Desk key={model} emulator={emulator} state={state} model={model} method={method} />;
}

function deployedModels(state: EmulatorState): string[] {
  const found = state.deployments.map((each) => each.model ?? "").filter(Boolean);
  return [...new Set([...found, ...state.shared.map((each) => each.model)])];
}

interface DeskProps {
  emulator: Emulator;
  state: EmulatorState;
  model: string;
  method: string;
}

function Desk({ emulator, state, model, method }: DeskProps) {
  const desk = useMemo(() => deskOf(model), [model]);
  useListened(desk);
  // A model that is deployed again may have other methods.
  const versions = versionsOf(state, model);
  useEffect(() => void desk.load(), [desk, desk.place.version, versions, emulator.restarts]);
  useEffect(() => {
    if (method) desk.choose(method);
  }, [desk, method]);
  const told = desk.told;
  const chosen = desk.chosen;
  return (
    <>
      <Chooser state={state} desk={desk} />
      {desk.problem && (
        <p class="failed" role="alert">
          {desk.problem}
        </p>
      )}
      {!told && !desk.problem && <p class="empty">Asking for the methods of {model} …</p>}
      {told && !chosen && (
        <p class="empty">
          {model} has no methods to call:{" "}
          {told.version ? "its version came without signatures." : "it has no version."} Deploy its directory, and
          they are here.
        </p>
      )}
      {(chosen || desk.place.version) && <WhereItGoes state={state} desk={desk} />}
      {chosen &&
        (desk.isChat && told?.chat ? (
          <Chat conversation={desk.conversation} model={model} />
        ) : (
          <MethodForm key={chosen.name} desk={desk} method={chosen} />
        ))}
    </>
  );
}

function versionsOf(state: EmulatorState, model: string): string {
  const all = [...state.deployments.flatMap((each) => each.versions), ...state.shared];
  return all.flatMap((each) => (each.model === model ? [each.version_id] : [])).join(" ");
}

function Chooser({ state, desk }: { state: EmulatorState; desk: TryDesk }) {
  const methods = desk.told?.methods ?? [];
  // Made once for each state: there may be thousands.
  const models = useMemo(() => optionsOf(state), [state]);
  const go = (model: string) => {
    location.hash = hrefOf("try", model);
  };
  return (
    <div class="bar">
      <span>
        <label for="try-model">Model</label>{" "}
        <select id="try-model" value={desk.model} onChange={(event) => go(event.currentTarget.value)}>
          {models}
        </select>
      </span>
      {methods.length > 0 && !desk.isChat && (
        <span>
          <label for="try-method">Method</label>{" "}
          <select
            id="try-method"
            value={desk.chosen?.name ?? ""}
            onChange={(event) => go(`${desk.model}/${event.currentTarget.value}`)}
          >
            {methods.map((each) => (
              <option key={each.name} value={each.name}>
                {each.name}
              </option>
            ))}
          </select>
        </span>
      )}
      {desk.told?.chat && (
        <button type="button" aria-pressed={desk.isChat} onClick={() => desk.chat(!desk.isChat)}>
          Chat
        </button>
      )}
    </div>
  );
}

function optionsOf(state: EmulatorState) {
  const deployed = new Set(deployedModels(state));
  return (
    <>
      <Options label="deployed" models={[...deployed]} />
      <Options label="not deployed" models={state.models.filter((each) => !deployed.has(each))} />
    </>
  );
}

function Options({ label, models }: { label: string; models: string[] }) {
  if (!models.length) return null;
  return (
    <optgroup label={label}>
      {models.map((each) => (
        <option key={each} value={each}>
          {each}
        </option>
      ))}
    </optgroup>
  );
}

function MethodForm({ desk, method }: { desk: TryDesk; method: Method }) {
  const [problem, setProblem] = useState("");
  const form = useRef<HTMLFormElement>(null);
  const call = desk.call(method);
  const isOpen = call?.isRunning === true;
  const isStreaming = isOpen && method.stream !== "" && !call.hasEnded;
  const attempt = async (what: () => Promise<void>) => {
    setProblem("");
    try {
      await what();
    } catch (error) {
      setProblem(saidBy(error));
    }
  };
  const send = async () => {
    if (isOpen && !isStreaming) return;
    if (isStreaming) await attempt(() => desk.sendItem(method));
    else await attempt(() => desk.send(method));
    window.setTimeout(() => focusFirstWrong(form.current), 100);
  };
  const pressed = (event: KeyboardEvent) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    void send();
  };
  return (
    <div class="columns">
      <form
        ref={form}
        aria-label={`Call ${method.name}`}
        noValidate
        onKeyDown={pressed}
        onSubmit={(event) => {
          event.preventDefault();
          void send();
        }}
      >
        {method.description && <p class="docstring">{method.description}</p>}
        {method.arguments.length === 0 && <p class="quiet">{method.name} takes no arguments.</p>}
        {method.arguments.map((field) => (
          <ArgumentField
            key={field.name}
            field={field}
            name={field.name}
            draft={desk.draft(method, field)}
            onChange={(draft) => desk.write(method, field, draft)}
            isAsked={desk.isAsked(method) && (!field.stream || !isOpen)}
            isDisabled={isOpen && !(field.stream && isStreaming)}
          />
        ))}
        <Buttons desk={desk} method={method} call={call} end={() => void attempt(async () => call?.end())} />
        {desk.isAsked(method) && !isOpen && desk.wrong(method).length > 0 && (
          <p class="failed" role="alert">
            Not sent: look at {desk.wrong(method).join(", ")}.
          </p>
        )}
        {problem && (
          <p class="failed" role="alert">
            {problem}
          </p>
        )}
      </form>
      {call && <Answer call={call} method={method} />}
    </div>
  );
}

interface ButtonsProps {
  desk: TryDesk;
  method: Method;
  call: TryCall | undefined;
  end: () => void;
}

function Buttons({ desk, method, call, end }: ButtonsProps) {
  const isOpen = call?.isRunning === true;
  const isStreaming = isOpen && method.stream !== "" && !call.hasEnded;
  return (
    <div class="bar">
      <button type="submit" class="send" disabled={isOpen && !isStreaming} title="Ctrl+Enter, or ⌘+Enter">
        {isStreaming ? "Send the next item" : "Send"}
      </button>
      {isStreaming && (
        <button type="button" onClick={end}>
          End the stream
        </button>
      )}
      <button type="button" disabled={!isOpen} onClick={() => call?.cancel()}>
        Cancel
      </button>
      <button type="button" onClick={() => desk.clear(method)}>
        Clear
      </button>
      <span class="quiet">
        Ctrl+Enter sends
        {isStreaming && `; ${call.sent} ${call.sent === 1 ? "item was" : "items were"} sent`}
      </span>
    </div>
  );
}

function focusFirstWrong(form: HTMLFormElement | null): void {
  form?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus();
}
