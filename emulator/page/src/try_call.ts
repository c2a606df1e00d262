// Follows one call from the page: its answers as they come, and how it ended; sends further items of its stream.

import type { ShownValue } from "./call_values";
import { Listened } from "./listened";
import { act, follow } from "./source";

// Of what a call answers, the newest is kept.
const MOST_ANSWERS = 2000;
const MOST_CHARACTERS = 4 * 1024 * 1024;

// A browser has six connections to one address: events take one, and further items of streams need one.
const MOST_RUNNING = 3;
const TOO_MANY = `${MOST_RUNNING} calls of this page are running: let one end, or cancel one, and send again.`;

export interface Asking {
  model: string;
  version?: string;
  method: string;
  arguments: Record<string, unknown>;
  deployment?: string;
  nodepool?: string;
  user?: string;
}

export interface CallError {
  code: number;
  description: string;
  details: string;
  stack_trace: string;
}

interface Line {
  try?: string;
  request_id?: string;
  answer?: ShownValue[];
  done?: { answers: number };
  error?: CallError;
  milliseconds?: number;
}

const running = new Set<TryCall>();

export class TryCall extends Listened {
  readonly answers: ShownValue[][] = [];
  requestId = "";
  milliseconds = 0;
  firstAfter: number | undefined;
  count = 0;
  sent = 0;
  state: "running" | "done" | "failed" | "cancelled" = "running";
  error: CallError | undefined;
  // Why it was not sent at all, or broke off.
  problem = "";
  hasEnded = false;
  readonly began = performance.now();
  readonly over: Promise<void>;
  private readonly stop = new AbortController();
  private characters = 0;
  private opened: (id: string) => void = () => undefined;
  private readonly id: Promise<string> = new Promise((resolve) => {
    this.opened = resolve;
  });

  constructor(
    private readonly asking: Asking,
    private readonly hear: (values: ShownValue[]) => void = () => undefined,
  ) {
    super();
    this.over = this.run();
  }

  get isRunning(): boolean {
    return this.state === "running";
  }

  cancel(): void {
    if (!this.isRunning) return;
    this.state = "cancelled";
    this.milliseconds = performance.now() - this.began;
    this.stop.abort();
    this.opened("");
    this.tell();
  }

  async feed(value: unknown): Promise<void> {
    const id = await this.id;
    if (!id || !this.isRunning) return;
    await act("try-more", { try: id, value });
    this.sent += 1;
    this.tell();
  }

  async end(): Promise<void> {
    const id = await this.id;
    if (!id || !this.isRunning) return;
    this.hasEnded = true;
    this.tell();
    await act("try-more", { try: id, end: true });
  }

  private async run(): Promise<void> {
    if (running.size >= MOST_RUNNING) {
      this.fail(TOO_MANY);
      this.opened("");
      return;
    }
    running.add(this);
    try {
      for await (const line of follow<Line>("try", this.asking, this.stop.signal)) this.take(line);
      if (this.isRunning)
        this.fail("The emulator broke off the answer: it has stopped, or its log has the reason.");
    } catch (error) {
      if (this.isRunning) this.fail(saidBy(error));
    }
    running.delete(this);
    this.opened("");
  }

  private take(line: Line): void {
    if (!this.isRunning) return;
    this.requestId = line.request_id || this.requestId;
    this.milliseconds = line.milliseconds ?? this.milliseconds;
    if (line.try) this.opened(line.try);
    if (line.answer) this.keep(line.answer);
    if (line.done) this.state = "done";
    if (line.error) {
      this.state = "failed";
      this.error = line.error;
    }
    this.tell();
  }

  private keep(values: ShownValue[]): void {
    this.firstAfter ??= this.milliseconds;
    this.count += 1;
    this.answers.push(values);
    this.characters += charactersOf(values);
    while (this.answers.length > 1 && (this.answers.length > MOST_ANSWERS || this.characters > MOST_CHARACTERS)) {
      this.characters -= charactersOf(this.answers.shift() ?? []);
    }
    this.hear(values);
  }

  private fail(problem: string): void {
    this.state = "failed";
    this.problem = problem;
    this.milliseconds = performance.now() - this.began;
    this.tell();
  }
}

export function saidBy(error: unknown): string {
  if (error instanceof TypeError) return "The emulator does not answer: send it again when it is there.";
  return error instanceof Error && error.message ? error.message : "This browser was not let in any longer.";
}

function charactersOf(values: ShownValue[]): number {
  let characters = 0;
  for (const each of values) {
    characters += (each.text?.length ?? 0) + charactersOf(each.items ?? []) + charactersOf(each.fields ?? []);
  }
  return characters + 50;
}
