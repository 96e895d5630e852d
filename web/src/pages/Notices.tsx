// Notices: who is told of what happens to runs, and whether it arrived.

import { useState } from "react";

import { deleteNotice, listDeliveries, listNotices, testNotice, type NoticeRule } from "../api/automation";
import { useNow, usePolled } from "../live";
import { Action, Ago, Code, Complaint, Danger, Empty, Header, Loading } from "../parts/pieces";

export function Notices() {
  const { value, failure, refresh } = usePolled("notices", () => listNotices({ page_size: 200 }), () => 5000);
  const rules = value?.notices ?? [];
  return (
    <>
      <Header title="Notices" />
      <Complaint failure={failure} retry={refresh} />
      {!value && !failure && <Loading />}
      {value && rules.length === 0 && (
        <Empty title="Nobody is told of failures yet">
          <p>A rule tells a webhook or an e-mail address what happens to runs:</p>
          <Code label="Make a rule" text="fairway notices create --on failed --on late --email team@example.com" />
        </Empty>
      )}
      {rules.map((rule) => (
        <Rule key={rule.notice_id} rule={rule} done={refresh} />
      ))}
    </>
  );
}

function Rule({ rule, done }: { rule: NoticeRule; done: () => void }) {
  const [open, setOpen] = useState(false);
  const only = Object.entries(rule.only ?? {}).map(([key, of]) => `${key.replace(/_id$|_name$/, "").replaceAll("_", " ")} ${of}`);
  return (
    <section className="card spaced">
      <h2>{rule.display_name}</h2>
      <p>
        {rule.events.join(", ").toLowerCase()}
        {only.length > 0 && ` of ${only.join(", ")}`} → {rule.webhook?.url ?? rule.email?.to.join(", ")}
      </p>
      <div className="row">
        <Action label="Send a test" act={() => testNotice(rule.notice_id).then(() => setOpen(true))} />
        <button type="button" aria-expanded={open} onClick={() => setOpen(!open)}>
          Deliveries
        </button>
        <Danger label="Delete" sure="Delete the rule" act={() => deleteNotice(rule.notice_id).then(done)} />
      </div>
      {open && <Deliveries rule={rule.notice_id} />}
    </section>
  );
}

function Deliveries({ rule }: { rule: string }) {
  const { value, failure, refresh } = usePolled(`deliveries ${rule}`, () => listDeliveries(rule), () => 3000);
  const now = useNow(false);
  if (!value) return failure ? <Complaint failure={failure} retry={refresh} /> : <Loading />;
  const deliveries = value.deliveries ?? [];
  if (deliveries.length === 0) return <p className="quiet">Nothing was sent yet.</p>;
  return (
    <ul className="plain">
      {deliveries.map((delivery) => (
        <li key={delivery.delivery_id}>
          <span className={delivery.state === "FAILED" ? "bad" : ""}>{delivery.state.toLowerCase()}</span>
          <span>{delivery.event.toLowerCase()}</span>
          {delivery.run_id && <a href={`#/runs/details/${delivery.run_id}`}>its run</a>}
          <Ago time={delivery.created_at} now={now} />
          {delivery.error?.message && <small className="bad">{delivery.error.message}</small>}
        </li>
      ))}
    </ul>
  );
}
