// The graph of a run: boxes within boxes, edges between them, states that change as the run goes.

import { useEffect, useLayoutEffect, useMemo, useRef, useState, type CSSProperties, type RefObject } from "react";

import { StateIcon } from "../parts/State";
import { duration, plural } from "../format";
import { layered, type Layout, type Placed } from "./layout";
import { isGroup, steps, type Node } from "./model";

const STEP = { width: 190, height: 52 };
const HEAD = 34;
const PAD = 16;
/** Iterations drawn of one loop; the others are in its panel. */
export const SHOWN_ITERATIONS = 6;

interface Drawn {
  node: Node;
  width: number;
  height: number;
  inner: Layout | undefined;
  children: Drawn[];
}

interface Props {
  nodes: Node[];
  edges: Node["edges"];
  chosen: string | undefined;
  /** Without it, nodes are only looked at. */
  choose?: (id: string) => void;
  now: number;
  /** The iteration that was asked for, of a loop with more than are drawn. */
  wanted: string | undefined;
}

export function Graph({ nodes, edges, chosen, choose, now, wanted }: Props) {
  const [closed, setClosed] = useState<ReadonlySet<string>>(new Set());
  const [frame, room] = useRoom();
  // Rows break where the frame ends, down to the width of two steps; narrower frames are zoomed out.
  const widest = Math.min(1600, Math.max(2 * STEP.width + 6 * PAD, room - 2 * PAD));
  const drawn = useMemo(() => nodes.map((node) => measure(node, { closed, wanted, widest })), [nodes, closed, wanted, widest]);
  const layout = useMemo(() => layered(drawn.map(sized), edges, widest), [drawn, edges, widest]);
  const { scale, zoom, fit } = useScale(room, layout.width + 2 * PAD);
  useEffect(() => {
    // The panel that opens beside the graph may have moved what was clicked.
    if (chosen) frame.current?.querySelector(`[data-node="${CSS.escape(chosen)}"]`)?.scrollIntoView({ block: "nearest" });
  }, [chosen, widest, frame]);
  const toggle = (id: string) =>
    setClosed((old) => {
      const next = new Set(old);
      if (!next.delete(id)) next.add(id);
      return next;
    });

  return (
    <div className="graph">
      <div className="zoom" role="group" aria-label="Zoom">
        <button type="button" onClick={() => zoom(1 / 1.25)} aria-label="Smaller">
          −
        </button>
        <button type="button" onClick={fit}>
          {Math.round(scale * 100)} %
        </button>
        <button type="button" onClick={() => zoom(1.25)} aria-label="Larger">
          +
        </button>
      </div>
      <div className="graph-frame" ref={frame}>
        <div style={{ width: (layout.width + 2 * PAD) * scale, height: (layout.height + 2 * PAD) * scale }} className="graph-size">
          <div className="graph-plane" style={{ transform: `scale(${scale}) translate(${PAD}px, ${PAD}px)` }}>
            <Plane drawn={drawn} layout={layout} chosen={chosen} choose={choose} toggle={toggle} closed={closed} now={now} />
          </div>
        </div>
      </div>
    </div>
  );
}

interface PlaneProps {
  drawn: Drawn[];
  layout: Layout;
  chosen: string | undefined;
  choose: ((id: string) => void) | undefined;
  toggle: (id: string) => void;
  closed: ReadonlySet<string>;
  now: number;
}

function Plane({ drawn, layout, ...rest }: PlaneProps) {
  const states = new Map(drawn.map(({ node }) => [node.id, node.state]));
  return (
    <>
      <svg className="edges" width={Math.max(1, layout.width)} height={Math.max(1, layout.height)} aria-hidden="true">
        {layout.routes.map(({ from, to, points }) => (
          <path key={`${from} ${to}`} d={curve(points)} className={flow(states.get(from), states.get(to))} />
        ))}
      </svg>
      {drawn.map((item) => {
        const place = layout.places.get(item.node.id)!;
        const style = { left: place.x, top: place.y, width: item.width, height: item.height };
        return isGroup(item.node) ? (
          <GroupBox key={item.node.id} item={item} style={style} {...rest} />
        ) : (
          <StepBox key={item.node.id} node={item.node} style={style} chosen={rest.chosen} choose={rest.choose} now={rest.now} />
        );
      })}
    </>
  );
}

function StepBox({ node, style, chosen, choose, now }: Pick<PlaneProps, "chosen" | "choose" | "now"> & { node: Node; style: CSSProperties }) {
  return (
    <button
      type="button"
      className={`step ${look(node)} ${chosen === node.id ? "chosen" : ""}`}
      style={style}
      onClick={() => choose?.(node.id)}
      disabled={!choose}
      aria-pressed={chosen === node.id}
      data-node={node.id}
    >
      {node.state !== "PLANNED" && <StateIcon state={node.state} />}
      <span className="step-text">
        <span className="step-title" title={node.title}>
          {node.title}
        </span>
        <span className="step-note">{note(node, now)}</span>
      </span>
    </button>
  );
}

