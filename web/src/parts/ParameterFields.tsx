// A field for each parameter that a pipeline takes, by its type. Texts in, values out.

import type { ParameterDefinition } from "../api/pipelines";
import { value as shown } from "../format";

/** What was typed, by parameter; a parameter that is not here was not given. */
export type Typed = Record<string, string>;

interface Props {
  definitions: Record<string, ParameterDefinition>;
  typed: Typed;
  change: (typed: Typed) => void;
}

export function ParameterFields({ definitions, typed, change }: Props) {
  const names = Object.keys(definitions);
  if (names.length === 0) return <p className="quiet">This pipeline takes no parameters.</p>;
  return (
    <div className="fields">
      {names.map((name) => (
        <Field key={name} name={name} definition={definitions[name]!} text={typed[name]} change={(text) => change(changed(typed, name, text))} />
      ))}
    </div>
  );
}

interface FieldProps {
  name: string;
  definition: ParameterDefinition;
  text: string | undefined;
  change: (text: string | undefined) => void;
}

function Field({ name, definition, text, change }: FieldProps) {
  const id = `parameter-${name}`;
  const wrong = text === undefined ? undefined : problem(definition, text);
  return (
    <div className="field">
      <label htmlFor={id}>
        {name} <small>{words(definition)}</small>
      </label>
      <Input id={id} definition={definition} text={text} change={change} />
      {definition.description && <small>{definition.description}</small>}
      {wrong && (
        <small className="bad" role="alert">
          {wrong}
        </small>
      )}
    </div>
  );
}

function Input({ id, definition, text, change }: Omit<FieldProps, "name"> & { id: string }) {
  const otherwise = "defaultValue" in definition ? shown(definition.defaultValue) : "";
  const choices = definition.literals ?? (definition.parameterType === "BOOLEAN" ? [true, false] : undefined);
  if (choices) {
    return (
      <select id={id} value={text ?? ""} onChange={(event) => change(event.target.value || undefined)}>
        <option value="">{otherwise ? `${otherwise} (default)` : "choose"}</option>
        {choices.map((choice) => (
          <option key={shown(choice)}>{shown(choice)}</option>
        ))}
      </select>
    );
  }
  const structured = definition.parameterType === "LIST" || definition.parameterType === "STRUCT";
  const common = { id, placeholder: otherwise, value: text ?? "" };
  return structured ? (
    <textarea {...common} rows={3} onChange={(event) => change(event.target.value || undefined)} />
  ) : (
    <input {...common} type="text" onChange={(event) => change(event.target.value || undefined)} />
  );
}

function changed(typed: Typed, name: string, text: string | undefined): Typed {
  const { [name]: _, ...others } = typed;
  return text === undefined ? others : { ...others, [name]: text };
}

function words(definition: ParameterDefinition): string {
  const type = (definition.parameterType ?? "").toLowerCase().replace("number_", "").replace("struct", "object");
  return required(definition) ? `${type}, required` : type;
}

const required = (definition: ParameterDefinition): boolean => !definition.isOptional && !("defaultValue" in definition);

/** What keeps these parameters from being sent, in a sentence; nothing where they can be. */
export function complaintOf(definitions: Record<string, ParameterDefinition>, typed: Typed): string | undefined {
  for (const [name, definition] of Object.entries(definitions)) {
    const text = typed[name];
    if (text === undefined && required(definition)) return `${name} needs a value.`;
    const wrong = text === undefined ? undefined : problem(definition, text);
    if (wrong) return `${name}: ${wrong}`;
  }
  return undefined;
}

/** The values to send. Only for what `complaintOf` let pass. */
export function valuesOf(definitions: Record<string, ParameterDefinition>, typed: Typed): Record<string, unknown> {
  const given = Object.entries(typed).filter(([name]) => name in definitions);
  return Object.fromEntries(given.map(([name, text]) => [name, parsed(definitions[name]!, text)]));
}

/** The texts of values that a run was given. */
export const typedOf = (values: Record<string, unknown> | undefined): Typed =>
  Object.fromEntries(Object.entries(values ?? {}).filter(([, value]) => value !== null).map(([name, value]) => [name, shown(value)]));

function parsed(definition: ParameterDefinition, text: string): unknown {
  const literal = definition.literals?.find((choice) => shown(choice) === text);
  if (literal !== undefined) return literal;
  return definition.parameterType === "STRING" ? text : JSON.parse(text);
}

function problem(definition: ParameterDefinition, text: string): string | undefined {
  const type = definition.parameterType;
  if (definition.literals || type === "STRING") return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return `this is not ${type === "LIST" || type === "STRUCT" ? "JSON" : "a number"}`;
  }
  if (type === "LIST" && !Array.isArray(value)) return "a list is written as [1, 2, 3]";
  if (type === "STRUCT" && (typeof value !== "object" || value === null || Array.isArray(value))) return 'an object is written as {"key": "value"}';
  if (type === "NUMBER_INTEGER" && !Number.isInteger(value)) return "this is not a whole number";
  if (type === "NUMBER_DOUBLE" && typeof value !== "number") return "this is not a number";
  return undefined;
}
