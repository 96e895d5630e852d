import { expect, it } from "vitest";

import type { Node } from "../src/graph/model";
import { bars } from "../src/graph/Timeline";

const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString();

function node(id: string, times: [number, number?, number?] | undefined, children: Node[] = []): Node {
  const [create, start, end] = times ?? [];
  const task = times && {
    task_id: id, run_id: "r", name: id, create_time: at(create!),
    ...(start === undefined ? {} : { start_time: at(start) }), ...(end === undefined ? {} : { end_time: at(end) }),
  };
  return { id, title: id, kind: children.length ? "group" : "step", state: "RUNNING", task, image: undefined, condition: undefined, children, edges: [] };
}

it("bars stand in the order of beginning, with what is inside a group under it", () => {
  const nodes = [node("late", [9, 9, 10]), node("group", [1, 1, 8], [node("inner", [2, 3, 4])]), node("unborn", undefined)];
  expect(bars(nodes, 0).map((bar) => [bar.node.id, bar.depth])).toEqual([["group", 0], ["inner", 1], ["late", 0]]);
});

it("a step that still waits has waited until now", () => {
  const now = Date.parse(at(7));
  const [bar] = bars([node("waits", [5])], now);
  expect([bar!.created, bar!.started, bar!.ended]).toEqual([Date.parse(at(5)), now, now]);
});
