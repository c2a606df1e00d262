// Keeps what is on the panel for one model while other panels are looked at: what is filled in, calls, a conversation.

import type { ShownValue } from "./call_values";
import { Conversation } from "./conversation";
import { Listened } from "./listened";
import { ask } from "./source";
import { type Asking, saidBy, TryCall } from "./try_call";
import {
  anyProblem,
  type Draft,
  emptyDraft,
  type Field,
  isLeftOut,
  type Method,
  type Methods,
  sentFor,
} from "./try_methods";

export interface Place {
  // deployment USER/ID, nodepool USER/CLUSTER/NODEPOOL; empty for the way that the rules choose.
  deployment: string;
  nodepool: string;
  user: string;
  // Empty for the newest one.
  version: string;
}

export class TryDesk extends Listened {
  told: Methods | undefined;
  problem = "";
  method = "";
  isChat = false;
  place: Place = { deployment: "", nodepool: "", user: "", version: "" };
  readonly conversation = new Conversation(this);
  private readonly drafts = new Map<string, Draft>();
  private readonly calls = new Map<string, TryCall>();
  private readonly asked = new Set<string>();
  private readonly reading = new Set<string>();

  constructor(readonly model: string) {
    super();
  }

  async load(): Promise<void> {
    const { version } = this.place;
    try {
      const isFirst = this.told === undefined;
      const told = await ask<Methods>("methods", { model: this.model, version });
      if (version !== this.place.version) return; // another one was chosen meanwhile
      this.told = told;
      // Whoever comes to a model that talks wants to talk to it.
      if (isFirst && !this.method) this.isChat = this.told.chat !== "";
      this.problem = "";
    } catch (error) {
      this.problem = saidBy(error);
    }
    this.tell();
  }

  get chosen(): Method | undefined {
    const methods = this.told?.methods ?? [];
    return methods.find((each) => each.name === this.method) ?? methods[0];
  }

  choose(method: string): void {
    this.method = method;
    this.isChat = false;
    this.tellNow();
  }

  chat(isChat: boolean): void {
    this.isChat = isChat;
    this.tellNow();
  }

  go(place: Partial<Place>): void {
    this.place = { ...this.place, ...place };
    this.tellNow();
  }

  call(method: Method): TryCall | undefined {
    return this.calls.get(method.name);
  }

  isAsked(method: Method): boolean {
    return this.asked.has(method.name);
  }

  draft(method: Method, field: Field): Draft {
    const key = keyOf(method, field);
    const kept = this.drafts.get(key) ?? emptyDraft(field);
    this.drafts.set(key, kept);
    return kept;
  }

  write(method: Method, field: Field, draft: Draft): void {
    this.drafts.set(keyOf(method, field), draft);
    this.tellNow();
  }

  clear(method: Method): void {
    for (const field of method.arguments) this.drafts.delete(keyOf(method, field));
    this.asked.delete(method.name);
    this.calls.get(method.name)?.cancel();
    this.calls.delete(method.name);
    this.tellNow();
  }

  // Says in which arguments something is wrong.
  wrong(method: Method): string[] {
    return method.arguments.filter((each) => anyProblem(each, this.draft(method, each))).map((each) => each.name);
  }

  async send(method: Method): Promise<void> {
    this.asked.add(method.name);
    this.tellNow();
    // A large file takes a while to be read.
    if (this.wrong(method).length || this.reading.has(method.name)) return;
    this.reading.add(method.name);
    try {
      await this.sendAll(method);
    } finally {
      this.reading.delete(method.name);
    }
  }

  private async sendAll(method: Method): Promise<void> {
    const given: Record<string, unknown> = {};
    for (const field of method.arguments) {
      const draft = this.draft(method, field);
      if (!field.stream && !isLeftOut(field, draft)) given[field.name] = await sentFor(field, draft);
    }
    const call = this.begin(method.name, given);
    this.calls.set(method.name, call);
    call.subscribe(() => this.tellNow());
    this.tellNow();
    if (method.stream) await this.sendItem(method);
  }

  async sendItem(method: Method): Promise<void> {
    const field = method.arguments.find((each) => each.stream);
    if (!field) return;
    const draft = this.draft(method, field);
    if (anyProblem(field, draft)) return;
    await this.calls.get(method.name)?.feed(await sentFor(field, draft));
    this.write(method, field, emptyDraft(field));
  }

  begin(method: string, given: Record<string, unknown>, hear?: (values: ShownValue[]) => void): TryCall {
    const { deployment, nodepool, user, version } = this.place;
    const asking: Asking = { model: this.model, method, arguments: given };
    if (version) asking.version = version;
    if (deployment) asking.deployment = deployment;
    if (nodepool) asking.nodepool = nodepool;
    if (user.trim()) asking.user = user.trim();
    return new TryCall(asking, hear);
  }

  changed(): void {
    this.tellNow();
  }
}

// A method of another signature begins anew.
function keyOf(method: Method, field: Field): string {
  return `${method.name} ${JSON.stringify(field)}`;
}

const desks = new Map<string, TryDesk>();

export function deskOf(model: string): TryDesk {
  const kept = desks.get(model) ?? new TryDesk(model);
  desks.set(model, kept);
  return kept;
}
