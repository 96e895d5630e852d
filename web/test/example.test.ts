import { expect, test } from "vitest";

import { example, type Metadata } from "../src/example";

const request = (protocol: "V1" | "V2", metadata?: Metadata) => JSON.parse(example(protocol, metadata));

test("an example has the columns that the model says it takes", () => {
  const one = { inputs: [{ name: "x", datatype: "FP32", shape: [-1, 2] }] };
  expect(request("V1", one)).toEqual({ instances: [[0, 0]] });
  expect(request("V2", one).inputs).toEqual([{ name: "x", datatype: "FP32", shape: [1, 2], data: [0, 0] }]);
  const columns = ["a", "b", "c"].map((name) => ({ name, datatype: "FP64", shape: [-1] }));
  expect(request("V1", { inputs: columns })).toEqual({ instances: [[0, 0, 0]] });
  const mixed = [...columns.slice(0, 2), { name: "c", datatype: "BYTES", shape: [-1] }];
  expect(request("V1", { inputs: mixed })).toEqual({ instances: [{ a: 0, b: 0, c: "text" }] });
  expect(request("V2", { inputs: mixed }).inputs[2]).toEqual({ name: "c", datatype: "BYTES", shape: [1], data: ["text"] });
});

test("texts, pictures and several tensors have the form that V1 takes", () => {
  const texts = { inputs: [{ name: "input-0", datatype: "BYTES", shape: [-1] }] };
  expect(request("V1", texts)).toEqual({ instances: ["text"] });
  const column = { inputs: [{ name: "rooms", datatype: "FP64", shape: [-1] }] };
  expect(request("V1", column)).toEqual({ instances: [{ rooms: 0 }] });
  const picture = { inputs: [{ name: "x", datatype: "FP16", shape: [-1, 1, 2, 2] }] };
  expect(request("V1", picture)).toEqual({ instances: [[[[0, 0], [0, 0]]]] });
  expect(request("V2", picture).inputs[0]).toEqual({ name: "x", datatype: "FP32", shape: [1, 1, 2, 2], data: [0, 0, 0, 0] });
  const two = [{ name: "rows", datatype: "FP32", shape: [-1, 2] }, { name: "known", datatype: "BOOL", shape: [-1] }];
  expect(request("V1", { inputs: two })).toEqual({ instances: [{ rows: [0, 0], known: false }] });
});

test("a model that says nothing of its inputs has an example, too", () => {
  for (const silent of [undefined, {}, { inputs: [] }]) {
    expect(request("V1", silent)).toEqual({ instances: [[0, 0, 0, 0]] });
    expect(request("V2", silent).inputs[0].shape).toEqual([1, 4]);
  }
});
