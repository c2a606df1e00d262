// Sends a request again, and goes to the new one.

import { useState } from "preact/hooks";
import { hrefOf } from "./addresses";
import { type CallTold, inWords } from "./call_told";
import { act } from "./source";

export function Again({ call }: { call: CallTold }) {
  const [isSending, setSending] = useState(false);
  const [failure, setFailure] = useState("");
  const send = async () => {
    setSending(true);
    setFailure("");
    try {
      const { id } = await act<{ id: string }>("again", { id: call.id });
      location.hash = hrefOf("requests", id);
    } catch (error) {
      setFailure(inWords(error));
    } finally {
      setSending(false);
    }
  };
  if (call.cannot_repeat) {
    return <p class="quiet">It cannot be sent again from here. {call.cannot_repeat}</p>;
  }
  return (
    <>
      <button type="button" onClick={send} disabled={isSending} title={`The same request, as user ${call.user}`}>
        Send again
      </button>
      {failure && (
        <p role="alert" class="failed">
          {failure}
        </p>
      )}
    </>
  );
}
