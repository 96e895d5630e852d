// What a step measured: scalars as a table, a confusion matrix, a ROC curve. Read from the artifacts' metadata in
// the shapes that Kubeflow's Metrics and ClassificationMetrics write.

import type { Artifact } from "../api/pipelines";
import { metric } from "../format";

export interface Matrix {
  labels: string[];
  /** rows[truth][prediction] */
  rows: number[][];
}

export interface RocPoint {
  falsePositive: number;
  truePositive: number;
  threshold: number;
}

export function scalars(artifact: Artifact): [string, number][] {
  const found = Object.entries(artifact.metadata ?? {}).filter(
    (entry): entry is [string, number] => typeof entry[1] === "number" && entry[0] !== "display_name",
  );
  if (!found.length && artifact.number_value !== undefined) return [[artifact.name ?? "value", artifact.number_value]];
  return found;
}

/** Whoever writes an artifact writes its metadata: what has another shape than it should is not drawn. */
export function matrixOf(artifact: Artifact): Matrix | undefined {
  const raw = fields(unwrapped(artifact.metadata?.["confusionMatrix"]));
  const rows = list(raw["rows"]).map((each) => list(fields(each)["row"]).map(number));
  if (!rows.length) return undefined;
  return { labels: list(raw["annotationSpecs"]).map((each) => text(fields(each)["displayName"])), rows };
}

export function rocOf(artifact: Artifact): RocPoint[] | undefined {
  const points = list(unwrapped(artifact.metadata?.["confidenceMetrics"])).map(fields);
  if (!points.length) return undefined;
  return points.map((point) => ({
    threshold: number(point["confidenceThreshold"]),
    truePositive: number(point["recall"]),
    falsePositive: number(point["falsePositiveRate"]),
  }));
}

const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
const fields = (value: unknown): Record<string, unknown> => (value && typeof value === "object" ? (value as Record<string, unknown>) : {});
const number = (value: unknown): number => (typeof value === "number" && Number.isFinite(value) ? value : 0);
const text = (value: unknown): string => (typeof value === "string" ? value : "");

/** Kubeflow's executor wraps structured metadata in {"struct": ...} or {"list": ...} at times. */
function unwrapped(value: unknown): unknown {
  if (value && typeof value === "object") {
    if ("struct" in value) return value.struct;
    if ("list" in value) return value.list;
  }
  return value;
}

export function Scalars({ values }: { values: [string, number][] }) {
  return (
    <table className="compact">
      <thead>
        <tr>
          <th>Metric</th>
          <th className="number">Value</th>
        </tr>
      </thead>
      <tbody>
        {values.map(([name, value]) => (
          <tr key={name}>
            <td>{name}</td>
            <td className="number" title={String(value)}>
              {metric(value)}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

export function ConfusionMatrix({ matrix }: { matrix: Matrix }) {
  const most = Math.max(1, ...matrix.rows.flat());
  const name = (index: number) => matrix.labels[index] || String(index);
  return (
    <table className="matrix">
      <caption>Confusion matrix: truth in rows, prediction in columns</caption>
      <thead>
        <tr>
          <td />
          {matrix.rows.map((_, column) => (
            <th key={column} scope="col">
              {name(column)}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {matrix.rows.map((row, index) => (
          <tr key={index}>
            <th scope="row">{name(index)}</th>
            {row.map((count, column) => (
              <td
                key={column}
                style={{ "--share": `${Math.round((count / most) * 100)}%` } as React.CSSProperties}
                className={count / most > 0.7 ? "strong" : ""}
                title={`${count} of truth ${name(index)} predicted as ${name(column)}`}
              >
                {count}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

const SIDE = 240;
const EDGE = 34;

export function RocCurve({ points }: { points: RocPoint[] }) {
  const sorted = [...points].sort((a, b) => a.falsePositive - b.falsePositive || a.truePositive - b.truePositive);
  const x = (rate: number) => EDGE + rate * SIDE;
  const y = (rate: number) => 8 + (1 - rate) * SIDE;
  const line = sorted.map((point) => `${x(point.falsePositive).toFixed(1)},${y(point.truePositive).toFixed(1)}`).join(" ");
  const area = areaUnder(sorted);
  return (
    <figure className="roc">
      <svg viewBox={`0 0 ${SIDE + EDGE + 8} ${SIDE + EDGE + 8}`} role="img" aria-label={`ROC curve, area ${metric(area)}`}>
        {[0, 0.25, 0.5, 0.75, 1].map((tick) => (
          <g key={tick} className="tick">
            <path d={`M${x(tick)} ${y(0)}V${y(1)}M${x(0)} ${y(tick)}H${x(1)}`} />
            <text x={x(tick)} y={y(0) + 14} textAnchor="middle">
              {tick}
            </text>
            <text x={x(0) - 6} y={y(tick) + 4} textAnchor="end">
              {tick}
            </text>
          </g>
        ))}
        <path className="chance" d={`M${x(0)} ${y(0)}L${x(1)} ${y(1)}`} />
        <polygon className="under" points={`${x(0)},${y(0)} ${line} ${x(1)},${y(0)}`} />
        <polyline className="curve" points={line} />
        {sorted.length <= 60 &&
          sorted.map((point, index) => (
            <circle key={index} cx={x(point.falsePositive)} cy={y(point.truePositive)} r="2.5">
              <title>{`threshold ${metric(point.threshold)}: ${metric(point.truePositive)} true, ${metric(point.falsePositive)} false positives`}</title>
            </circle>
          ))}
        <text className="axis" x={x(0.5)} y={y(0) + 29} textAnchor="middle">
          false positive rate
        </text>
      </svg>
      <figcaption>True over false positive rate; area under the curve {metric(area)}</figcaption>
    </figure>
  );
}

/** By trapezoids, from (0, 0) to (1, 1). */
export function areaUnder(sorted: RocPoint[]): number {
  let [area, x, y] = [0, 0, 0];
  for (const point of [...sorted, { falsePositive: 1, truePositive: 1, threshold: 0 }]) {
    area += ((point.falsePositive - x) * (point.truePositive + y)) / 2;
    [x, y] = [point.falsePositive, point.truePositive];
  }
  return area;
}
