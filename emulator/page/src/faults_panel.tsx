// Shows … .

import type { Emulator } from "./emulator";

export function FaultsPanel(_: { emulator: Emulator; chosen: string }) {
  return (
    <section aria-labelledby="faults-title">
      <h2 id="faults-title">Faults</h2>
    </section>
  );
}
