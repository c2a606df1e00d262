// Shows … .

import type { Emulator } from "./emulator";

export function TryPanel(_: { emulator: Emulator; chosen: string }) {
  return (
    <section aria-labelledby="try-title">
      <h2 id="try-title">Try it</h2>
    </section>
  );
}
