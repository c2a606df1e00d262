// Takes a file for an argument, chosen or dropped, and shows what it is; or an address instead.

import { useEffect, useId, useRef, useState } from "preact/hooks";
import { size } from "./sizes";
import type { Draft } from "./try_methods";

interface FileProps {
  name: string;
  // image, audio or video; empty for any file.
  kind: string;
  draft: Draft;
  onChange: (draft: Draft) => void;
  describedBy: string;
}

export function FileField({ name, kind, draft, onChange, describedBy }: FileProps) {
  const place = useRef<HTMLDivElement>(null);
  const input = useRef<HTMLInputElement>(null);
  const id = useId();
  const take = (file: File | undefined) => file && onChange({ text: "", isTouched: true, file });
  useDrop(place, take);
  const clear = () => {
    if (input.current) input.current.value = "";
    onChange({ text: "", isTouched: true });
    input.current?.focus();
  };
  return (
    <div class="drop" ref={place}>
      <label>
        <span class="hidden">{name}, file</span>
        <input
          ref={input}
          type="file"
          {...(kind && { accept: `${kind}/*` })}
          aria-describedby={describedBy}
          onChange={(event) => take(event.currentTarget.files?.[0])}
        />
      </label>
      <span class="quiet beside">or drop one here</span>
      {draft.file ? (
        <Chosen file={draft.file} name={name} onClear={clear} />
      ) : (
        kind && (
          <label class="address" for={id}>
            or its address{" "}
            <input
              id={id}
              type="url"
              aria-label={`${name}, address`}
              placeholder="https://…"
              value={draft.url ?? ""}
              onInput={(event) => onChange({ text: "", isTouched: true, url: event.currentTarget.value })}
            />
          </label>
        )
      )}
    </div>
  );
}

function useDrop(place: { current: HTMLDivElement | null }, take: (file: File | undefined) => void): void {
  const taking = useRef(take);
  taking.current = take;
  useEffect(() => {
    const element = place.current;
    const over = (event: DragEvent) => {
      event.preventDefault();
      element?.classList.add("is-over");
    };
    const leave = () => element?.classList.remove("is-over");
    const drop = (event: DragEvent) => {
      event.preventDefault();
      leave();
      taking.current(event.dataTransfer?.files[0]);
    };
    element?.addEventListener("dragover", over);
    element?.addEventListener("dragleave", leave);
    element?.addEventListener("drop", drop);
    return () => {
      element?.removeEventListener("dragover", over);
      element?.removeEventListener("dragleave", leave);
      element?.removeEventListener("drop", drop);
    };
  }, [place]);
}

function Chosen({ file, name, onClear }: { file: File; name: string; onClear: () => void }) {
  return (
    <div class="chosen-file">
      <FilePreview file={file} name={name} />
      <p class="quiet">
        {file.name}, {size(file.size)}
        {file.type && `, ${file.type}`}{" "}
        <button type="button" class="small" onClick={onClear} aria-label={`Remove the file of ${name}`}>
          remove
        </button>
      </p>
    </div>
  );
}

function FilePreview({ file, name }: { file: File; name: string }) {
  const [address, setAddress] = useState("");
  const [isBroken, setBroken] = useState(false);
  useEffect(() => {
    const made = URL.createObjectURL(file);
    setAddress(made);
    setBroken(false);
    return () => URL.revokeObjectURL(made);
  }, [file]);
  if (!address) return null;
  if (isBroken) return <p class="quiet">This browser cannot show it; it is sent as it is.</p>;
  const broken = () => setBroken(true);
  if (file.type.startsWith("image/")) {
    return <img class="preview" src={address} alt={`Preview of ${name}`} onError={broken} />;
  }
  if (file.type.startsWith("audio/")) {
    return (
      <audio controls src={address} aria-label={`Preview of ${name}`} onError={broken}>
        <track kind="captions" />
      </audio>
    );
  }
  if (!file.type.startsWith("video/")) return null;
  return (
    <video class="preview" controls src={address} aria-label={`Preview of ${name}`} onError={broken}>
      <track kind="captions" />
    </video>
  );
}
