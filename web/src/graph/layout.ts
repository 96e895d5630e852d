// Places boxes in layers, from the top down, and routes the edges between them. Pure: sizes in, positions out.
//
// The steps are the usual ones (Sugiyama): layers by longest path, bends for edges that pass over a layer, order
// within a layer by the neighbours' average, then positions pulled to the neighbours without overlap.

export interface Box {
  id: string;
  width: number;
  height: number;
}

export type Edge = readonly [from: string, to: string];

export interface Placed {
  x: number;
  y: number;
}

export interface Layout {
  width: number;
  height: number;
  /** The upper left corner of each box. */
  places: Map<string, Placed>;
  /** The points of each edge, from the lower side of one box to the upper side of the other. */
  routes: { from: string; to: string; points: Placed[] }[];
}

const GAP_X = 28;
const GAP_Y = 44;
const BEND_WIDTH = 8;
const SWEEPS = 6;

interface Cell {
  id: string;
  width: number;
  height: number;
  layer: number;
  /** Of the middle. */
  x: number;
  up: Cell[];
  down: Cell[];
}

export function layered(boxes: readonly Box[], edges: readonly Edge[], widest = 1100): Layout {
  const known = new Set(boxes.map((box) => box.id));
  const real = acyclic(edges.filter(([from, to]) => known.has(from) && known.has(to) && from !== to));
  if (real.length === 0) return grid(boxes, widest);
  const cells = new Map<string, Cell>(
    boxes.map((box) => [box.id, { ...box, layer: 0, x: 0, up: [], down: [] }]),
  );
  assignLayers(cells, real);
  const chains = real.map(([from, to]) => connect(cells, from, to));
  const layers = byLayer([...cells.values()]);
  order(layers);
  position(layers);
  return finish(boxes, cells, layers, chains);
}

/** Boxes without edges: rows from left to right. */
function grid(boxes: readonly Box[], widest: number): Layout {
  const places = new Map<string, Placed>();
  let x = 0;
  let y = 0;
  let rowHeight = 0;
  let width = 0;
  for (const box of boxes) {
    if (x > 0 && x + box.width > widest) {
      x = 0;
      y += rowHeight + GAP_X;
      rowHeight = 0;
    }
    places.set(box.id, { x, y });
    x += box.width + GAP_X;
    width = Math.max(width, x - GAP_X);
    rowHeight = Math.max(rowHeight, box.height);
  }
  return { width, height: y + rowHeight, places, routes: [] };
}

/** Without the edges that close a circle: such a graph cannot run, and is drawn all the same. */
function acyclic(edges: readonly Edge[]): Edge[] {
  const after = grouped(edges, ([from]) => from);
  const kept: Edge[] = [];
  const left = new Set<string>();
  const entered = new Set<string>();
  const visit = (id: string) => {
    entered.add(id);
    for (const edge of after.get(id) ?? []) {
      const closes = entered.has(edge[1]) && !left.has(edge[1]);
      if (closes) continue;
      kept.push(edge);
      if (!entered.has(edge[1])) visit(edge[1]);
    }
    left.add(id);
  };
  for (const id of after.keys()) if (!entered.has(id)) visit(id);
  return kept;
}

function assignLayers(cells: Map<string, Cell>, edges: readonly Edge[]): void {
  const before = grouped(edges, ([, to]) => to);
  const done = new Map<string, number>();
  const layerOf = (id: string): number => {
    const already = done.get(id);
    if (already !== undefined) return already;
    const layer = Math.max(-1, ...(before.get(id) ?? []).map(([from]) => layerOf(from))) + 1;
    done.set(id, layer);
    return layer;
  };
  for (const cell of cells.values()) cell.layer = layerOf(cell.id);
}

/** Links two cells through bends, one on each layer between them; gives the whole chain. */
function connect(cells: Map<string, Cell>, from: string, to: string): Cell[] {
  const end = cells.get(to)!;
  const chain = [cells.get(from)!];
  for (let layer = chain[0]!.layer + 1; layer < end.layer; layer++) {
    const id = `${from}\u0000${to}\u0000${layer}`;
    const bend: Cell = cells.get(id) ?? { id, width: BEND_WIDTH, height: 0, layer, x: 0, up: [], down: [] };
    cells.set(id, bend);
    chain.push(bend);
  }
  chain.push(end);
  for (let index = 1; index < chain.length; index++) {
    chain[index - 1]!.down.push(chain[index]!);
    chain[index]!.up.push(chain[index - 1]!);
  }
  return chain;
}

