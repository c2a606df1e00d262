// Follows the emulator: its events as they come, and its state after something has changed.
//
// A page that nobody looks at follows nothing: browsers have few connections to one address, and other tabs need them.

import { ReplicaLives } from "./lives";
import { ReplicaSpans } from "./replica_spans";
import { Requests } from "./requests";
import { ask, Locked, saved } from "./source";
import type { EmulatorEvent, EmulatorState } from "./told";
import { Traffic } from "./traffic";

const RETRY_MILLISECONDS = 1000;
const STATE_MILLISECONDS = 1000;
// A machine that is busy takes long for a small state, too.
const MOST_STATE_MILLISECONDS = 5000;
// What comes is shown at once; when it comes faster than anybody reads, three times a second.
const TELL_MILLISECONDS = 100;
const TELL_SELDOM_MILLISECONDS = 333;
const MANY_EVENTS = 50;

export type Link = "connecting" | "live" | "gone" | "locked" | "saved";

export class Emulator {
  readonly requests = new Requests(saved !== undefined);
  readonly lives = new ReplicaLives();
  readonly spans = new ReplicaSpans();
  readonly traffic = new Traffic();
  state: EmulatorState | undefined;
  version = "";
  link: Link = "connecting";
  missed = 0;
  restarts = 0;
  private run = "";
  private lastId = "";
  private source: EventSource | undefined;
  private readonly listeners = new Set<() => void>();
  private isTelling = false;
  private untold = 0;
  private stateTimer: number | undefined;
  private retryTimer: number | undefined;
  private stateCost = 0;
  // How often the state was asked for, and which of these the one is that is shown.
  private asked = 0;
  private answered = 0;

  start(): void {
    if (saved) {
      this.link = "saved";
      this.take(saved.events);
      if (!saved.tests) void this.refresh();
      return;
    }
    document.addEventListener("visibilitychange", () => (document.hidden ? this.pause() : void this.lookAgain()));
    this.open();
  }

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  // In the file of a test run: the state at the end of a test.
  show(state: EmulatorState | undefined): void {
    this.state = state;
  }

  private open(): void {
    if (this.source || this.link === "locked") return;
    const source = new EventSource(`/_page/events?since=${encodeURIComponent(this.lastId)}`);
    this.source = source;
    source.addEventListener("hello", (message) => this.greet(JSON.parse(message.data)));
    source.addEventListener("missed", (message) => {
      this.missed += Number(message.data);
      this.traffic.forgetUnfinished();
      this.tell();
    });
    source.addEventListener("message", (message) => {
      this.lastId = message.lastEventId;
      this.take(JSON.parse(message.data));
    });
    source.addEventListener("error", () => this.lose());
  }

  private pause(): void {
    this.source?.close();
    this.source = undefined;
    window.clearTimeout(this.retryTimer);
  }

  private lose(): void {
    this.pause();
    if (this.link !== "locked") this.link = "gone";
    this.tell();
    this.retryTimer = window.setTimeout(() => void this.lookAgain(), RETRY_MILLISECONDS);
  }

  // A stream does not say why it was refused; the state does.
  private async lookAgain(): Promise<void> {
    await this.refresh();
    if (this.link === "locked" || document.hidden) return;
    this.open();
  }

  private greet(hello: { run: string; missed: number }): void {
    if (this.run && this.run !== hello.run) {
      this.requests.clear();
      this.lives.clear();
      this.spans.clear();
      this.traffic.clear();
      this.missed = 0;
      this.restarts += 1;
      this.lastId = "";
    }
    this.run = hello.run;
    this.missed += hello.missed;
    if (hello.missed) this.traffic.forgetUnfinished();
    this.link = "live";
    this.tell();
    this.refreshSoon();
  }

  private take(events: EmulatorEvent[]): void {
    for (const event of events) {
      this.requests.take(event);
      this.lives.take(event);
      this.spans.take(event);
      this.traffic.take(event);
    }
    this.untold += events.length;
    this.tell();
    this.refreshSoon();
  }

  // A large state is asked for less often, so that looking at it stays a small part of what the emulator does.
  refreshSoon(): void {
    if (this.link === "saved" || this.stateTimer !== undefined) return;
    const rest = Math.min(10 * this.stateCost, MOST_STATE_MILLISECONDS);
    const wait = this.state ? Math.max(STATE_MILLISECONDS, rest) : 0;
    this.stateTimer = window.setTimeout(async () => {
      this.stateTimer = undefined;
      await this.refresh();
    }, wait);
  }

  private async refresh(): Promise<void> {
    const began = performance.now();
    this.asked += 1;
    const number = this.asked;
    try {
      const told = await ask<{ version: string; state: EmulatorState }>("state");
      if (number < this.answered) return; // one that was asked for later has come already
      this.answered = number;
      this.state = told.state;
      this.version = told.version;
      this.spans.agree(told.state, this.traffic.last);
      if (this.link === "locked") this.link = "connecting";
    } catch (error) {
      if (error instanceof Locked) {
        this.link = "locked";
        this.pause();
      }
    }
    this.stateCost = performance.now() - began;
    this.tell();
  }

  private tell(): void {
    if (this.isTelling) return;
    this.isTelling = true;
    const wait = this.untold < MANY_EVENTS ? TELL_MILLISECONDS : TELL_SELDOM_MILLISECONDS;
    this.untold = 0;
    window.setTimeout(() => {
      this.isTelling = false;
      for (const listener of this.listeners) listener();
    }, wait);
  }
}
