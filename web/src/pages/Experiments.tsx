// Experiments: names under which runs are kept together.

import { getExperiment, listExperiments } from "../api/pipelines";
import { useNow, usePolled } from "../live";
import { Ago, Code, Complaint, Empty, Header, Loading } from "../parts/pieces";
import { RunTable } from "./Runs";

export function Experiments() {
  const { value, failure, refresh } = usePolled(
    "experiments",
    () => listExperiments({ page_size: 200, sort_by: "created_at desc" }),
    () => 5000,
  );
  const now = useNow(false);
  const experiments = value?.experiments ?? [];
  return (
    <>
      <Header title="Experiments" />
      <Complaint failure={failure} retry={refresh} />
      {!value && !failure && <Loading />}
      {value && experiments.length === 0 && (
        <Empty title="No experiments yet">
          <p>Runs are kept together by the experiment that they are submitted to; the first run makes “Default”.</p>
          <Code label="Submit to an experiment" text={'client.create_run_from_pipeline_func(hello, experiment_name="First steps")'} />
        </Empty>
      )}
      {experiments.length > 0 && (
        <div className="table-frame">
          <table>
            <thead>
              <tr>
                <th>Name</th>
                <th>Description</th>
                <th>Last run</th>
                <th>Created</th>
              </tr>
            </thead>
            <tbody>
              {experiments.map((experiment) => (
                <tr key={experiment.experiment_id}>
                  <td>
                    <a href={`#/experiments/details/${experiment.experiment_id}`}>{experiment.display_name}</a>
                  </td>
                  <td className="wide">{experiment.description}</td>
                  <td>
                    <Ago time={experiment.last_run_created_at} now={now} />
                  </td>
                  <td>
                    <Ago time={experiment.created_at} now={now} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </>
  );
}

export function ExperimentPage({ id }: { id: string }) {
  const { value, failure, refresh } = usePolled(`experiment ${id}`, () => getExperiment(id), () => 0);
  if (!value) return failure ? <Complaint failure={failure} retry={refresh} /> : <Loading />;
  return (
    <>
      <Header title={value.display_name} back={["Experiments", "#/experiments"]} />
      {value.description && <p className="summary">{value.description}</p>}
      <RunTable experiment={id} />
    </>
  );
}
