// Shows … .

import type { Emulator } from "./emulator";

export function ResourcesPanel(_: { emulator: Emulator; chosen: string }) {
  return (
    <section aria-labelledby="resources-title">
      <h2 id="resources-title">Resources</h2>
    </section>
  );
}
