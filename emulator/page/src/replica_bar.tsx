// Draws a replica's life as a bar on a time axis that all replicas share.

import type { ReplicaLife } from "./lives";
import type { Phase } from "./replica_phases";

interface Props {
  life: ReplicaLife | undefined;
  phases: Phase[];
  from: number;
  now: number;
}

export function ReplicaBar({ life, phases, from, now }: Props) {
  const at = (time: number) => (100 * (Math.min(now, Math.max(from, time)) - from)) / (now - from);
  const place = (begin: number, end: number) => ({ left: `${at(begin)}%`, width: `${at(end) - at(begin)}%` });
  const busy = life?.busy.spans.filter((each) => (each.end ?? now) > from) ?? [];
  const ended = life?.ended;
  return (
    <div class="life" aria-hidden="true">
      {phases
        .filter((each) => each.end > from)
        .map((each) => (
          <span
            key={`${each.name} ${each.begin}`}
            class={`phase ${each.name}`}
            style={place(each.begin, each.end)}
          />
        ))}
      {busy.map((each) => (
        <span key={`busy ${each.begin}`} class="phase busy" style={place(each.begin, each.end ?? now)} />
      ))}
      {ended && ended.time > from && (
        <span
          class={`end ${ended.kind === "replica.crashed" ? "crashed" : "ended"}`}
          style={{ left: `${at(ended.time)}%` }}
        />
      )}
    </div>
  );
}
