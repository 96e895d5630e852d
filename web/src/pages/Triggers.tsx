// Triggers: which events start runs by themselves.

import { deleteTrigger, getTrigger, listTriggers, switchTrigger, type TriggerRecord } from "../api/automation";
import { exact, value as shown } from "../format";
import { useNow, usePolled } from "../live";
import { Action, Ago, Code, Complaint, Danger, Empty, Facts, Header, Loading } from "../parts/pieces";
import { Listed } from "../parts/Table";

export function Triggers() {
  const { value, failure, refresh } = usePolled(
    "triggers",
    () => listTriggers({ page_size: 200, sort_by: "created_at desc" }),
    () => 5000,
  );
  const now = useNow(false);
  return (
    <>
      <Header title="Triggers" />
      <Listed
        rows={value && (value.triggers ?? [])}
        failure={failure}
        retry={refresh}
        none={<NoTriggers />}
        idOf={(trigger) => trigger.trigger_id}
        columns={[
          { head: "Name", as: "wide", cell: ({ trigger_id: id, display_name: name }) => <a href={`#/triggers/details/${id}`}>{name}</a> },
          { head: "Starts on", as: "wide", cell: source },
          { head: "Last", cell: (trigger) => <Ago time={trigger.fired_at} now={now} /> },
          { head: "Status", cell: (trigger) => (trigger.error?.message ? <span className="bad">failing</span> : trigger.status === "DISABLED" ? "off" : "on") },
        ]}
      />
    </>
  );
}

function NoTriggers() {
  return (
    <Empty title="No event starts a run yet">
      <p>A run can be started by another run's end, by an artifact that is new or changed, or by a call from elsewhere:</p>
      <Code label="Make a trigger" text="fairway triggers create hello.py --on-run-of prepare-data" />
    </Empty>
  );
}

export function TriggerPage({ id }: { id: string }) {
  const { value, failure, refresh } = usePolled(`trigger ${id}`, () => getTrigger(id), () => 5000);
  if (!value) return failure ? <Complaint failure={failure} retry={refresh} /> : <Loading />;
  const off = value.status === "DISABLED";
  const reference = value.pipeline_version_reference;
  return (
    <>
      <Header title={value.display_name} back={["Triggers", "#/triggers"]}>
        <Action label={off ? "Turn on" : "Turn off"} act={() => switchTrigger(id, off).then(refresh)} />
        <Danger label="Delete" sure="Delete for ever" act={() => deleteTrigger(id).then(() => location.assign("#/triggers"))} />
      </Header>
      {value.error?.message && (
        <div className="complaint" role="alert">
          {value.error.message}
        </div>
      )}
      <Facts
        facts={[
          ["Starts on", source(value)],
          ["Status", off ? "off" : "on"],
          ["Last", exact(value.fired_at)],
          ["Description", value.description],
          ["Pipeline", reference?.pipeline_id && <a href={`#/pipelines/details/${reference.pipeline_id}`}>{reference.pipeline_id}</a>],
          ["Parameters", value.runtime_config?.parameters && <pre className="value">{shown(value.runtime_config.parameters)}</pre>],
          ["At a time", value.max_concurrency],
          ["Call it", value.webhook && <code>POST /apis/v2beta1/triggers/{id}:fire</code>],
          ["Trigger id", <code>{id}</code>],
          ["Created", exact(value.created_at)],
        ]}
      />
    </>
  );
}

/** "run of prepare-data that succeeded", "artifact model", "call". */
function source({ run, artifact, webhook }: TriggerRecord): string {
  if (run) {
    const which = run.pipeline_name ?? run.recurring_run_id ?? run.experiment_id ?? "any pipeline";
    return `the end of a run of ${which} (${(run.states ?? ["SUCCEEDED"]).join(", ").toLowerCase()})`;
  }
  if (artifact) return artifact.uri ? `a change of ${artifact.uri}` : `a new artifact ${artifact.name ?? artifact.type ?? ""}`;
  return webhook ? "a call with its token" : "";
}
