import { expect, test } from "vitest";

import type { PipelineSpec, Task } from "../src/api/pipelines";
import { rootNode, steps, walk } from "../src/graph/model";

const spec: PipelineSpec = {
  root: {
    dag: {
      tasks: {
        load: { componentRef: { name: "comp-load" } },
        "for-loop-1": {
          componentRef: { name: "comp-loop" },
          parameterIterator: {},
          inputs: { artifacts: { data: { taskOutputArtifact: { producerTask: "load" } } } },
        },
        "condition-1": { componentRef: { name: "comp-if" }, dependentTasks: ["for-loop-1"], triggerPolicy: { condition: "x == 1" } },
      },
    },
  },
  components: {
    "comp-load": { executorLabel: "exec-load" },
    "comp-loop": { dag: { tasks: { train: { componentRef: { name: "comp-load" } } } } },
    "comp-if": { dag: { tasks: { deploy: { componentRef: { name: "comp-load" } } } } },
  },
  deploymentSpec: { executors: { "exec-load": { container: { image: "python:3.11" } } } },
};

const task = (task_id: string, name: string, parent_task_id: string, more: Partial<Task> = {}): Task => ({
  task_id,
  name,
  parent_task_id,
  run_id: "r",
  state: "SUCCEEDED",
  ...more,
});

const begun: Task[] = [
  task("root", "p", "", { type: "ROOT", state: "RUNNING" }),
  task("1", "load", "root"),
  task("2", "for-loop-1", "root", { type: "LOOP", state: "RUNNING" }),
  task("2b", "for-loop-1", "2", {
    type_attributes: { iteration_index: 1 },
    inputs: { parameters: [{ parameter_key: "pipelinechannel--kinds-loop-item", value: { kind: "forest", settings: { trees: 9 } } }] },
  }),
  task("2a", "for-loop-1", "2", { type_attributes: { iteration_index: 0 }, state: "FAILED" }),
  task("3", "train", "2a", { state: "FAILED" }),
];

test("before anything runs, the pipeline shows what will", () => {
  const root = rootNode(spec, []);
  expect([...walk(root.children)].map((node) => `${node.id} ${node.kind} ${node.state}`)).toEqual([
    "load step PENDING",
    "for-loop-1 loop PENDING",
    "for-loop-1/train step PENDING",
    "condition-1 condition PENDING",
    "condition-1/deploy step PENDING",
  ]);
  expect(root.edges).toEqual([
    ["load", "for-loop-1"],
    ["for-loop-1", "condition-1"],
  ]);
  expect(root.children[0]!.image).toBe("python:3.11");
});

test("a loop shows its iterations in order, called by their items", () => {
  const loop = rootNode(spec, begun).children[1]!;
  expect(loop.children.map((node) => [node.id, node.title, node.state])).toEqual([
    ["for-loop-1[0]", "iteration 0", "FAILED"],
    ["for-loop-1[1]", "forest, trees=9", "SUCCEEDED"],
  ]);
  expect(steps([loop]).map((node) => [node.id, node.state])).toContainEqual(["for-loop-1[0]/train", "FAILED"]);
});

test("what never began is skipped once the run has ended", () => {
  const ended = begun.map((one) => (one.type === "ROOT" ? { ...one, state: "FAILED" as const } : one));
  expect(rootNode(spec, ended).children[2]!.state).toBe("SKIPPED");
  expect(rootNode(spec, begun).children[2]!.state).toBe("PENDING");
});

test("without the pipeline, tasks are shown as they are", () => {
  const root = rootNode(undefined, begun);
  expect(root.children.map((node) => node.title)).toEqual(["load", "for-loop-1"]);
});