function byLayer(cells: Cell[]): Cell[][] {
  const layers: Cell[][] = [];
  for (const cell of cells) (layers[cell.layer] ??= []).push(cell);
  return layers;
}

function order(layers: Cell[][]): void {
  const rank = new Map<Cell, number>();
  const number = (layer: Cell[]) => layer.forEach((cell, index) => rank.set(cell, index));
  layers.forEach(number);
  const sort = (layer: Cell[], side: "up" | "down") => {
    const wish = new Map(layer.map((cell) => [cell, average(cell[side].map((other) => rank.get(other)!)) ?? rank.get(cell)!]));
    layer.sort((a, b) => wish.get(a)! - wish.get(b)!);
    number(layer);
  };
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    for (const layer of layers.slice(1)) sort(layer, "up");
    for (const layer of layers.slice(0, -1).reverse()) sort(layer, "down");
  }
}

function position(layers: Cell[][]): void {
  for (const layer of layers) spread(layer, layer.map(() => 0));
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const downward = sweep % 2 === 0;
    for (const layer of downward ? layers : [...layers].reverse()) {
      const wishes = layer.map((cell) => average((downward ? cell.up : cell.down).map((other) => other.x)) ?? cell.x);
      spread(layer, wishes);
    }
  }
}

/** Puts the cells of a layer near their wishes, in order and without overlap. */
function spread(layer: Cell[], wishes: number[]): void {
  const fromLeft: number[] = [];
  const fromRight: number[] = [];
  const room = (a: number, b: number) => (layer[a]!.width + layer[b]!.width) / 2 + GAP_X;
  layer.forEach((_, index) => {
    fromLeft[index] = index ? Math.max(wishes[index]!, fromLeft[index - 1]! + room(index - 1, index)) : wishes[index]!;
  });
  for (let index = layer.length - 1; index >= 0; index--) {
    const next = fromRight[index + 1];
    fromRight[index] = next === undefined ? wishes[index]! : Math.min(wishes[index]!, next - room(index, index + 1));
  }
  // Pushed to the right only, or to the left only: the middle of the two is fair, and keeps the distances.
  layer.forEach((cell, index) => {
    cell.x = (fromLeft[index]! + fromRight[index]!) / 2;
  });
}

function finish(boxes: readonly Box[], cells: Map<string, Cell>, layers: Cell[][], chains: Cell[][]): Layout {
  const left = Math.min(...[...cells.values()].map((cell) => cell.x - cell.width / 2));
  const right = Math.max(...[...cells.values()].map((cell) => cell.x + cell.width / 2));
  const heights = layers.map((layer) => Math.max(...layer.map((cell) => cell.height)));
  const tops = heights.map((_, index) => heights.slice(0, index).reduce((sum, height) => sum + height + GAP_Y, 0));
  const places = new Map<string, Placed>();
  for (const box of boxes) {
    const cell = cells.get(box.id)!;
    places.set(box.id, { x: cell.x - cell.width / 2 - left, y: tops[cell.layer]! });
  }
  const routes = chains.map((chain) => {
    const [first, last] = [chain[0]!, chain.at(-1)!];
    const points = [{ x: first.x - left, y: tops[first.layer]! + first.height }];
    for (const bend of chain.slice(1, -1)) {
      points.push({ x: bend.x - left, y: tops[bend.layer]! }, { x: bend.x - left, y: tops[bend.layer]! + heights[bend.layer]! });
    }
    points.push({ x: last.x - left, y: tops[last.layer]! });
    return { from: first.id, to: last.id, points };
  });
  const height = tops.at(-1)! + heights.at(-1)!;
  return { width: right - left, height, places, routes };
}

function grouped(edges: readonly Edge[], key: (edge: Edge) => string): Map<string, Edge[]> {
  const groups = new Map<string, Edge[]>();
  for (const edge of edges) groups.set(key(edge), [...(groups.get(key(edge)) ?? []), edge]);
  return groups;
}

function average(numbers: number[]): number | undefined {
  return numbers.length ? numbers.reduce((sum, number) => sum + number, 0) / numbers.length : undefined;
}
