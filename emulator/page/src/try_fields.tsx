// Shows the field of an argument by its type: text, numbers with bounds, choices, JSON, files, lists of these.

import { useId } from "preact/hooks";
import { FileField } from "./try_files";
import {
  anyProblem,
  type Draft,
  DTYPES,
  emptyDraft,
  type Field,
  isJson,
  MEDIA,
  PLACEHOLDERS,
  partOf,
  plain,
  problemOf,
  rangeOf,
  warningOf,
} from "./try_methods";

interface FieldProps {
  field: Field;
  // How it is called: of an item of a list, with its number.
  name: string;
  draft: Draft;
  onChange: (draft: Draft) => void;
  // Problems are shown once somebody wanted to send, or while JSON is typed.
  isAsked: boolean;
  isDisabled: boolean;
}

export function ArgumentField(props: FieldProps) {
  const { field, name, draft, onChange } = props;
  const id = useId();
  if (field.type === "list" || field.type === "tuple" || field.type === "named_fields") return <Group {...props} />;
  const isFile = MEDIA.includes(field.type) || field.type === "frame" || field.type === "bytes";
  const said = `${id}-said`;
  const problem = props.isAsked || (isJson(field) && draft.text.trim() !== "") ? problemOf(field, draft) : "";
  const canReset = !field.required && draft.isTouched && field.default !== undefined;
  return (
    <div class="field">
      <div class="field-name">
        {isFile ? <span class="name">{name}</span> : <label for={id}>{name}</label>} <About field={field} />
        {canReset && (
          <button
            type="button"
            class="small beside"
            aria-label={`Use the default of ${name}`}
            onClick={() => onChange(emptyDraft(field))}
          >
            use the default
          </button>
        )}
      </div>
      <Editor {...props} id={id} said={said} isWrong={problem !== ""} />
      <div id={said}>
        {field.description && <p class="quiet">{field.description}</p>}
        {problem && <p class="failed">{problem}</p>}
        {warningOf(field, draft) && <p class="mark">{warningOf(field, draft)}</p>}
      </div>
    </div>
  );
}

function About({ field }: { field: Field }) {
  const words = [field.label];
  if (field.required && !field.stream) words.push("required");
  if (field.low !== null) words.push(rangeOf(field));
  if (!field.required && !field.stream && field.default === null) words.push("may be left out");
  return <span class="quiet">{words.join(" · ")}</span>;
}

type EditorProps = FieldProps & { id: string; said: string; isWrong: boolean };

function Editor(props: EditorProps) {
  const { field, name, draft, onChange, id, said, isWrong, isDisabled } = props;
  const write = (text: string) => onChange({ ...draft, text, isTouched: true });
  const common = { id, "aria-describedby": said, "aria-invalid": isWrong, disabled: isDisabled };
  if (field.choices.length > 0) return <Choices {...props} />;
  if (MEDIA.includes(field.type) || field.type === "frame") {
    const kind = field.type === "frame" ? "image" : field.type;
    return <FileField name={name} kind={kind} draft={draft} onChange={onChange} describedBy={said} />;
  }
  if (field.type === "bytes") return <BytesField {...props} />;
  if (field.type === "bool") {
    return (
      <input
        {...common}
        type="checkbox"
        checked={draft.text === "true"}
        onChange={(event) => write(String(event.currentTarget.checked))}
      />
    );
  }
  if (field.type === "int" || field.type === "float") {
    return (
      <input
        {...common}
        type="text"
        inputMode={field.type === "int" ? "numeric" : "decimal"}
        autoComplete="off"
        size={24}
        value={draft.text}
        {...(field.low !== null && { min: plain(field.low) })}
        {...(field.high !== null && { max: plain(field.high) })}
        onInput={(event) => write(event.currentTarget.value)}
      />
    );
  }
  return (
    <>
      <textarea
        {...common}
        class={isJson(field) ? "code" : undefined}
        rows={Math.min(12, Math.max(isJson(field) ? 3 : 2, draft.text.split("\n").length))}
        spellcheck={false}
        value={draft.text}
        placeholder={PLACEHOLDERS[field.type] ?? ""}
        onInput={(event) => write(event.currentTarget.value)}
      />
      {field.type === "ndarray" && <ArrayType {...props} />}
    </>
  );
}

function Choices({ field, draft, onChange, id, said, isWrong, isDisabled }: EditorProps) {
  const isOther = !field.choices.includes(draft.text);
  return (
    <select
      id={id}
      aria-describedby={said}
      aria-invalid={isWrong}
      disabled={isDisabled}
      value={draft.text}
      onChange={(event) => onChange({ ...draft, text: event.currentTarget.value, isTouched: true })}
    >
      {isOther && <option value={draft.text}>{draft.text || "the model's own default"}</option>}
      {field.choices.map((each) => (
        <option key={each} value={each}>
          {each}
        </option>
      ))}
    </select>
  );
}

function ArrayType({ name, draft, onChange, isDisabled }: EditorProps) {
  return (
    <label class="quiet">
      type of its numbers{" "}
      <select
        aria-label={`${name}, type of its numbers`}
        disabled={isDisabled}
        value={draft.dtype ?? ""}
        onChange={(event) => onChange({ ...draft, dtype: event.currentTarget.value, isTouched: true })}
      >
        {DTYPES.map((each) => (
          <option key={each} value={each}>
            {each || "as numpy chooses"}
          </option>
        ))}
      </select>
    </label>
  );
}

function BytesField({ name, draft, onChange, id, said, isDisabled }: EditorProps) {
  return (
    <>
      {!draft.file && (
        <textarea
          id={id}
          aria-label={`${name}, as text`}
          aria-describedby={said}
          rows={2}
          disabled={isDisabled}
          spellcheck={false}
          value={draft.text}
          onInput={(event) => onChange({ text: event.currentTarget.value, isTouched: true })}
        />
      )}
      <FileField name={name} kind="" draft={draft} onChange={onChange} describedBy={said} />
    </>
  );
}

function Group(props: FieldProps) {
  const { field, name, draft, onChange, isAsked, isDisabled } = props;
  const parts = draft.parts ?? [];
  const set = (next: Draft[]) => onChange({ ...draft, parts: next, isTouched: true });
  const isList = field.type === "list";
  const inner = partOf(field, 0);
  const problem = isAsked && !parts.length ? anyProblem(field, draft) : "";
  return (
    <fieldset class="group">
      <legend>
        {name} <About field={field} />
      </legend>
      {field.description && <p class="quiet">{field.description}</p>}
      {parts.map((each, index) => {
        const part = partOf(field, index);
        if (!part) return null;
        const itsName = field.type === "named_fields" ? `${name}.${part.name}` : `${name}, item ${index + 1}`;
        return (
          <div key={index} class="item">
            <ArgumentField
              field={part}
              name={itsName}
              draft={each}
              onChange={(next) => set(parts.map((old, at) => (at === index ? next : old)))}
              isAsked={isAsked}
              isDisabled={isDisabled}
            />
            {isList && (
              <button
                type="button"
                class="small"
                aria-label={`Remove ${itsName}`}
                onClick={() => set(parts.filter((_, at) => at !== index))}
              >
                remove
              </button>
            )}
          </div>
        );
      })}
      {problem && <p class="failed">{problem}</p>}
      {isList && inner && (
        <button
          type="button"
          class="small"
          disabled={isDisabled}
          aria-label={`Add an item to ${name}`}
          onClick={() => set([...parts, emptyDraft(inner)])}
        >
          add an item
        </button>
      )}
      {isList && !parts.length && <span class="quiet"> The list is empty.</span>}
    </fieldset>
  );
}
