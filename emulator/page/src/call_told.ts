// Describes what the emulator tells of a call, and asks for it: its messages, with the time and the values of each.

import { useEffect, useState } from "preact/hooks";
import type { ShownValue } from "./call_values";
import { isPrediction, type RequestRow } from "./requests";
import { ask, Locked } from "./source";

export interface CallFailure {
  code: number;
  name: string;
  details: string;
  trace: string;
}

export interface CallMessage {
  // Seconds since the epoch.
  time: number;
  size: number;
  is_kept: boolean;
  // Of each input or output of the message.
  values: ShownValue[][];
  failed?: CallFailure;
}

export interface CallTold {
  is_kept: true;
  id: string;
  kind: "unary" | "server stream" | "bidi";
  user: string;
  model: string;
  version: string;
  method: string;
  signature: string;
  // The digest of the model directory when the version was made.
  code: string;
  place: { file: string; line: number } | null;
  inputs: CallMessage[];
  outputs: CallMessage[];
  inputs_left_out: number;
  outputs_left_out: number;
  // Why it cannot be sent again; empty where it can.
  cannot_repeat: string;
}

// A call that is not over yet is looked at again from time to time.
const AGAIN_MILLISECONDS = 1500;

export function useCall(row: RequestRow | undefined): { call: CallTold | undefined; said: string } {
  const [call, setCall] = useState<CallTold | undefined>(undefined);
  const [said, say] = useState("");
  const id = row && isPrediction(row) ? row.id : "";
  const isOver = row?.milliseconds !== undefined;
  useEffect(() => {
    if (!id) return;
    let timer: number | undefined;
    let isLeft = false;
    const look = async () => {
      try {
        const told = await ask<CallTold | { is_kept: false; said: string }>("call", { id });
        if (isLeft) return;
        if (told.is_kept) setCall(told);
        say(told.is_kept ? "" : told.said);
      } catch (error) {
        if (!isLeft && !(error instanceof Locked)) say(inWords(error));
      }
      if (!isOver && !isLeft) timer = window.setTimeout(look, AGAIN_MILLISECONDS);
    };
    void look();
    return () => {
      isLeft = true;
      window.clearTimeout(timer);
    };
  }, [id, isOver]);
  return { call: call?.id === id ? call : undefined, said };
}

export function inWords(error: unknown): string {
  if (error instanceof TypeError) return "The emulator does not answer. Try again when it is there.";
  return error instanceof Error ? error.message : String(error);
}

export function traceOf(call: CallTold | undefined): string {
  return call?.outputs.find((each) => each.failed?.trace)?.failed?.trace ?? "";
}
