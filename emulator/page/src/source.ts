// Asks the emulator, and tells it to do things; in a page that was saved to a file, reads what was saved with it.

import { answerIn, fileIn, type Saved } from "./saved_answers";

export class Locked extends Error {
  constructor() {
    super(
      "The emulator does not let this browser in any longer. Open the address that `clarifai-emulator page` prints.",
    );
  }
}

export const saved: Saved | undefined = readSaved();

function readSaved(): Saved | undefined {
  const text = document.getElementById("saved")?.textContent;
  return text ? (JSON.parse(text) as Saved) : undefined;
}

export function addressOf(path: string, query: Record<string, string> = {}): string {
  const words = new URLSearchParams(query).toString();
  return words ? `${path}?${words}` : path;
}

export async function ask<T>(path: string, query: Record<string, string> = {}): Promise<T> {
  if (saved) return answerIn(saved, path, query) as T;
  return told<T>(await fetched(`/_page/${addressOf(path, query)}`, { credentials: "same-origin" }));
}

// The address of one of the emulator's files, for `src` and `href`; undefined where it was not saved with the page.
export function fileAddress(path: string, query: Record<string, string> = {}): string | undefined {
  return saved ? fileIn(saved, path, query) : `/_page/${addressOf(path, query)}`;
}

export async function act<T>(path: string, given: object): Promise<T> {
  return told<T>(await sent(path, given));
}

// Gives what comes, a line each, until it ends or `signal` ends it.
export async function* follow<T>(path: string, given: object, signal: AbortSignal): AsyncGenerator<T> {
  const answer = await sent(path, given, signal);
  if (!answer.ok || !answer.body) {
    await told(answer);
    return;
  }
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    const parts = (rest + (value ?? "")).split("\n");
    rest = parts.pop() ?? "";
    for (const line of parts) if (line) yield JSON.parse(line) as T;
    if (done) return;
  }
}

function sent(path: string, given: object, signal?: AbortSignal): Promise<Response> {
  return fetched(`/_page/${path}`, {
    method: "POST",
    credentials: "same-origin",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(given),
    ...(signal && { signal }),
  });
}

async function fetched(address: string, options: RequestInit): Promise<Response> {
  try {
    return await fetch(address, options);
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Error("The emulator does not answer: it has stopped, or is starting. Try again when it is there.");
  }
}

async function told<T>(answer: Response): Promise<T> {
  const given = await answer.json();
  if (answer.status === 401) throw new Locked();
  if (!answer.ok) throw new Error(given?.status?.details ?? `The emulator answered ${answer.status}.`);
  return given as T;
}
