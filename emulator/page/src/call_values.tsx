// Shows values of calls, as `page_values.py` gives them: text, numbers, JSON, images, sound, films, arrays, bytes.

import { useState } from "preact/hooks";
import { JsonText } from "./json_text";
import { count, size } from "./sizes";
import { fileAddress } from "./source";
import { Copy } from "./words";
import "./call_values.css";

export interface ShownValue {
  kind:
    | "text"
    | "number"
    | "bool"
    | "json"
    | "media"
    | "bytes"
    | "array"
    | "list"
    | "fields"
    | "none"
    | "hidden"
    | "too_deep"
    | "left_out";
  name?: string;
  type?: string;
  text?: string;
  characters?: number;
  // In bytes.
  size?: number;
  is_cut?: boolean;
  // Where all of the value is; where it was given by its URL instead.
  whole?: string;
  elsewhere?: string;
  media?: "image" | "audio" | "video";
  file_type?: string;
  hex?: string;
  dtype?: string;
  shape?: number[];
  first?: string[] | null;
  items?: ShownValue[];
  fields?: ShownValue[];
  // Of what a list holds, or of what is left out.
  count?: number;
  left_out?: number;
}

// Longer ones have lines of their own.
const SHORT = 80;

export function Values({ values, nothing }: { values: ShownValue[]; nothing: string }) {
  if (!values.length) return <p class="quiet">{nothing}</p>;
  return (
    <dl class="values">
      {values.map((each, index) => (
        <Named key={index} value={each} />
      ))}
    </dl>
  );
}

function Named({ value }: { value: ShownValue }) {
  if (value.kind === "left_out") {
    return <dd class="quiet">{count(value.count ?? 0)} more are not shown here.</dd>;
  }
  const isResult = !value.name || value.name === "return";
  return (
    <>
      <dt>
        {isResult ? "" : value.name} {value.type && <span class="quiet">{value.type}</span>}
      </dt>
      <dd>
        <Value value={value} name={isResult ? "the result" : (value.name ?? "")} />
      </dd>
    </>
  );
}

export function Value({ value, name }: { value: ShownValue; name: string }) {
  switch (value.kind) {
    case "text":
      return <TextValue value={value} name={name} />;
    case "number":
    case "bool":
      return <code>{value.text}</code>;
    case "json":
      return <JsonValue value={value} name={name} />;
    case "media":
      return <Media value={value} name={name} />;
    case "bytes":
      return <Bytes value={value} name={name} />;
    case "array":
      return <Numbers value={value} name={name} />;
    case "list":
      return <Items value={value} name={name} />;
    case "fields":
      return <Values values={value.fields ?? []} nothing="Nothing is in it." />;
    case "hidden":
      return <span class="quiet">hidden: its name says that it is a secret</span>;
    case "too_deep":
      return <span class="quiet">nested too deep to be shown here</span>;
    default:
      return <span class="quiet">nothing (None)</span>;
  }
}

function TextValue({ value, name }: { value: ShownValue; name: string }) {
  const [whole, setWhole] = useState<string | undefined>(undefined);
  const text = whole ?? value.text ?? "";
  const isCut = value.whole !== undefined && whole === undefined;
  if (!text && value.elsewhere) return <Elsewhere url={value.elsewhere} />;
  if (!text) return <span class="quiet">an empty text</span>;
  if (!text.trim()) {
    return (
      <span class="quiet">
        white space only: <code>{JSON.stringify(text)}</code>
      </span>
    );
  }
  const isShort = text.length <= SHORT && !text.includes("\n");
  return (
    <>
      {isShort ? <span class="short">{text}</span> : <pre>{text}</pre>} <Copy text={text} what={name} />
      {isCut && (
        <Cut
          said={`The first ${count(text.length)} of ${count(value.characters ?? 0)} characters.`}
          value={value}
          name={name}
          show={setWhole}
        />
      )}
    </>
  );
}

function JsonValue({ value, name }: { value: ShownValue; name: string }) {
  const [whole, setWhole] = useState<string | undefined>(undefined);
  const text = whole ?? value.text ?? "";
  return (
    <>
      <JsonText text={text} isWhole={whole !== undefined || !value.is_cut} /> <Copy text={text} what={name} />
      {value.left_out !== undefined && <p class="quiet">{count(value.left_out)} more are not shown here.</p>}
      {value.is_cut && whole === undefined && (
        <Cut said={`The beginning of ${size(value.size ?? 0)}.`} value={value} name={name} show={setWhole} />
      )}
    </>
  );
}

interface CutProps {
  said: string;
  value: ShownValue;
  name: string;
  show: (text: string) => void;
}

