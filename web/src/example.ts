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

/** A request of the right shape, with nothing but zeros. */
export function example(protocol: Protocol, metadata: Metadata | undefined): string {
  const inputs = metadata?.inputs?.length ? metadata.inputs : [ANY];
  const [first = ANY] = inputs;
  const width = inputs.length > 1 ? inputs.length : Math.max(1, ...first.shape.slice(1));
  const zeros = (count: number) => `[${Array(count).fill("0").join(", ")}]`;
  if (protocol === "V1") return `{\n  "instances": [\n    ${zeros(width)}\n  ]\n}`;
  const tensors = inputs.map((input) => {
    const columns = Math.max(1, ...input.shape.slice(1));
    const shape = input.shape.length > 1 ? `[1, ${columns}]` : "[1]";
    const data = input.datatype === "BYTES" ? '["text"]' : zeros(columns);
    return `    {\n      "name": "${input.name}", "shape": ${shape}, "datatype": "${input.datatype}",\n      "data": ${data}\n    }`;
  });
  return `{\n  "inputs": [\n${tensors.join(",\n")}\n  ]\n}`;
}
