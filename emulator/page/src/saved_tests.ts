// Finds the tests of a saved run: by the request that they made, by the replica that answered them, by a filter.

import type { Saved, SavedTest } from "./saved_answers";

export type TestOutcome = SavedTest["outcome"];

// The worst first.
export const OUTCOMES: TestOutcome[] = ["failed", "error", "xpassed", "xfailed", "skipped", "passed"];

const BROKEN: TestOutcome[] = ["failed", "error"];

export class SavedTests {
  readonly all: SavedTest[];
  private readonly byRequest = new Map<string, SavedTest>();
  private readonly byReplica = new Map<string, SavedTest>();

  constructor(saved: Saved) {
    this.all = saved.tests ?? [];
    const byEvent = new Map<string, SavedTest>();
    for (const test of this.all) {
      for (const call of test.calls) this.byRequest.set(call.id, test);
      for (const log of test.logs) byEvent.set(log.replica, test);
      const state = test.state;
      const versions = [...(state?.shared ?? []), ...(state?.deployments ?? []).flatMap((each) => each.versions)];
      for (const replica of versions.flatMap((each) => each.replicas)) byEvent.set(replica.replica_id, test);
    }
    for (const [replica, test] of byEvent) this.byReplica.set(replica, test);
  }

  // The test that an address is about: the one it names, or that of the request or replica.
  at(panel: string, item: string): SavedTest | undefined {
    if (panel === "tests") return this.all.find((each) => each.id === item);
    if (panel === "replicas") return this.byReplica.get(item);
    return this.byRequest.get(item);
  }

  // Where nothing is named: the first that failed, else the first that used the emulator.
  get first(): SavedTest | undefined {
    const used = this.all.filter((each) => each.state);
    return used.find((each) => BROKEN.includes(each.outcome)) ?? used[0];
  }

  counts(): [TestOutcome, number][] {
    const counts = OUTCOMES.map((outcome): [TestOutcome, number] => [
      outcome,
      this.all.filter((each) => each.outcome === outcome).length,
    ]);
    return counts.filter(([, count]) => count > 0);
  }

  found(words: string, outcome: string): SavedTest[] {
    const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
    return this.all.filter((test) => {
      if (outcome && test.outcome !== outcome) return false;
      const text = textOf(test);
      return wanted.every((word) => text.includes(word));
    });
  }
}

const texts = new WeakMap<SavedTest, string>();

function textOf(test: SavedTest): string {
  let text = texts.get(test);
  if (text === undefined) {
    const calls = test.calls.flatMap((call) => [call.model, call.asked, ...call.answered, call.error]);
    text = [test.id, test.said, test.worker, ...test.findings, ...calls].join(" ").toLowerCase();
    texts.set(test, text);
  }
  return text;
}
