// Shows … .

import type { Emulator } from "./emulator";

export function ContractsPanel(_: { emulator: Emulator; chosen: string }) {
  return (
    <section aria-labelledby="contracts-title">
      <h2 id="contracts-title">Contracts</h2>
    </section>
  );
}
