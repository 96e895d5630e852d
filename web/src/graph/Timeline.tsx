// When each step waited and ran, one bar a step: where the time of a run went.

import { duration, moment, span } from "../format";
import { StateIcon } from "../parts/State";
import { isGroup, type Node } from "./model";

interface Props {
  nodes: readonly Node[];
  now: number;
  chosen: string | undefined;
  choose: (id: string) => void;
}

interface Bar {
  node: Node;
  depth: number;
  created: number;
  started: number;
  ended: number;
}

const MOST = 500;
const TICKS = 5;

export function Timeline({ nodes, now, chosen, choose }: Props) {
  const all = bars(nodes, now);
  if (all.length === 0) return <p className="quiet">Nothing has begun yet.</p>;
  const begin = Math.min(...all.map((bar) => bar.created));
  const length = Math.max(...all.map((bar) => bar.ended)) - begin || 1;
  const share = (from: number, to: number) => `${((to - from) / length) * 100}%`;
  return (
    <div className="timeline" role="list" aria-label="Steps by time">
      <div className="timeline-scale" aria-hidden="true">
        {Array.from({ length: TICKS + 1 }, (_, tick) => (
          <span key={tick} style={{ left: `${(tick / TICKS) * 100}%` }}>
            {span((tick / TICKS) * length)}
          </span>
        ))}
      </div>
      {all.slice(0, MOST).map(({ node, depth, created, started, ended }) => (
        <button
          type="button"
          role="listitem"
          key={node.id}
          className={`timeline-row ${node.id === chosen ? "chosen" : ""}`}
          onClick={() => choose(node.id)}
        >
          <span className="timeline-name" style={{ paddingLeft: depth * 14 }}>
            <StateIcon state={node.state} /> <span>{node.title}</span>
          </span>
          <span className="timeline-track">
            <i className="waited" style={{ left: share(begin, created), width: share(created, started) }} />
            <i
              className={`ran is-${node.state.toLowerCase()} ${isGroup(node) ? "of-group" : ""}`}
              style={{ left: share(begin, started), width: share(started, ended) }}
              title={`${duration(node.task?.start_time ?? node.task?.create_time, node.task?.end_time, now)}${
                started > created ? `, after waiting ${span(started - created)}` : ""
              }`}
            />
          </span>
        </button>
      ))}
      {all.length > MOST && <p className="quiet">… and {all.length - MOST} more</p>}
    </div>
  );
}

/** Whatever has begun, groups before what is in them, in the order of beginning. */
export function bars(nodes: readonly Node[], now: number, depth = 0): Bar[] {
  return nodes
    .flatMap((node) => {
      const created = moment(node.task?.create_time);
      if (created === undefined) return [];
      const ended = moment(node.task?.end_time) ?? now;
      const started = Math.min(moment(node.task?.start_time) ?? ended, ended);
      return [{ node, depth, created, started, ended }];
    })
    .sort((a, b) => a.created - b.created || a.started - b.started)
    .flatMap((bar) => [bar, ...bars(bar.node.children, now, depth + 1)]);
}

