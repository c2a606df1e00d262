// Shows when what happened to a request: its events, and each answer as it left.

import type { CallTold } from "./call_told";
import type { RequestRow } from "./requests";
import { count } from "./sizes";
import { milliseconds } from "./words";

const STEPS: Record<string, string> = {
  "route.decided": "routed",
  "route.refused": "refused",
  "work.sent": "queued until sent to a replica",
  "work.done": "answered by the replica",
  "work.failed": "failed",
  "work.cancelled": "cancelled",
  "request.finished": "answer sent",
};
// Of the chunks of a long stream, the first and the last are shown.
const CHUNKS_SHOWN = 12;

interface Step {
  name: string;
  // Seconds since the request came.
  at: number;
}

export function Timeline({ row, call }: { row: RequestRow; call: CallTold | undefined }) {
  const steps = stepsOf(row, call);
  const total = Math.max(...steps.map((each) => each.at), 0.0001);
  const percent = (seconds: number) => `${(100 * seconds) / total}%`;
  return (
    <>
      <h3>Timeline</h3>
      <table class="timeline">
        <thead>
          <tr>
            <th scope="col">Step</th>
            <th scope="col" class="number">
              After
            </th>
            <td />
          </tr>
        </thead>
        <tbody>
          {steps.map((step, index) => {
            const begin = steps[index - 1]?.at ?? 0;
            const bar = { marginLeft: percent(begin), width: percent(Math.max(0, step.at - begin)) };
            return (
              <tr key={index}>
                <td>{step.name}</td>
                <td class="number">{milliseconds(step.at * 1000)}</td>
                <td class="track" aria-hidden="true">
                  <div style={bar} />
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </>
  );
}

function stepsOf(row: RequestRow, call: CallTold | undefined): Step[] {
  const after = (time: number) => Math.max(0, time - row.began);
  const steps = row.events.map((event) => ({ name: STEPS[event.kind] ?? event.kind, at: after(event.time) }));
  for (const chunk of chunksOf(call)) steps.push({ name: chunk.name, at: after(chunk.at) });
  return steps.sort((one, other) => one.at - other.at);
}

function chunksOf(call: CallTold | undefined): Step[] {
  if (!call || call.kind === "unary") return [];
  const heard = call.inputs.slice(1).map((each, index) => ({ name: `input ${index + 2} came`, at: each.time }));
  const sent = call.outputs.map((each, index) => ({ name: chunkName(index), at: each.time }));
  return [...shortened(heard, "inputs"), ...shortened(sent, "chunks")];
}

function chunkName(index: number): string {
  return index === 0 ? "first chunk" : `chunk ${index + 1}`;
}

function shortened(steps: Step[], what: string): Step[] {
  const last = steps.at(-1);
  if (steps.length <= CHUNKS_SHOWN || !last) return steps;
  const shown = steps.slice(0, CHUNKS_SHOWN - 2);
  const skipped = steps.slice(CHUNKS_SHOWN - 2, -1);
  return [...shown, { name: `… ${count(skipped.length)} ${what}`, at: skipped.at(-1)?.at ?? last.at }, last];
}
