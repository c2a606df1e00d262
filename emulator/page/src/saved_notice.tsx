// Says above a page that was saved to a file what it is, and what it does not have.

import type { SavedTest } from "./saved_answers";
import { saved } from "./source";

export function SavedNotice({ shownOf }: { shownOf: SavedTest | undefined }) {
  if (!saved) return null;
  const date = new Date(saved.time * 1000);
  return (
    <aside class="notice calm" aria-label="About this file">
      <p>
        <strong>{saved.title}</strong>, saved <time dateTime={date.toISOString()}>{date.toLocaleString()}</time> by
        version {saved.version}. Nothing changes here, and nothing can be sent: for that,{" "}
        {saved.tests ? "run the tests again" : "open the page of a running emulator"}.
      </p>
      {shownOf && <p>Map, replicas and faults are shown as they were at the end of {shownOf.id}.</p>}
      {saved.notes.map((each) => (
        <p key={each}>{each}</p>
      ))}
    </aside>
  );
}
