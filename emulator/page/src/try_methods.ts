// Describes the methods of a model as the emulator tells them for a form, and what people have filled in of one.

export interface Field {
  name: string;
  type: string;
  label: string;
  required: boolean;
  stream: boolean;
  low: number | null;
  high: number | null;
  choices: string[];
  parts: Field[];
  description?: string;
  // Absent where there is none.
  default?: unknown;
}

export interface Method {
  name: string;
  kind: "unary" | "server_stream" | "stream";
  description: string;
  arguments: Field[];
  // The argument whose items come one by one; empty where there is none.
  stream: string;
  result: Field | null;
}

export interface Methods {
  model: string;
  version: string;
  // Ids, the newest first.
  versions: string[];
  methods: Method[];
  // The method of conversations; empty for a model that has none.
  chat: string;
}

// A field as it is filled in. `isTouched`: an argument with a default that nobody touched is left out of the call.
export interface Draft {
  text: string;
  isTouched: boolean;
  file?: File;
  url?: string;
  dtype?: string;
  parts?: Draft[];
}

export const MEDIA = ["image", "audio", "video"];
export const DTYPES = ["", "float32", "float64", "float16", "int64", "int32", "int16", "int8", "uint8"];
const MOST_OF_FILE = 96 * 1024 * 1024;
const AS_JSON = ["json_data", "concept", "region", "ndarray"];

export function isJson(field: Field): boolean {
  return AS_JSON.includes(field.type);
}

export function emptyDraft(field: Field): Draft {
  const draft: Draft = { text: textOf(field), isTouched: false };
  if (field.type === "list") draft.parts = itemsOf(field);
  if (field.type === "tuple" || field.type === "named_fields") draft.parts = field.parts.map(emptyDraft);
  return draft;
}

function textOf(field: Field): string {
  const given = field.default;
  if (given === undefined || given === null) {
    if (field.type === "bool") return "false";
    return field.required && field.choices[0] !== undefined ? field.choices[0] : "";
  }
  if (isJson(field)) return JSON.stringify(given, null, 2);
  return typeof given === "string" ? given : JSON.stringify(given);
}

function itemsOf(field: Field): Draft[] {
  const inner = field.parts[0];
  const items = field.default;
  if (!inner || !Array.isArray(items)) return [];
  return items.map((each) => emptyDraft({ ...inner, default: each }));
}

// Says what is wrong with what is filled in; empty where nothing is.
export function problemOf(field: Field, draft: Draft): string {
  if (isLeftOut(field, draft)) return "";
  if (field.type === "int") return wholeProblem(draft.text);
  if (field.type === "float") return numberProblem(draft.text);
  if (isJson(field)) return jsonProblem(field, draft.text);
  if (draft.file && draft.file.size > MOST_OF_FILE)
    return "This file is larger than 96 MiB: give its address instead.";
  if (MEDIA.includes(field.type) && !draft.file && !draft.url?.trim()) return "Choose a file, or give an address.";
  if (field.type === "frame" && !draft.file && !draft.url?.trim()) return "Choose the image of the frame.";
  return "";
}

// Says what is wrong with a field or with anything in it.
export function anyProblem(field: Field, draft: Draft): string {
  if (isLeftOut(field, draft)) return "";
  const inner = (draft.parts ?? []).map((each, index) => {
    const part = partOf(field, index);
    return part ? anyProblem(part, each) : "";
  });
  return problemOf(field, draft) || inner.find(Boolean) || "";
}

// Says that a number is sent although the model did not declare it.
export function warningOf(field: Field, draft: Draft): string {
  if (field.low === null || draft.text.trim() === "" || problemOf(field, draft)) return "";
  const number = Number(draft.text);
  const isWithin = number >= field.low && (field.high === null || number <= field.high);
  return isWithin ? "" : `Outside of what the model declares, ${rangeOf(field)}. It is sent all the same.`;
}

