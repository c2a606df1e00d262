// Shows a conversation with a model: what was said, the answer as it comes, and what it is asked with.

import { useEffect, useId, useRef } from "preact/hooks";
import { hrefOf } from "./addresses";
import type { Conversation, Said } from "./conversation";
import { CallState, Failure } from "./try_answer";

// So near to its end, in pixels, the list follows what is written.
const FOLLOWED = 150;

export function Chat({ conversation, model }: { conversation: Conversation; model: string }) {
  const { said, running } = conversation;
  return (
    <section aria-labelledby="chat-title" class="chat">
      <h3 id="chat-title">Conversation</h3>
      <Settings conversation={conversation} />
      {said.length ? (
        <Messages said={said} />
      ) : (
        <p class="empty">Say something to {model}: the answer appears here as the model writes it.</p>
      )}
      <Say conversation={conversation} isRunning={running !== undefined} />
    </section>
  );
}

function Messages({ said }: { said: Said[] }) {
  const list = useRef<HTMLOListElement>(null);
  const last = said[said.length - 1];
  useEffect(() => {
    const element = list.current;
    // Whoever scrolled back reads there.
    const isAtEnd = element && element.scrollHeight - element.scrollTop - element.clientHeight < FOLLOWED;
    if (isAtEnd || last?.text === "") element?.scrollTo({ top: element.scrollHeight });
  }, [said.length, last?.text.length, last?.call?.state]);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by the keyboard, too
    <ol class="messages" ref={list} tabIndex={0} aria-label="Messages">
      {said.map((each, index) => (
        <li key={index} class={each.role}>
          <strong>{each.role === "user" ? "You" : "Model"}</strong>
          <Message said={each} />
        </li>
      ))}
    </ol>
  );
}

function Message({ said }: { said: Said }) {
  const { call } = said;
  return (
    <>
      {said.text && <p class="said">{said.text}</p>}
      {said.tools && (
        <>
          <p class="quiet">The model asks for tools:</p>
          <pre>{said.tools}</pre>
        </>
      )}
      {said.problem && (
        <p class="failed" role="alert">
          {said.problem}
        </p>
      )}
      {call?.problem && (
        <p class="failed" role="alert">
          {call.problem}
        </p>
      )}
      {call?.error && <Failure error={call.error} />}
      {call?.state === "done" && !said.text && !said.tools && !said.problem && (
        <p class="quiet">The model answered with an empty message.</p>
      )}
      {call && (
        <div class="quiet about">
          <CallState call={call} parts="chunks" />
          {call.requestId && <a href={hrefOf("requests", call.requestId)}>its request</a>}
        </div>
      )}
    </>
  );
}

function Say({ conversation, isRunning }: { conversation: Conversation; isRunning: boolean }) {
  const id = useId();
  const pressed = (event: KeyboardEvent) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    conversation.say();
  };
  return (
    <form
      aria-label="Say something"
      onSubmit={(event) => {
        event.preventDefault();
        conversation.say();
      }}
    >
      <label for={id}>Message</label>
      <textarea
        id={id}
        rows={3}
        value={conversation.draft}
        placeholder="Enter sends, Shift+Enter begins a new line"
        onInput={(event) => conversation.write(event.currentTarget.value)}
        onKeyDown={pressed}
      />
      <div class="bar">
        <button type="submit" disabled={isRunning || !conversation.draft.trim()}>
          Send
        </button>
        <button type="button" disabled={!isRunning} onClick={() => conversation.stop()}>
          Stop
        </button>
        <button type="button" disabled={!conversation.said.length} onClick={() => conversation.clear()}>
          Clear the conversation
        </button>
      </div>
    </form>
  );
}

function Settings({ conversation }: { conversation: Conversation }) {
  const { settings } = conversation;
  const [temperatureWrong, tokensWrong] = conversation.wrongSettings;
  return (
    <details>
      <summary>System prompt and settings</summary>
      <label class="wide-label">
        System prompt
        <textarea
          rows={2}
          value={settings.system}
          placeholder="none"
          onInput={(event) => conversation.set({ system: event.currentTarget.value })}
        />
      </label>
      <div class="bar">
        <label>
          temperature{" "}
          <input
            size={6}
            inputMode="decimal"
            value={settings.temperature}
            placeholder="model's"
            aria-invalid={temperatureWrong !== ""}
            onInput={(event) => conversation.set({ temperature: event.currentTarget.value })}
          />
        </label>
        <label>
          max_tokens{" "}
          <input
            size={6}
            inputMode="numeric"
            value={settings.maxTokens}
            placeholder="model's"
            aria-invalid={tokensWrong !== ""}
            onInput={(event) => conversation.set({ maxTokens: event.currentTarget.value })}
          />
        </label>
      </div>
      {(temperatureWrong || tokensWrong) && <p class="failed">{`${temperatureWrong} ${tokensWrong}`.trim()}</p>}
    </details>
  );
}
