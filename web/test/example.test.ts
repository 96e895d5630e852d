import { expect, test } from "vitest";

import { example, type Metadata } from "../src/example";

const request = (protocol: "V1" | "V2", metadata?: Metadata) => JSON.parse(example(protocol, metadata));

test("an example has the columns that the model says it takes", () => {
  const one = { inputs: [{ name: "x", datatype: "FP32", shape: [-1, 2] }] };
  expect(request("V1", one)).toEqual({ instances: [[0, 0]] });
  expect(request("V2", one).inputs).toEqual([{ name: "x", datatype: "FP32", shape: [1, 2], data: [0, 0] }]);
  const columns = ["a", "b", "c"].map((name) => ({ name, datatype: "BYTES", shape: [-1] }));
  expect(request("V1", { inputs: columns })).toEqual({ instances: [[0, 0, 0]] });
  expect(request("V2", { inputs: columns }).inputs[2]).toEqual({ name: "c", datatype: "BYTES", shape: [1], data: ["text"] });
});

test("a model that says nothing of its inputs has an example, too", () => {
  for (const silent of [undefined, {}, { inputs: [] }]) {
    expect(request("V1", silent)).toEqual({ instances: [[0, 0, 0, 0]] });
    expect(request("V2", silent).inputs[0].shape).toEqual([1, 4]);
  }
});
