// The list of runs, live, newest first.

import { useState } from "react";

import { isOver, listExperiments, listRuns, type Run } from "../api/pipelines";
import { duration } from "../format";
import { useNow, usePolled } from "../live";
import { Ago, Code, Complaint, Empty, Header, Loading } from "../parts/pieces";
import { State } from "../parts/State";

const PAGE = 50;

export function Runs() {
  return (
    <>
      <Header title="Runs" />
      <RunTable experiment={undefined} />
    </>
  );
}

/** The runs of one experiment, or of all. */
export function RunTable({ experiment }: { experiment: string | undefined }) {
  const [tokens, setTokens] = useState<string[]>([]);
  const [search, setSearch] = useState("");
  const token = tokens.at(-1) ?? "";
  const { value, failure, refresh } = usePolled(
    `runs ${experiment ?? ""} ${token} ${search}`,
    () =>
      listRuns({
        page_size: PAGE,
        sort_by: "created_at desc",
        page_token: token,
        ...(experiment ? { experiment_id: experiment } : {}),
        ...(search ? { filter: nameContains(search) } : {}),
      }),
    (page) => ((page.runs ?? []).some((run) => !isOver(run.state)) ? 1000 : 3000),
  );
  const names = usePolled("experiment names", () => listExperiments({ page_size: 200 }), () => 10_000).value?.experiments;
  const runs = value?.runs ?? [];
  const now = useNow(runs.some((run) => !isOver(run.state)));
  const experimentName = (run: Run) =>
    names?.find((candidate) => candidate.experiment_id === run.experiment_id)?.display_name ?? "";

  if (!value && !failure) return <Loading />;
  const nothingYet = value && runs.length === 0 && !search && !token;
  return (
    <>
      <Complaint failure={failure} retry={refresh} />
      {nothingYet ? (
        <HowToRun />
      ) : (
        <>
          <input
            type="search"
            className="search"
            placeholder="Search by name"
            aria-label="Search runs by name"
            value={search}
            onChange={(event) => {
              setSearch(event.target.value);
              setTokens([]);
            }}
          />
          <div className="table-frame">
            <table>
              <thead>
                <tr>
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
                    <td>
                      <State state={run.state} />
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
            {runs.length === 0 && <p className="loading">No run has such a name.</p>}
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

function nameContains(text: string): string {
  return JSON.stringify({ predicates: [{ operation: "IS_SUBSTRING", key: "display_name", string_value: text }] });
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
