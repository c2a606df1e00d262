// Shows what a call was asked and what it was answered, message by message.

import type { CallMessage, CallTold } from "./call_told";
import { type ShownValue, Values } from "./call_values";
import { count, size } from "./sizes";
import { Copy, milliseconds, Time } from "./words";

// Of a stream, so many messages are shown; the page would else be slow to scroll.
const MOST_SHOWN = 200;

export function AskedAndAnswered({ call, isOver }: { call: CallTold; isOver: boolean }) {
  return (
    <>
      <h3>Arguments</h3>
      {call.signature && (
        <p class="quiet">
          <code>{call.signature}</code>
          {call.place && ` at ${call.place.file}:${call.place.line}`}
        </p>
      )}
      <Messages
        messages={call.inputs}
        leftOut={call.inputs_left_out}
        began={call.inputs[0]?.time ?? 0}
        what="Input"
        nothing="It was called without arguments."
      />
      <h3>{call.kind === "unary" ? "Answer" : "Answers"}</h3>
      {call.outputs.length === 0 ? (
        <p class="quiet">{isOver ? "There is none: nothing came back." : "None yet."}</p>
      ) : (
        <Messages
          messages={call.outputs}
          leftOut={call.outputs_left_out}
          began={call.inputs[0]?.time ?? 0}
          what="Answer"
          nothing="It is empty: the method gave nothing back."
        />
      )}
    </>
  );
}

interface MessagesProps {
  messages: CallMessage[];
  leftOut: number;
  // When the first message of the call came.
  began: number;
  what: string;
  nothing: string;
}

function Messages({ messages, leftOut, began, what, nothing }: MessagesProps) {
  const [only] = messages;
  if (only && messages.length === 1 && !leftOut) return <Message message={only} what={what} nothing={nothing} />;
  const joined = joinedText(messages);
  const shown = messages.slice(0, MOST_SHOWN);
  const more = messages.length - shown.length + leftOut;
  const list = (
    <ol class="messages">
      {shown.map((each, index) => (
        <li key={index}>
          <p class="quiet">
            <Time at={each.time} />, after {milliseconds((each.time - began) * 1000)}
          </p>
          <Message message={each} what={`${what} ${index + 1}`} nothing={nothing} />
        </li>
      ))}
    </ol>
  );
  const rest = more > 0 && <p class="quiet">{count(more)} further messages are not shown.</p>;
  if (!joined) {
    return (
      <>
        {list}
        {rest}
      </>
    );
  }
  return (
    <>
      <pre>{joined}</pre>
      <p>
        <Copy text={joined} what={`all of them: ${what}`} />
      </p>
      <details>
        <summary>{count(messages.length + leftOut)} messages, each with its time</summary>
        {list}
        {rest}
      </details>
    </>
  );
}

function Message({ message, what, nothing }: { message: CallMessage; what: string; nothing: string }) {
  if (!message.is_kept) {
    return (
      <p class="quiet">
        {what} of {size(message.size)}: too large to be kept, so it cannot be shown.
      </p>
    );
  }
  return (
    <>
      {message.failed && (
        <p class="failed">
          {message.failed.code} {message.failed.name}
        </p>
      )}
      {message.values.length === 1 || (message.failed && !message.values.flat().length) ? (
        !message.failed && <Values values={message.values[0] ?? []} nothing={nothing} />
      ) : (
        <Batch values={message.values} nothing={nothing} />
      )}
    </>
  );
}

// Several inputs in one request, or the answer to each of them.
function Batch({ values, nothing }: { values: ShownValue[][]; nothing: string }) {
  if (!values.length) return <p class="quiet">{nothing}</p>;
  return (
    <ol class="messages">
      {values.map((each, index) => (
        <li key={index}>
          <Values values={each} nothing={nothing} />
        </li>
      ))}
    </ol>
  );
}

// A stream of texts is read as one.
function joinedText(messages: CallMessage[]): string {
  const texts: string[] = [];
  for (const each of messages) {
    const [value] = each.values[0] ?? [];
    if (each.failed || each.values.flat().length !== 1 || value?.kind !== "text" || value.whole) return "";
    texts.push(value.text ?? "");
  }
  return texts.length > 1 ? texts.join("") : "";
}
