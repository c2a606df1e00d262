// Shows … .

import type { Emulator } from "./emulator";

export function TrafficPanel(_: { emulator: Emulator; chosen: string }) {
  return (
    <section aria-labelledby="traffic-title">
      <h2 id="traffic-title">Traffic</h2>
    </section>
  );
}
