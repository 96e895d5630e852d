// A run or a recurring run, by a form: which pipeline, with what, once or again and again.

import { useEffect, useState } from "react";

import { asFailure, type Failure } from "../api/http";
import {
  bareSpec,
  createRun,
  getRun,
  listExperiments,
  listPipelines,
  listVersions,
  type Run,
  type SpecDocument,
  type Template,
} from "../api/pipelines";
import { createSchedule } from "../api/schedules";
import { usePolled } from "../live";
import { complaintOf, ParameterFields, typedOf, valuesOf, type Typed } from "../parts/ParameterFields";
import { Complaint, Header, Loading } from "../parts/pieces";
import { ScheduleFields, triggerOf, usual } from "../parts/ScheduleFields";
import { useAddress } from "../router";

export function NewRun() {
  const { query } = useAddress();
  const from = query.get("from");
  const source = usePolled(`source ${from}`, () => (from ? getRun(from) : Promise.resolve(undefined)), () => 0);
  const version = source.value?.pipeline_version_reference;
  if (from && !source.value) return source.failure ? <Complaint failure={source.failure} retry={source.refresh} /> : <Loading />;
  return (
    <Form
      key={from ?? ""}
      source={source.value}
      pipeline={version?.pipeline_id ?? query.get("pipeline") ?? ""}
      version={version?.pipeline_version_id ?? query.get("version") ?? ""}
      recurring={query.has("recurring")}
    />
  );
}

interface Start {
  source: Run | undefined;
  pipeline: string;
  version: string;
  recurring: boolean;
}

function Form({ source, ...start }: Start) {
  const own = source?.pipeline_spec;
  const [pipeline, setPipeline] = useState(start.pipeline);
  const [version, setVersion] = useState(start.version);
  const [newest, setNewest] = useState(false);
  const [name, setName] = useState(source ? `${source.display_name} again`.slice(0, 128) : "");
  const [experiment, setExperiment] = useState(source?.experiment_id ?? "");
  const [typed, setTyped] = useState<Typed>(typedOf(source?.runtime_config?.parameters));
  const [recurring, setRecurring] = useState(start.recurring);
  const [timing, setTiming] = useState(usual);
  const [failure, setFailure] = useState<Failure>();
  const [busy, setBusy] = useState(false);

  const pipelines = usePolled("pipelines to run", () => listPipelines({ page_size: 200, sort_by: "created_at desc" }), () => 0).value?.pipelines;
  const versions = usePolled(
    `versions to run ${pipeline}`,
    () => (pipeline ? listVersions(pipeline, { page_size: 100, sort_by: "created_at desc" }) : Promise.resolve(undefined)),
    () => 0,
  ).value?.pipeline_versions;
  const experiments = usePolled("experiments to run in", () => listExperiments({ page_size: 200 }), () => 0).value?.experiments;
  const fromPackage = own !== undefined && !start.pipeline;
  useEffect(() => {
    if (!fromPackage && !pipeline && pipelines?.[0]) setPipeline(pipelines[0].pipeline_id);
  }, [fromPackage, pipeline, pipelines]);

  const chosen = versions?.find((candidate) => candidate.pipeline_version_id === version) ?? versions?.[0];
  const document: SpecDocument | undefined = fromPackage ? own : chosen?.pipeline_spec;
  const spec = bareSpec(document);
  const definitions = spec?.root?.inputDefinitions?.parameters ?? {};
  const missing = !document ? "Choose a pipeline." : recurring && !name ? "A recurring run needs a name." : complaintOf(definitions, typed);

  const submit = async () => {
    setBusy(true);
    try {
      const template: Template = {
        display_name: name,
        ...(experiment ? { experiment_id: experiment } : {}),
        ...(fromPackage && own ? { pipeline_spec: own } : { pipeline_version_reference: reference() }),
        runtime_config: { parameters: valuesOf(definitions, typed) },
      };
      if (!recurring) return location.assign(`#/runs/details/${(await createRun(template)).run_id}`);
      const made = await createSchedule({
        ...template,
        trigger: triggerOf(timing),
        max_concurrency: timing.concurrency || "1",
        no_catchup: !timing.catchup,
        mode: "ENABLE",
        ...(timing.late ? { late_after_seconds: String(Number(timing.late) * 60) } : {}),
      });
      location.assign(`#/recurringruns/details/${made.recurring_run_id}`);
    } catch (error) {
      setFailure(asFailure(error));
      setBusy(false);
    }
  };
  const reference = () => ({
    pipeline_id: pipeline,
    ...(newest || !chosen ? {} : { pipeline_version_id: chosen.pipeline_version_id }),
  });

  return (
    <>
      <Header title={source ? `Run ${source.display_name} again` : "New run"} back={["Runs", "#/runs"]} />
      <form
        className="card form"
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        {fromPackage ? (
          <p>
            Pipeline <strong>{spec?.pipelineInfo?.name}</strong>, as that run had it
          </p>
        ) : (
          <div className="pair">
            <Choice label="Pipeline" value={pipeline} change={(id) => (setPipeline(id), setVersion(""))}>
              {(pipelines ?? []).map((each) => [each.pipeline_id, each.display_name])}
            </Choice>
            <Choice label="Version" value={chosen?.pipeline_version_id ?? ""} change={setVersion}>
              {(versions ?? []).map((each) => [each.pipeline_version_id, each.display_name])}
            </Choice>
          </div>
        )}
        {!fromPackage && recurring && (
          <label className="row">
            <input type="checkbox" checked={newest} onChange={(event) => setNewest(event.target.checked)} /> Always use the newest version
          </label>
        )}
        <div className="pair">
          <label className="field">
            <span>Name</span>
            <input type="text" maxLength={128} value={name} placeholder="made from the pipeline's name" onChange={(event) => setName(event.target.value)} />
          </label>
          <Choice label="Experiment" value={experiment} change={setExperiment}>
            {[["", "Default"], ...(experiments ?? []).filter((each) => each.display_name !== "Default").map((each) => [each.experiment_id, each.display_name] as [string, string])]}
          </Choice>
        </div>
        <h3>Parameters</h3>
        <ParameterFields definitions={definitions} typed={typed} change={setTyped} />
        <h3>When</h3>
        <fieldset className="choice">
          <legend>Start</legend>
          <label>
            <input type="radio" checked={!recurring} onChange={() => setRecurring(false)} /> once, now
          </label>
          <label>
            <input type="radio" checked={recurring} onChange={() => setRecurring(true)} /> again and again
          </label>
        </fieldset>
        {recurring && <ScheduleFields timing={timing} change={setTiming} />}
        <Complaint failure={failure} />
        <div className="row">
          <button type="submit" className="primary" disabled={busy || missing !== undefined}>
            {recurring ? "Create" : "Start"}
          </button>
          {missing && <span className="quiet">{missing}</span>}
        </div>
      </form>
    </>
  );
}

function Choice({ label, value, change, children }: { label: string; value: string; change: (value: string) => void; children: [string, string][] }) {
  return (
    <label className="field">
      <span>{label}</span>
      <select value={value} onChange={(event) => change(event.target.value)}>
        {children.map(([id, name]) => (
          <option key={id} value={id}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}
