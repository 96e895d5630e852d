// A request that fits a model, by what its metadata says of its inputs. Code of users' own (a class, an R function) says
// nothing of them; what is shown then has the right form, and the user's own columns are to be written into it.

export type Protocol = "V1" | "V2";

interface Tensor {
  name: string;
  datatype: string;
  shape: number[];
}

export interface Metadata {
  inputs?: Tensor[];
}

const ANY: Tensor = { name: "input-0", datatype: "FP64", shape: [-1, 4] };

/** A request of the right shape, with nothing but zeros and the word "text". */
export function example(protocol: Protocol, metadata: Metadata | undefined): string {
  const inputs = metadata?.inputs?.length ? metadata.inputs : [ANY];
  if (protocol === "V1") return `{\n  "instances": [\n    ${row(inputs)}\n  ]\n}`;
  const tensors = inputs.map((input) => {
    const sizes = input.shape.map((size) => Math.max(1, size));
    const data = `[${Array(sizes.reduce((product, size) => product * size, 1)).fill(value(input)).join(", ")}]`;
    // JSON has no half floats; a model that takes them takes larger ones too.
    const datatype = ["FP16", "BF16"].includes(input.datatype) ? "FP32" : input.datatype;
    return `    {\n      "name": ${JSON.stringify(input.name)}, "shape": [${sizes.join(", ")}], "datatype": "${datatype}",\n      "data": ${data}\n    }`;
  });
  return `{\n  "inputs": [\n${tensors.join(",\n")}\n  ]\n}`;
}

/** A row of V1: what the only input takes, a table's columns as a list of numbers, or else an object. */
function row(inputs: Tensor[]): string {
  const [first = ANY] = inputs;
  if (inputs.length === 1 && (first.shape.length > 1 || first.name === ANY.name)) return part(first);
  if (inputs.length > 1 && inputs.every((input) => input.shape.length === 1 && input.datatype !== "BYTES"))
    return `[${inputs.map(value).join(", ")}]`;
  return `{${inputs.map((input) => `${JSON.stringify(input.name)}: ${part(input)}`).join(", ")}}`;
}

/** What one row has of an input. */
function part(input: Tensor): string {
  return input.shape.slice(1).reduceRight((inner, size) => `[${Array(Math.max(1, size)).fill(inner).join(", ")}]`, value(input));
}

function value(input: Tensor): string {
  if (input.datatype === "BYTES") return '"text"';
  return input.datatype === "BOOL" ? "false" : "0";
}
