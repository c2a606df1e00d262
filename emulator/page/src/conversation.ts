// Holds a conversation with a model that speaks OpenAI's API: each answer as it comes, with what was said before.

import type { ShownValue } from "./call_values";
import type { TryCall } from "./try_call";

export interface Said {
  role: "user" | "assistant";
  text: string;
  // Of an answer: the call that it comes by, and what else the model wants, as JSON.
  call?: TryCall;
  tools?: string;
  problem?: string;
}

export interface ChatSettings {
  system: string;
  temperature: string;
  maxTokens: string;
}

interface Caller {
  readonly model: string;
  readonly told: { chat: string } | undefined;
  begin(method: string, given: Record<string, unknown>, hear: (values: ShownValue[]) => void): TryCall;
  changed(): void;
}

interface Delta {
  content?: string | { text?: string }[] | null;
  tool_calls?: unknown[];
}

interface Chunk {
  choices?: { delta?: Delta; message?: Delta }[];
  code?: number;
  description?: string;
  details?: string;
  object?: string;
}

const CHAT = "/chat/completions";
const STREAM = "openai_stream_transport";
const TOO_LONG = "A part of the answer is too long to be shown here: its request has all of it.";

export class Conversation {
  said: Said[] = [];
  settings: ChatSettings = { system: "", temperature: "", maxTokens: "" };
  draft = "";

  constructor(private readonly caller: Caller) {}

  get running(): TryCall | undefined {
    const call = this.said[this.said.length - 1]?.call;
    return call?.isRunning ? call : undefined;
  }

  // Says what is wrong with the temperature, and with max_tokens.
  get wrongSettings(): [string, string] {
    const { temperature, maxTokens } = this.settings;
    const isNumber = !temperature.trim() || Number.isFinite(Number(temperature));
    const isCount = !maxTokens.trim() || /^\s*[1-9]\d*\s*$/.test(maxTokens);
    return [
      isNumber ? "" : "temperature is a number, as 0.7.",
      isCount ? "" : "max_tokens is a whole number from 1 on.",
    ];
  }

  write(draft: string): void {
    this.draft = draft;
    this.caller.changed();
  }

  set(settings: Partial<ChatSettings>): void {
    this.settings = { ...this.settings, ...settings };
    this.caller.changed();
  }

  clear(): void {
    this.running?.cancel();
    this.said = [];
    this.caller.changed();
  }

  stop(): void {
    this.running?.cancel();
  }

  say(): void {
    const text = this.draft.trim();
    const method = this.caller.told?.chat;
    if (!text || !method || this.running || this.wrongSettings.some(Boolean)) return;
    this.draft = "";
    this.said = [...this.said, { role: "user", text }];
    const answer: Said = { role: "assistant", text: "" };
    const msg = JSON.stringify(this.request(method === STREAM));
    const call = this.caller.begin(method, { msg }, (values) => hear(answer, values));
    answer.call = call;
    call.subscribe(() => this.caller.changed());
    this.said = [...this.said, answer];
    this.caller.changed();
  }

  private request(streams: boolean): Record<string, unknown> {
    const { system, temperature, maxTokens } = this.settings;
    const [user, app, id] = this.caller.model.split("/");
    const before = this.said.filter((each) => each.role === "user" || each.text);
    const messages = before.map(({ role, text }) => ({ role, content: text }));
    const content: Record<string, unknown> = {
      model: `${user}/${app}/models/${id}`,
      messages: system.trim() ? [{ role: "system", content: system }, ...messages] : messages,
      openai_endpoint: CHAT,
    };
    if (streams) content.stream = true;
    if (temperature.trim()) content.temperature = Number(temperature);
    if (maxTokens.trim()) content.max_tokens = Number(maxTokens);
    return content;
  }
}

// Puts a chunk of a stream, or a whole answer, to what was answered before.
function hear(answer: Said, values: ShownValue[]): void {
  const text = values[0]?.text ?? "";
  let chunk: Chunk;
  try {
    chunk = JSON.parse(text) as Chunk;
  } catch {
    answer.problem =
      values[0]?.whole !== undefined ? TOO_LONG : `This is no answer of OpenAI's API: ${text.slice(0, 500)}`;
    return;
  }
  if (typeof chunk !== "object" || chunk === null) return;
  if (typeof chunk.code === "number" && chunk.description !== undefined && chunk.object === undefined) {
    answer.problem = `${chunk.code}: ${chunk.details || chunk.description}`;
    return;
  }
  const part = chunk.choices?.[0]?.delta ?? chunk.choices?.[0]?.message;
  answer.text += contentOf(part?.content);
  if (part?.tool_calls?.length) answer.tools = `${answer.tools ?? ""}${JSON.stringify(part.tool_calls, null, 2)}\n`;
}

function contentOf(content: Delta["content"]): string {
  if (typeof content === "string") return content;
  return Array.isArray(content) ? content.map((each) => each?.text ?? "").join("") : "";
}
