// Looks for the words of the filter in what requests were asked and answered.

import { useEffect, useState } from "preact/hooks";
import { anywhereIn, type Said } from "./requests";
import { ask, saved } from "./source";

const AFTER_TYPING = 200;
const AGAIN = 1000;

// `calls` counts the requests: when more have come, what they say is looked for, too.
export function useSaid(filter: string, calls: number): Said {
  const [said, setSaid] = useState<Said>({});
  const words = anywhereIn(filter).join(" ");
  const round = useRounds(words !== "", calls);
  useEffect(() => {
    if (!words) return setSaid({});
    let isWanted = true;
    const timer = setTimeout(() => {
      sayersOf(words).then(
        (found) => isWanted && setSaid(found),
        () => undefined, // the columns are looked into all the same
      );
    }, AFTER_TYPING);
    return () => {
      isWanted = false;
      clearTimeout(timer);
    };
  }, [words, round]);
  return said;
}

// A number that grows at most once a second while `calls` does.
function useRounds(isOn: boolean, calls: number): number {
  const [round, setRound] = useState(0);
  useEffect(() => {
    if (!isOn || calls === round) return;
    const timer = setTimeout(() => setRound(calls), AGAIN);
    return () => clearTimeout(timer);
  }, [isOn, calls === round, round]);
  return round;
}

async function sayersOf(words: string): Promise<Said> {
  const found = saved ? foundIn(saved.answers, words.split(" ")) : (await ask<Found>("find", { words })).found;
  return Object.fromEntries(Object.entries(found).map(([word, ids]) => [word, new Set(ids)]));
}

interface Found {
  found: Record<string, string[]>;
}

// In a page that was saved, the calls are there as they would be shown.
function foundIn(answers: Record<string, unknown>, words: string[]): Found["found"] {
  const calls = Object.entries(answers)
    .filter(([asked]) => asked.startsWith("call?"))
    .map(([asked, told]) => ({
      id: new URLSearchParams(asked.slice("call?".length)).get("id") ?? "",
      text: JSON.stringify(told).toLowerCase(),
    }));
  return Object.fromEntries(
    words.map((word) => {
      const quoted = JSON.stringify(word).slice(1, -1);
      return [word, calls.filter((call) => call.text.includes(quoted)).map((call) => call.id)];
    }),
  );
}
