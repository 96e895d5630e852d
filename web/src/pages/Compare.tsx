// Runs side by side: their parameters, what they measured, their curves. What differs stands out.

import { getRun, listTasks, type Artifact, type Run, type Task } from "../api/pipelines";
import { duration, metric, value as shown } from "../format";
import { usePolled } from "../live";
import { ConfusionMatrix, matrixOf, RocCurve, rocOf } from "../parts/Metrics";
import { Complaint, Empty, Header, Loading } from "../parts/pieces";
import { State } from "../parts/State";
import { useAddress } from "../router";

const MOST = 8;

interface Column {
  run: Run;
  made: Made[];
}

interface Made {
  /** The step and its output, as in "evaluate · metrics". */
  name: string;
  artifact: Artifact;
}

export function Compare() {
  const { query } = useAddress();
  const ids = (query.get("runs") ?? "").split(",").filter(Boolean).slice(0, MOST);
  const { value, failure, refresh } = usePolled(`compare ${ids.join()}`, () => Promise.all(ids.map(column)), () => 0);
  if (ids.length === 0) {
    return (
      <Empty title="Nothing to compare">
        <p>
          Choose two or more <a href="#/runs">runs</a> and press Compare.
        </p>
      </Empty>
    );
  }
  if (!value) return failure ? <Complaint failure={failure} retry={refresh} /> : <Loading />;
  return (
    <>
      <Header title={`Compare ${value.length} runs`} back={["Runs", "#/runs"]} />
      <div className="table-frame">
        <table className="compare">
          <thead>
            <tr>
              <th />
              {value.map(({ run }) => (
                <th key={run.run_id}>
                  <a href={`#/runs/details/${run.run_id}`}>{run.display_name}</a>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            <Row name="State" cells={value.map(({ run }) => <State state={run.state} />)} />
            <Row name="Duration" cells={value.map(({ run }) => duration(run.created_at, run.finished_at, Date.now()))} />
            <Rows title="Parameters" table={table(value, ({ run }) => Object.entries(run.runtime_config?.parameters ?? {}).map(([name, of]) => [name, shown(of)]))} />
            <Rows title="Metrics" table={table(value, numbers)} />
          </tbody>
        </table>
      </div>
      <Curves columns={value} />
    </>
  );
}

async function column(id: string): Promise<Column> {
  const [run, tasks] = await Promise.all([getRun(id), listTasks(id)]);
  return { run, made: tasks.flatMap(outputs) };
}

function outputs(task: Task): Made[] {
  return (task.outputs?.artifacts ?? []).flatMap((entry) =>
    (entry.artifacts ?? []).map((artifact) => ({ name: `${task.display_name || task.name} · ${entry.artifact_key}`, artifact })),
  );
}

/** The scalar metrics of a column, each of which is a record of its own; of several with one name (a loop), the last. */
function numbers({ made }: Column): [string, string][] {
  return made.flatMap(({ name, artifact: { number_value: number } }) => (number === undefined ? [] : [[name.replace("/", " · "), metric(number)]]));
}

/** One row for each name that any column has, with a text for each column. */
export function table<T>(columns: readonly T[], read: (column: T) => [string, string][]): [string, string[]][] {
  const known = columns.map((each) => new Map(read(each)));
  const names = [...new Set(known.flatMap((each) => [...each.keys()]))].sort();
  return names.map((name) => [name, known.map((each) => each.get(name) ?? "")]);
}

function Rows({ title, table: rows }: { title: string; table: [string, string[]][] }) {
  if (rows.length === 0) return null;
  return (
    <>
      <tr className="section">
        <th colSpan={99}>{title}</th>
      </tr>
      {rows.map(([name, cells]) => (
        <Row key={name} name={name} cells={cells} differs={new Set(cells).size > 1} />
      ))}
    </>
  );
}

function Row({ name, cells, differs = false }: { name: string; cells: React.ReactNode[]; differs?: boolean }) {
  return (
    <tr className={differs ? "differs" : ""}>
      <th scope="row">{name}</th>
      {cells.map((cell, index) => (
        <td key={index}>{cell}</td>
      ))}
    </tr>
  );
}

function Curves({ columns }: { columns: Column[] }) {
  const shownOf = columns.flatMap(({ run, made }) =>
    made
      .map(({ name, artifact }) => ({ run, name, matrix: matrixOf(artifact), roc: rocOf(artifact) }))
      .filter(({ matrix, roc }) => matrix ?? roc),
  );
  if (shownOf.length === 0) return null;
  return (
    <div className="cards compare-curves">
      {shownOf.map(({ run, name, matrix, roc }) => (
        <section className="card" key={`${run.run_id} ${name}`}>
          <h2>
            {run.display_name} <small>{name}</small>
          </h2>
          {matrix && <ConfusionMatrix matrix={matrix} />}
          {roc && <RocCurve points={roc} />}
        </section>
      ))}
    </div>
  );
}
