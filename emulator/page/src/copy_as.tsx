// Gives a request as something to run elsewhere: Python, the command line, curl, a test.

import { useState } from "preact/hooks";
import { inWords } from "./call_told";
import { ask, fileAddress } from "./source";
import { Copy } from "./words";

interface Form {
  name: string;
  text: string;
  // Why there is no such form; empty where there is.
  why_not: string;
  files: { name: string; address: string }[];
  notes: string[];
}

export function CopyAs({ id }: { id: string }) {
  const [forms, setForms] = useState<Form[] | undefined>(undefined);
  const [chosen, choose] = useState("");
  const [failure, setFailure] = useState("");
  const shown = forms?.find((each) => each.name === chosen) ?? forms?.[0];
  const opened = async (isOpen: boolean) => {
    if (!isOpen || forms) return;
    try {
      setForms((await ask<{ forms: Form[] }>("snippets", { id })).forms);
      setFailure("");
    } catch (error) {
      setFailure(inWords(error));
    }
  };
  return (
    <details onToggle={(event) => void opened(event.currentTarget.open)}>
      <summary>Copy as Python, command line, curl, or test</summary>
      {failure && (
        <p role="alert" class="failed">
          {failure}
        </p>
      )}
      {forms && shown && (
        <>
          <fieldset class="bar forms">
            <legend class="hidden">Copy as</legend>
            {forms.map((each) => (
              <button key={each.name} type="button" aria-pressed={each === shown} onClick={() => choose(each.name)}>
                {each.name}
              </button>
            ))}
          </fieldset>
          <FormText form={shown} />
        </>
      )}
    </details>
  );
}

function FormText({ form }: { form: Form }) {
  if (form.why_not) return <p>{form.why_not}</p>;
  return (
    <>
      <pre>{form.text}</pre>
      <p>
        <Copy text={form.text} what={`it as ${form.name}`} />
        {form.name !== "pytest" && (
          <span class="quiet">
            {" "}
            It takes the token from the environment: <code>eval "$(clarifai-emulator env)"</code>
          </span>
        )}
      </p>
      {form.files.length > 0 && (
        <p>
          Save beside it:{" "}
          {form.files.map((each, index) => (
            <span key={each.name}>
              {index > 0 && ", "}
              <a href={hrefOfFile(each.address)} download={each.name}>
                {each.name}
              </a>
            </span>
          ))}
        </p>
      )}
      {form.notes.map((each) => (
        <p key={each}>{each}</p>
      ))}
    </>
  );
}

function hrefOfFile(address: string): string {
  const [path, words] = address.split("?");
  return fileAddress(path ?? "", Object.fromEntries(new URLSearchParams(words))) ?? "";
}
