// Counts how long requests took, in buckets that each end 6 % later: a percentile is wrong by 3 % at most.

const LEAST_MILLISECONDS = 0.01;
const GROWTH = Math.log(1.06);
const BUCKETS = 360; // the last ends after three and a half hours
const COUNT_BITS = 23;

// Buckets that something is in, and how many, in one number each.
export type PackedLatencies = Uint32Array;

export class Latencies {
  count = 0;
  private readonly counts = new Uint32Array(BUCKETS);

  note(milliseconds: number): void {
    const bucket = Math.floor(Math.log(milliseconds / LEAST_MILLISECONDS) / GROWTH);
    this.put(Math.min(Math.max(bucket, 0) || 0, BUCKETS - 1), 1);
  }

  add(packed: PackedLatencies): void {
    for (const each of packed) this.put(each >>> COUNT_BITS, each & (2 ** COUNT_BITS - 1));
  }

  packed(): PackedLatencies {
    const found: number[] = [];
    this.counts.forEach((count, bucket) => {
      if (count) found.push(((bucket << COUNT_BITS) | Math.min(count, 2 ** COUNT_BITS - 1)) >>> 0);
    });
    return Uint32Array.from(found);
  }

  // The milliseconds that this share of the requests did not exceed.
  percentile(share: number): number | undefined {
    let left = Math.ceil(this.count * share);
    for (let bucket = 0; bucket < BUCKETS && this.count; bucket++) {
      left -= this.counts[bucket] ?? 0;
      if (left <= 0) return LEAST_MILLISECONDS * Math.exp(GROWTH * (bucket + 0.5));
    }
    return undefined;
  }

  clear(): void {
    this.counts.fill(0);
    this.count = 0;
  }

  private put(bucket: number, count: number): void {
    this.counts[bucket] = (this.counts[bucket] ?? 0) + count;
    this.count += count;
  }
}
