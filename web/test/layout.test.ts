import { expect, test } from "vitest";

import { layered, type Box, type Edge, type Layout } from "../src/graph/layout";

const boxes = (...ids: string[]): Box[] => ids.map((id) => ({ id, width: 100, height: 40 }));

function overlaps(layout: Layout, all: Box[]): string[] {
  const found: string[] = [];
  for (const a of all)
    for (const b of all) {
      if (a.id >= b.id) continue;
      const [p, q] = [layout.places.get(a.id)!, layout.places.get(b.id)!];
      if (p.x < q.x + b.width && q.x < p.x + a.width && p.y < q.y + b.height && q.y < p.y + a.height) found.push(`${a.id} ${b.id}`);
    }
  return found;
}

test("what waits stands below what it waits for", () => {
  const all = boxes("a", "b", "c", "d");
  const edges: Edge[] = [["a", "b"], ["a", "c"], ["b", "d"], ["c", "d"], ["a", "d"]];
  const layout = layered(all, edges);
  for (const [from, to] of edges) expect(layout.places.get(to)!.y).toBeGreaterThan(layout.places.get(from)!.y);
  expect(overlaps(layout, all)).toEqual([]);
});

test("an edge over a layer bends around the boxes of that layer", () => {
  const all = boxes("a", "b", "c");
  const layout = layered(all, [["a", "b"], ["b", "c"], ["a", "c"]]);
  const bent = layout.routes.find(({ from, to }) => from === "a" && to === "c")!;
  const b = layout.places.get("b")!;
  const passing = bent.points.filter((point) => point.y >= b.y && point.y <= b.y + 40);
  expect(passing.length).toBeGreaterThan(0);
  for (const point of passing) expect(point.x < b.x || point.x > b.x + 100).toBe(true);
});

test("boxes that wait for nothing fill rows", () => {
  const all = boxes(..."abcdefghij");
  const layout = layered(all, [], 400);
  expect(layout.width).toBeLessThanOrEqual(400);
  expect(overlaps(layout, all)).toEqual([]);
});

test("a random graph is laid out without overlap, inside its frame", () => {
  let seed = 7;
  const random = (below: number) => (seed = (seed * 48271) % 2147483647) % below;
  const all = Array.from({ length: 120 }, (_, index) => ({ id: `n${index}`, width: 60 + random(150), height: 40 + random(60) }));
  const edges: Edge[] = Array.from({ length: 180 }, () => {
    const [a, b] = [random(120), random(120)];
    return a < b ? [`n${a}`, `n${b}`] : [`n${b}`, `n${a}`];
  });
  const layout = layered(all, edges);
  expect(overlaps(layout, all)).toEqual([]);
  for (const box of all) {
    const place = layout.places.get(box.id)!;
    expect(place.x).toBeGreaterThanOrEqual(-0.001);
    expect(place.x + box.width).toBeLessThanOrEqual(layout.width + 0.001);
  }
});

test("a circle, which cannot run, is drawn all the same", () => {
  expect(layered(boxes("a", "b"), [["a", "b"], ["b", "a"]]).places.size).toBe(2);
});