export function rangeOf(field: Field): string {
  if (field.low === null) return "";
  const low = plain(field.low);
  return field.high === null ? `${low} or more` : `${low} to ${plain(field.high)}`;
}

// Bounds travel as 32-bit numbers: 0.1 comes as 0.10000000149011612.
export function plain(number: number): string {
  return String(Number(number.toPrecision(7)));
}

export function partOf(field: Field, index: number): Field | undefined {
  const part = field.type === "list" ? field.parts[0] : field.parts[index];
  return part && { ...part, required: true };
}

export function isLeftOut(field: Field, draft: Draft): boolean {
  return !field.required && !field.stream && !draft.isTouched;
}

function wholeProblem(text: string): string {
  if (/^\s*[+-]?\d+\s*$/.test(text)) return "";
  return text.trim() ? `A whole number is needed, not ‘${text.slice(0, 40)}’.` : "A whole number is needed.";
}

function numberProblem(text: string): string {
  if (text.trim() && (!Number.isNaN(Number(text)) || /^\s*[+-]?(nan|inf)\s*$/i.test(text))) return "";
  return text.trim() ? `A number is needed, not ‘${text.slice(0, 40)}’.` : "A number is needed.";
}

function jsonProblem(field: Field, text: string): string {
  if (!text.trim()) return `${EXPECTED[field.type] ?? "JSON is needed."}`;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return `This is no JSON yet: ${error instanceof Error ? error.message : String(error)}`;
  }
  const isObject = typeof value === "object" && value !== null;
  return field.type === "json_data" && !isObject ? (EXPECTED.json_data ?? "") : "";
}

const EXPECTED: Record<string, string> = {
  json_data: "JSON is needed: an object {…} or a list […].",
  concept: 'The name of a concept is needed, as {"name": "cat", "value": 0.5}.',
  region: 'A region is needed, as {"box": [left, top, right, bottom], "concepts": ["cat"]}.',
  ndarray: "Numbers in lists are needed, as [[1, 2], [3, 4]].",
};

export const PLACEHOLDERS: Record<string, string> = {
  json_data: '{"key": "value"}',
  concept: '{"name": "cat", "value": 0.5}',
  region: '{"box": [0.1, 0.1, 0.9, 0.9], "concepts": ["cat"]}',
  ndarray: "[[1, 2], [3, 4]]",
};

// Gives what is sent for a field in which nothing is wrong.
export async function sentFor(field: Field, draft: Draft): Promise<unknown> {
  switch (field.type) {
    case "bool":
      return draft.text === "true";
    case "int":
    case "float":
      return draft.text.trim(); // as text, which keeps all digits
    case "json_data":
    case "concept":
    case "region":
      return JSON.parse(draft.text);
    case "ndarray":
      return { values: JSON.parse(draft.text), ...(draft.dtype && { dtype: draft.dtype }) };
    case "bytes":
      return draft.file ? { base64: await base64Of(draft.file) } : { text: draft.text };
    case "image":
    case "audio":
    case "video":
      return mediaOf(draft);
    case "frame":
      return { image: await mediaOf(draft) };
    case "list":
    case "tuple":
      return Promise.all(partsOf(field, draft));
    case "named_fields": {
      const values = await Promise.all(partsOf(field, draft));
      return Object.fromEntries(field.parts.map((each, index) => [each.name, values[index]]));
    }
    default:
      return draft.text;
  }
}

function partsOf(field: Field, draft: Draft): Promise<unknown>[] {
  return (draft.parts ?? []).map((each, index) => sentFor(partOf(field, index) ?? field, each));
}

async function mediaOf(draft: Draft): Promise<unknown> {
  return draft.file ? { base64: await base64Of(draft.file) } : { url: (draft.url ?? "").trim() };
}

function base64Of(file: File): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result).replace(/^[^,]*,/, ""));
    reader.onerror = () => reject(new Error(`The file ${file.name} cannot be read any longer: choose it again.`));
    reader.readAsDataURL(file);
  });
}
