// The list of runs, live, newest first.

import { useState } from "react";

import { filterOf, isOver, listExperiments, listRuns, type Run } from "../api/pipelines";
import { duration } from "../format";
import { useNow, usePolled } from "../live";
import { Ago, Code, Complaint, Empty, Header, Loading } from "../parts/pieces";
import { State } from "../parts/State";

const PAGE = 50;

export function Runs() {
  return (
    <>
      <Header title="Runs">
        <a className="button primary" href="#/runs/new">
          New run
        </a>
      </Header>
      <RunTable />
    </>
  );
}

const STATES = ["RUNNING", "PENDING", "PAUSED", "SUCCEEDED", "FAILED", "CANCELED"];

/** The runs of one experiment, of one schedule, or of all. */
export function RunTable({ experiment, schedule }: { experiment?: string; schedule?: string }) {
  const [tokens, setTokens] = useState<string[]>([]);
  const [search, setSearch] = useState("");
  const [state, setState] = useState("");
  const [archived, setArchived] = useState(false);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const token = tokens.at(-1) ?? "";
  const filter = filterOf(
    { operation: "EQUALS", key: "storage_state", string_value: archived ? "ARCHIVED" : "AVAILABLE" },
    ...(search ? [{ operation: "IS_SUBSTRING", key: "display_name", string_value: search }] : []),
    ...(state ? [{ operation: "EQUALS", key: "state", string_value: state }] : []),
    ...(schedule ? [{ operation: "EQUALS", key: "recurring_run_id", string_value: schedule }] : []),
  );
  const { value, failure, refresh } = usePolled(
    `runs ${experiment ?? ""} ${token} ${filter}`,
    () =>
      listRuns({
        page_size: PAGE,
        sort_by: "created_at desc",
        page_token: token,
        filter,
        ...(experiment ? { experiment_id: experiment } : {}),
      }),
    (page) => ((page.runs ?? []).some((run) => !isOver(run.state)) ? 1000 : 3000),
  );
  const names = usePolled("experiment names", () => listExperiments({ page_size: 200 }), () => 10_000).value?.experiments;
  const runs = value?.runs ?? [];
  const now = useNow(runs.some((run) => !isOver(run.state)));
  const experimentName = (run: Run) =>
    names?.find((candidate) => candidate.experiment_id === run.experiment_id)?.display_name ?? "";

  if (!value && !failure) return <Loading />;
  const nothingYet = value && runs.length === 0 && !search && !token && !state && !archived && !schedule;
  const first = <T,>(change: (value: T) => void) => (value: T) => (change(value), setTokens([]));
  const toggle = (id: string) => setChosen(new Set(chosen.has(id) ? [...chosen].filter((each) => each !== id) : [...chosen, id]));
  return (
    <>
      <Complaint failure={failure} retry={refresh} />
      {nothingYet ? (
        <HowToRun />
      ) : (
        <>
          <div className="row">
            <input
              type="search"
              className="search"
              placeholder="Search by name"
              aria-label="Search runs by name"
              value={search}
              onChange={(event) => first(setSearch)(event.target.value)}
            />
            <select aria-label="State" value={state} onChange={(event) => first(setState)(event.target.value)}>
              <option value="">any state</option>
              {STATES.map((each) => (
                <option key={each} value={each}>
                  {each.toLowerCase()}
                </option>
              ))}
            </select>
            <label className="quiet">
              <input type="checkbox" checked={archived} onChange={(event) => first(setArchived)(event.target.checked)} /> archived
            </label>
            {chosen.size > 1 && (
              <a className="button" href={`#/compare?runs=${[...chosen].join()}`}>
                Compare {chosen.size}
              </a>
            )}
          </div>
          <div className="table-frame">
            <table>
              <thead>
                <tr>
                  <th aria-label="Compare" />
                  <th>State</th>
                  <th>Name</th>
                  <th>Duration</th>
                  <th>Started</th>
                  {!experiment && <th>Experiment</th>}
                </tr>
              </thead>
              <tbody>
                {runs.map((run) => (
                  <tr key={run.run_id}>
                    <td className="tick">
                      <input
                        type="checkbox"
                        aria-label={`Compare ${run.display_name}`}
                        checked={chosen.has(run.run_id)}
                        onChange={() => toggle(run.run_id)}
                      />
                    </td>
                    <td>
                      <State state={run.state} /> {run.late && <span className="badge bad">late</span>}
                    </td>
                    <td className="wide">
                      <a href={`#/runs/details/${run.run_id}`}>{run.display_name}</a>
                    </td>
                    <td>{duration(run.created_at, run.finished_at, now)}</td>
                    <td>
                      <Ago time={run.created_at} now={now} />
                    </td>
                    {!experiment && (
                      <td>
                        <a href={`#/experiments/details/${run.experiment_id}`}>{experimentName(run)}</a>
                      </td>
                    )}
                  </tr>
                ))}
              </tbody>
            </table>
            {runs.length === 0 && <p className="loading">No such run.</p>}
          </div>
          {(token || value?.next_page_token) && (
            <div className="pager">
              <button type="button" disabled={!token} onClick={() => setTokens(tokens.slice(0, -1))}>
                Newer
              </button>
              <button type="button" disabled={!value?.next_page_token} onClick={() => setTokens([...tokens, value!.next_page_token!])}>
                Older
              </button>
            </div>
          )}
        </>
      )}
    </>
  );
}

function HowToRun() {
  return (
    <Empty title="Nothing has run yet">
      <p>A pipeline is a Python function. Put this into a file, say hello.py:</p>
      <Code
        label="A first pipeline"
        text={`from kfp import dsl

@dsl.component
def greet(name: str) -> str:
    return f"Hello, {name}"

@dsl.pipeline
def hello(name: str = "world"):
    greet(name=name)`}
      />
      <p>and run it:</p>
      <Code label="Run it" text="fairway run hello.py" />
    </Empty>
  );
}
