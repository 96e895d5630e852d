// Experiments: names under which runs are kept together.

import { getExperiment, listExperiments } from "../api/pipelines";
import { useNow, usePolled } from "../live";
import { Ago, Code, Complaint, Empty, Header, Loading } from "../parts/pieces";
import { Listed } from "../parts/Table";
import { RunTable } from "./Runs";

export function Experiments() {
  const { value, failure, refresh } = usePolled(
    "experiments",
    () => listExperiments({ page_size: 200, sort_by: "created_at desc" }),
    () => 5000,
  );
  const now = useNow(false);
  return (
    <>
      <Header title="Experiments" />
      <Listed
        rows={value && (value.experiments ?? [])}
        failure={failure}
        retry={refresh}
        none={<NoExperiments />}
        idOf={(experiment) => experiment.experiment_id}
        columns={[
          { head: "Name", cell: ({ experiment_id: id, display_name: name }) => <a href={`#/experiments/details/${id}`}>{name}</a> },
          { head: "Description", as: "wide", cell: (experiment) => experiment.description },
          { head: "Last run", cell: (experiment) => <Ago time={experiment.last_run_created_at} now={now} /> },
          { head: "Created", cell: (experiment) => <Ago time={experiment.created_at} now={now} /> },
        ]}
      />
    </>
  );
}

function NoExperiments() {
  return (
    <Empty title="No experiments yet">
      <p>Runs are kept together by the experiment that they are submitted to; the first run makes “Default”.</p>
      <Code label="Submit to an experiment" text={'client.create_run_from_pipeline_func(hello, experiment_name="First steps")'} />
    </Empty>
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