function GroupBox({ item, style, ...rest }: Omit<PlaneProps, "drawn" | "layout"> & { item: Drawn; style: CSSProperties }) {
  const { node, inner, children } = item;
  const { chosen, choose, toggle, closed } = rest;
  const open = inner !== undefined;
  return (
    <div className={`group kind-${node.kind} ${look(node)} ${chosen === node.id ? "chosen" : ""}`} style={style}>
      <div className="group-head">
        <button type="button" className="fold" onClick={() => toggle(node.id)} aria-expanded={open} aria-label={`${closed.has(node.id) ? "Open" : "Close"} ${node.title}`}>
          {open ? "▾" : "▸"}
        </button>
        <button type="button" className="group-title" onClick={() => choose?.(node.id)} disabled={!choose} aria-pressed={chosen === node.id} title={node.condition ?? node.title} data-node={node.id}>
          {node.state !== "PLANNED" && <StateIcon state={node.state} />}
          <span>{node.title}</span>
          <small>{groupNote(node)}</small>
        </button>
      </div>
      {inner && (
        <div className="group-body" style={{ left: PAD, top: HEAD + PAD / 2 }}>
          <Plane drawn={children} layout={inner} {...rest} />
        </div>
      )}
    </div>
  );
}

interface View {
  closed: ReadonlySet<string>;
  wanted: string | undefined;
  widest: number;
}

/** The box of a node with all that is open in it. */
function measure(node: Node, view: View): Drawn {
  if (!isGroup(node)) return { node, ...STEP, inner: undefined, children: [] };
  if (view.closed.has(node.id) || node.children.length === 0) return { node, width: 230, height: HEAD, inner: undefined, children: [] };
  const within = { ...view, widest: view.widest - 2 * PAD };
  const children = shown(node, view.wanted).map((child) => measure(child, within));
  const inner = layered(children.map(sized), node.edges, within.widest);
  return { node, inner, children, width: Math.max(inner.width + 2 * PAD, 210), height: inner.height + HEAD + PAD * 1.5 };
}

/** Of a long loop, the iterations that somebody would look for first: asked for, failed, running, the earliest. */
function shown(node: Node, wanted: string | undefined): Node[] {
  if (node.kind !== "loop" || node.children.length <= SHOWN_ITERATIONS) return node.children;
  const urgency = (child: Node) =>
    wanted?.startsWith(child.id) ? 0 : child.state === "FAILED" ? 1 : child.state === "RUNNING" ? 2 : 3;
  const first = [...node.children].sort((a, b) => urgency(a) - urgency(b)).slice(0, SHOWN_ITERATIONS);
  return node.children.filter((child) => first.includes(child));
}

const sized = ({ node, width, height }: Drawn) => ({ id: node.id, width, height });

const look = (node: Node) => `is-${node.state.toLowerCase()}`;

function note(node: Node, now: number): string {
  const { task } = node;
  if (node.state === "PLANNED") return node.image ?? node.kind;
  if (node.state === "CACHED") return "taken from the cache";
  if (node.state === "RUNNING") return duration(task?.start_time ?? task?.create_time, undefined, now);
  if (node.state === "SUCCEEDED" || node.state === "FAILED") return duration(task?.start_time ?? task?.create_time, task?.end_time, now);
  return node.state === "PENDING" ? "waiting" : node.state.toLowerCase();
}

function groupNote(node: Node): string {
  if (node.kind === "loop") {
    const done = node.children.filter((child) => ["SUCCEEDED", "CACHED"].includes(child.state)).length;
    const count = node.children.length;
    if (!node.children.some((child) => child.kind === "iteration")) return "loop";
    return count > SHOWN_ITERATIONS ? `${done} of ${count} done, ${SHOWN_ITERATIONS} shown` : `${done} of ${count} done`;
  }
  if (node.kind === "condition") return "if";
  if (node.kind === "iteration") return "";
  return plural(steps(node.children).length, "step");
}

function flow(from: string | undefined, to: string | undefined): string {
  if (to === "SKIPPED") return "edge idle";
  if (to === "RUNNING") return "edge live";
  return from === "SUCCEEDED" || from === "CACHED" ? "edge done" : "edge";
}

function curve(points: Placed[]): string {
  let text = `M${points[0]!.x} ${points[0]!.y}`;
  for (let index = 1; index < points.length; index++) {
    const [from, to] = [points[index - 1]!, points[index]!];
    const half = (to.y - from.y) / 2;
    text += ` C${from.x} ${from.y + half} ${to.x} ${to.y - half} ${to.x} ${to.y}`;
  }
  return text;
}

/** An element, and the width inside it. */
function useRoom(): [RefObject<HTMLDivElement | null>, number] {
  const frame = useRef<HTMLDivElement>(null);
  const [room, setRoom] = useState(0);
  useLayoutEffect(() => setRoom(frame.current?.clientWidth ?? 0), []);
  useEffect(() => {
    if (!frame.current) return;
    const watcher = new ResizeObserver(([entry]) => entry && setRoom(entry.contentRect.width));
    watcher.observe(frame.current);
    return () => watcher.disconnect();
  }, []);
  return [frame, room];
}

/** Fits `width` into the room until somebody zooms. */
function useScale(room: number, width: number) {
  const [chosen, setChosen] = useState<number>();
  const scale = chosen ?? (room ? Math.min(1, Math.max(0.45, room / width)) : 1);
  return {
    scale,
    zoom: (factor: number) => setChosen(Math.min(2, Math.max(0.2, scale * factor))),
    fit: () => setChosen(undefined),
  };
}
