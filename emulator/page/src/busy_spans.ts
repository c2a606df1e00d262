// Keeps when a replica was at work, in a bounded number of spans: the longer ago, the coarser.

export interface BusySpan {
  begin: number;
  // Undefined while it still works.
  end: number | undefined;
}

const MOST_SPANS = 600;
// Shorter breaks are not seen in a bar.
const BREAK_SECONDS = 0.05;

export class BusySpans {
  readonly spans: BusySpan[] = [];
  works = 0;
  private readonly open = new Set<string>();

  begin(work: string, time: number): void {
    this.works += 1;
    this.open.add(work);
    const last = this.spans[this.spans.length - 1];
    if (last && (last.end === undefined || time - last.end < BREAK_SECONDS)) {
      last.end = undefined;
      return;
    }
    this.spans.push({ begin: time, end: undefined });
    if (this.spans.length > MOST_SPANS) this.coarsen();
  }

  end(work: string, time: number): void {
    if (!this.open.delete(work) || this.open.size) return;
    const last = this.spans[this.spans.length - 1];
    if (last) last.end = time;
  }

  // A replica that has ended works on nothing, whatever events were missed.
  stop(time: number): void {
    this.open.clear();
    const last = this.spans[this.spans.length - 1];
    if (last && last.end === undefined) last.end = time;
  }

  private coarsen(): void {
    const half = MOST_SPANS / 2;
    const merged: BusySpan[] = [];
    for (let index = 0; index < half; index += 2) {
      const [one, other] = [this.spans[index], this.spans[index + 1]];
      if (one && other) merged.push({ begin: one.begin, end: other.end });
    }
    this.spans.splice(0, half, ...merged);
  }
}

// Seconds of work between two times.
export function busySeconds(spans: BusySpan[], from: number, to: number): number {
  let seconds = 0;
  for (const { begin, end } of spans) seconds += Math.max(0, Math.min(end ?? to, to) - Math.max(begin, from));
  return seconds;
}
