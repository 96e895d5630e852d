// Pipelines that were uploaded, their versions, and what a version will do.

import { useMemo } from "react";

import { bareSpec, deletePipeline, getPipeline, listPipelines, listVersions } from "../api/pipelines";
import { Graph } from "../graph/Graph";
import { rootNode } from "../graph/model";
import { useNow, usePolled } from "../live";
import { Ago, Code, Complaint, Danger, Empty, Facts, Header, Loading, Tabs } from "../parts/pieces";
import { Listed } from "../parts/Table";
import { Upload } from "../parts/Upload";

export function Pipelines() {
  const { value, failure, refresh } = usePolled(
    "pipelines",
    () => listPipelines({ page_size: 200, sort_by: "created_at desc" }),
    () => 5000,
  );
  const now = useNow(false);
  return (
    <>
      <Header title="Pipelines">
        <Upload done={(id) => location.assign(`#/pipelines/details/${id}`)} />
      </Header>
      <Listed
        rows={value && (value.pipelines ?? [])}
        failure={failure}
        retry={refresh}
        none={<NoPipelines />}
        idOf={(pipeline) => pipeline.pipeline_id}
        columns={[
          { head: "Name", cell: ({ pipeline_id: id, display_name: name }) => <a href={`#/pipelines/details/${id}`}>{name}</a> },
          { head: "Description", as: "wide", cell: (pipeline) => pipeline.description },
          { head: "Uploaded", cell: (pipeline) => <Ago time={pipeline.created_at} now={now} /> },
        ]}
      />
    </>
  );
}

function NoPipelines() {
  return (
    <Empty title="No pipelines uploaded">
      <p>Runs need no upload. To share a pipeline, give it a name here:</p>
      <Code label="Upload a pipeline" text={'client.upload_pipeline_from_pipeline_func(hello, pipeline_name="hello")'} />
    </Empty>
  );
}

export function PipelinePage({ id, version }: { id: string; version: string | undefined }) {
  const pipeline = usePolled(`pipeline ${id}`, () => getPipeline(id), () => 0);
  const versions = usePolled(`versions ${id}`, () => listVersions(id, { page_size: 100, sort_by: "created_at desc" }), () => 0);
  const now = useNow(false);
  const all = versions.value?.pipeline_versions ?? [];
  const shown = all.find((candidate) => candidate.pipeline_version_id === version) ?? all[0];
  const root = useMemo(() => rootNode(bareSpec(shown?.pipeline_spec), undefined), [shown]);
  const failure = pipeline.failure ?? versions.failure;
  if (!pipeline.value || !versions.value) return failure ? <Complaint failure={failure} retry={pipeline.refresh} /> : <Loading />;
  return (
    <>
      <Header title={pipeline.value.display_name} back={["Pipelines", "#/pipelines"]}>
        <label>
          Version{" "}
          <select
            value={shown?.pipeline_version_id ?? ""}
            onChange={(event) => location.assign(`#/pipelines/details/${id}/version/${event.target.value}`)}
          >
            {all.map((candidate) => (
              <option key={candidate.pipeline_version_id} value={candidate.pipeline_version_id}>
                {candidate.display_name}
              </option>
            ))}
          </select>
        </label>
        {shown && (
          <a className="button primary" href={`#/runs/new?pipeline=${id}&version=${shown.pipeline_version_id}`}>
            Run
          </a>
        )}
        {shown && (
          <a className="button" href={`#/runs/new?recurring=1&pipeline=${id}&version=${shown.pipeline_version_id}`}>
            Schedule
          </a>
        )}
        <Upload pipeline={id} done={versions.refresh} />
        <Danger label="Delete" sure="Delete it with its versions" act={() => deletePipeline(id).then(() => location.assign("#/pipelines"))} />
      </Header>
      {!shown && <p className="quiet">This pipeline has no versions.</p>}
      {shown && (
        <Tabs
          label="Views of the pipeline"
          tabs={[
            {
              name: "Graph",
              content: () => <Graph nodes={root.children} edges={root.edges} chosen={undefined} now={now} wanted={undefined} />,
            },
            {
              name: "Details",
              content: () => (
                <Facts
                  facts={[
                    ["Pipeline id", <code>{id}</code>],
                    ["Version id", <code>{shown.pipeline_version_id}</code>],
                    ["Description", shown.description ?? pipeline.value!.description],
                    ["Uploaded", <Ago time={shown.created_at} now={now} />],
                  ]}
                />
              ),
            },
            { name: "Specification", content: () => <Code label="Specification" text={JSON.stringify(shown.pipeline_spec, null, 2)} /> },
          ]}
        />
      )}
    </>
  );
}