// Says that a value is cut, and gives the whole where that is kept.
function Cut({ said, value, name, show }: CutProps) {
  const [failure, setFailure] = useState("");
  const address = fileAt(value.whole);
  const load = async () => {
    try {
      const answer = await fetch(address, { credentials: "same-origin" });
      if (!answer.ok) throw new Error("The emulator no longer keeps all of it.");
      show(await answer.text());
    } catch (error) {
      setFailure(error instanceof TypeError ? "The emulator does not answer." : String((error as Error).message));
    }
  };
  return (
    <p class="quiet">
      {said}{" "}
      {address ? (
        <>
          <button type="button" class="small" onClick={load} aria-label={`Show all of ${name}`}>
            show all
          </button>{" "}
          <Save value={value} name={name} ending="txt" />
        </>
      ) : (
        "The rest was not kept."
      )}
      {failure && (
        <span role="alert" class="failed">
          {" "}
          {failure}
        </span>
      )}
    </p>
  );
}

function Media({ value, name }: { value: ShownValue; name: string }) {
  if (value.elsewhere !== undefined) {
    return value.elsewhere ? (
      <Elsewhere url={value.elsewhere} />
    ) : (
      <span class="quiet">an empty {value.media}</span>
    );
  }
  const address = fileAt(value.whole);
  return (
    <>
      {address && value.file_type && <Preview kind={value.file_type} address={address} name={name} />}
      <p class="quiet">
        {value.file_type || `${value.media} in a form that browsers do not show`}, {size(value.size ?? 0)}
        {address ? " · " : ". It was not kept."}
        <Save value={value} name={name} ending={endingOf(value.file_type)} />
      </p>
    </>
  );
}

function Preview({ kind, address, name }: { kind: string; address: string; name: string }) {
  if (kind.startsWith("image/")) return <img class="preview" src={address} alt={name} loading="lazy" />;
  if (kind.startsWith("audio/")) {
    return (
      <audio controls preload="metadata" src={address} aria-label={name}>
        <track kind="captions" />
      </audio>
    );
  }
  return (
    <video class="preview" controls preload="metadata" src={address} aria-label={name}>
      <track kind="captions" />
    </video>
  );
}

function Bytes({ value, name }: { value: ShownValue; name: string }) {
  if (!value.size) return <span class="quiet">no bytes</span>;
  const address = fileAt(value.whole);
  const shown = value.text ?? value.hex ?? "";
  const isAll = value.text !== undefined ? value.size <= shown.length : value.size * 3 - 1 <= shown.length;
  return (
    <>
      {address && value.file_type && <Preview kind={value.file_type} address={address} name={name} />}
      <pre>
        {shown}
        {isAll ? "" : " …"}
      </pre>
      <p class="quiet">
        {size(value.size)}
        {value.text === undefined && !isAll && ", of which the first are shown"}
        {address && " · "}
        <Save value={value} name={name} ending={endingOf(value.file_type)} />
      </p>
    </>
  );
}

function Numbers({ value, name }: { value: ShownValue; name: string }) {
  const first = value.first ?? [];
  const shape = (value.shape ?? []).join(" × ") || "a single number";
  const all = (value.shape ?? []).reduce((product, each) => product * each, 1);
  return (
    <>
      <code class="break">
        {first.join("  ")}
        {first.length < all ? " …" : ""}
      </code>
      <p class="quiet">
        array of {value.dtype || "an unknown type"}, {shape}, {size(value.size ?? 0)}
        {fileAt(value.whole) && " · "}
        <Save value={value} name={name} ending="npy" />
      </p>
    </>
  );
}

function Items({ value, name }: { value: ShownValue; name: string }) {
  const items = value.items ?? [];
  const more = (value.count ?? 0) - items.length;
  if (!items.length) return <span class="quiet">an empty list</span>;
  return (
    <>
      <ol class="items" start={0}>
        {items.map((each, index) => (
          <li key={index}>
            <Value value={each} name={`${name}, item ${index}`} />
          </li>
        ))}
      </ol>
      {more > 0 && <p class="quiet">{count(more)} more are not shown here.</p>}
    </>
  );
}

function Elsewhere({ url }: { url: string }) {
  return (
    <>
      <code class="break">{url}</code> <Copy text={url} what="the address" />
      <p class="quiet">Only its address was sent; this page loads nothing from elsewhere.</p>
    </>
  );
}

function Save({ value, name, ending }: { value: ShownValue; name: string; ending: string }) {
  const address = fileAt(value.whole);
  if (!address) return null;
  return (
    <a href={address} download={`${plain(name)}.${ending}`} aria-label={`Save ${name}`}>
      save
    </a>
  );
}

function plain(name: string): string {
  return (
    name
      .replace(/^the /, "")
      .replace(/[^\p{L}\p{N}_-]+/gu, "_")
      .slice(0, 60) || "value"
  );
}

// In a page that was saved, a value is in the page itself, if it was saved with it.
function fileAt(whole: string | undefined): string {
  const [path, words] = (whole ?? "").split("?");
  return (path && fileAddress(path, Object.fromEntries(new URLSearchParams(words)))) || "";
}

const ENDINGS: Record<string, string> = {
  "image/jpeg": "jpg",
  "audio/mpeg": "mp3",
  "audio/mp4": "m4a",
};

function endingOf(kind: string | undefined): string {
  return kind ? (ENDINGS[kind] ?? kind.slice(kind.indexOf("/") + 1)) : "bin";
}
