// From a compiled pipeline and the tasks of a run to a tree of nodes: what will run, and how far it is.
//
// The pipeline says what there is and what waits for what; tasks say how it goes. A loop's iterations are known
// only from its tasks.

import { isOver, type Component, type PipelineSpec, type State, type Task, type TaskSpec } from "../api/pipelines";
import type { Edge } from "./layout";

export type NodeKind = "step" | "importer" | "group" | "condition" | "loop" | "iteration" | "exit";

/** PLANNED is a node of a pipeline that is only looked at. */
export type NodeState = State | "PLANNED";

export interface Node {
  /** Unique and the same from one poll to the next. */
  id: string;
  title: string;
  kind: NodeKind;
  state: NodeState;
  task: Task | undefined;
  image: string | undefined;
  /** In words, for conditions. */
  condition: string | undefined;
  children: Node[];
  edges: Edge[];
}

export const isGroup = (node: Node): boolean => !["step", "importer"].includes(node.kind);

/** The whole run as one group; without tasks, the pipeline by itself. */
export function rootNode(spec: PipelineSpec | undefined, given: readonly Task[] | undefined): Node {
  const tasks = given ?? [];
  const children = new Map<string, Task[]>();
  for (const task of tasks) {
    const parent = task.parent_task_id ?? "";
    children.set(parent, [...(children.get(parent) ?? []), task]);
  }
  const root = tasks.find((task) => task.type === "ROOT");
  const unborn = !given ? "PLANNED" : isOver(root?.state) ? "SKIPPED" : "PENDING";
  const world: World = { spec, children, unborn };
  return group(world, { id: "", title: "", kind: "group", component: spec?.root, task: root, condition: undefined });
}

/** All nodes below, groups before what is in them. */
export function* walk(nodes: readonly Node[]): Generator<Node> {
  for (const node of nodes) {
    yield node;
    yield* walk(node.children);
  }
}

export function steps(nodes: readonly Node[]): Node[] {
  return [...walk(nodes)].filter((node) => !isGroup(node));
}

interface World {
  spec: PipelineSpec | undefined;
  children: Map<string, Task[]>;
  /** The state of what has not begun: when the run has ended, it never will. */
  unborn: NodeState;
}

interface Part {
  id: string;
  title: string;
  kind: NodeKind;
  component: Component | undefined;
  task: Task | undefined;
  condition: string | undefined;
}

function group(world: World, part: Part): Node {
  const specs = part.component?.dag?.tasks ?? {};
  const live = part.task ? (world.children.get(part.task.task_id) ?? []) : (world.children.get("") ?? []);
  const byName = new Map(live.map((task) => [task.name, task]));
  const children = Object.entries(specs).map(([name, spec]) => child(world, part.id, name, spec, byName.get(name)));
  for (const task of live) if (!specs[task.name] && task.type !== "ROOT") children.push(unplanned(world, part.id, task));
  return {
    ...node(world, part),
    children,
    edges: Object.entries(specs).flatMap(([name, spec]) =>
      producers(spec).map((from): Edge => [path(part.id, from), path(part.id, name)]),
    ),
  };
}

function child(world: World, parent: string, name: string, spec: TaskSpec, task: Task | undefined): Node {
  const component = world.spec?.components?.[spec.componentRef?.name ?? ""];
  const executor = world.spec?.deploymentSpec?.executors?.[component?.executorLabel ?? ""];
  const part: Part = {
    id: path(parent, name),
    title: task?.display_name || spec.taskInfo?.name || name,
    kind: kindOf(spec, component, executor?.importer !== undefined, task),
    component,
    task,
    condition: spec.triggerPolicy?.condition,
  };
  if (part.kind === "loop") return loop(world, part);
  if (component?.dag) return group(world, part);
  return { ...node(world, part), image: executor?.container?.image };
}

/** A loop shows its iterations once there are any, and what one of them will do until then. */
function loop(world: World, part: Part): Node {
  const live = (part.task ? (world.children.get(part.task.task_id) ?? []) : []).filter((task) => iteration(task) !== undefined);
  const body = part.component?.dag;
  if (live.length === 0) return part.task && isOver(part.task.state) ? node(world, part) : group(world, part);
  live.sort((a, b) => iteration(a)! - iteration(b)!);
  const children = live.map((task): Node => {
    const index = iteration(task)!;
    const inner: Part = {
      id: `${part.id}[${index}]`,
      title: itemOf(task) ?? `${body ? "iteration" : part.title} ${index}`,
      kind: body ? "iteration" : "step",
      component: part.component,
      task,
      condition: undefined,
    };
    return body ? group(world, inner) : node(world, inner);
  });
  return { ...node(world, part), children };
}

/** A task that the pipeline we have does not mention: shown as it is. */
function unplanned(world: World, parent: string, task: Task): Node {
  const below = world.children.get(task.task_id) ?? [];
  const index = iteration(task);
  const id = index === undefined ? path(parent, task.name) : `${path(parent, task.name)}[${index}]`;
  const kind: NodeKind = below.length ? "group" : task.type === "IMPORTER" ? "importer" : "step";
  const part: Part = { id, title: task.display_name || task.name, kind, component: undefined, task, condition: undefined };
  return below.length ? group(world, part) : node(world, part);
}

function node(world: World, part: Part): Node {
  const { id, title, kind, task, condition } = part;
  const state = task?.state ?? world.unborn;
  return { id, title, kind, task, condition, state, image: undefined, children: [], edges: [] };
}

function kindOf(spec: TaskSpec, component: Component | undefined, importer: boolean, task: Task | undefined): NodeKind {
  if (spec.parameterIterator || spec.artifactIterator || task?.type === "LOOP") return "loop";
  if (!component?.dag) return importer ? "importer" : "step";
  if (spec.triggerPolicy?.condition || task?.type === "CONDITION" || task?.type === "CONDITION_BRANCH") return "condition";
  return task?.type === "EXIT_HANDLER" ? "exit" : "group";
}

function producers(spec: TaskSpec): string[] {
  const found = new Set(spec.dependentTasks ?? []);
  for (const source of Object.values(spec.inputs?.parameters ?? {})) {
    if (source.taskOutputParameter?.producerTask) found.add(source.taskOutputParameter.producerTask);
  }
  for (const source of Object.values(spec.inputs?.artifacts ?? {})) {
    if (source.taskOutputArtifact?.producerTask) found.add(source.taskOutputArtifact.producerTask);
  }
  return [...found];
}

/** What this iteration is for, in a few words: of an object, its values. */
function itemOf(task: Task): string | undefined {
  const item = task.inputs?.parameters?.find(({ parameter_key: key }) => /loop-item(-param-\d+)?$/.test(key))?.value;
  if (item === null || item === undefined) return undefined;
  return (typeof item === "object" ? Object.values(item).flatMap(inWords) : [item]).join(", ") || undefined;
}

function inWords(part: unknown): string[] {
  if (typeof part !== "object" || part === null) return [String(part)];
  return Object.entries(part).map(([name, value]) => `${name}=${typeof value === "object" ? "…" : String(value)}`);
}

export function iteration(task: Task): number | undefined {
  const index = task.type_attributes?.iteration_index;
  return index === undefined || index === null || index === "" ? undefined : Number(index);
}

const path = (parent: string, name: string) => (parent ? `${parent}/${name}` : name);
