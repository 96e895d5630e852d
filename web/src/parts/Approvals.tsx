// Questions that steps ask before they start, and the two answers.

import { useState } from "react";

import { decide, listApprovals, listWaiting, type Approval } from "../api/control";
import { useNow, usePolled } from "../live";
import { Action, Ago, Complaint } from "./pieces";

/** The questions of one run that wait for an answer. */
export function RunApprovals({ run, live }: { run: string; live: boolean }) {
  const { value, failure, refresh } = usePolled(`approvals ${run} ${live}`, () => listApprovals(run), () => (live ? 1500 : 0));
  const waiting = (value?.approvals ?? []).filter((asked) => asked.state === "WAITING");
  if (failure) return <Complaint failure={failure} retry={refresh} />;
  return (
    <>
      {waiting.map((asked) => (
        <Question key={asked.task_id} asked={asked} answered={refresh} />
      ))}
    </>
  );
}

/** All that waits for somebody, for the home page; nothing where nothing does. */
export function Waiting() {
  const { value, refresh } = usePolled("waiting approvals", listWaiting, () => 3000);
  const waiting = value?.approvals ?? [];
  if (waiting.length === 0) return null;
  return (
    <section className="card whole">
      <h2>Waiting for you</h2>
      {waiting.map((asked) => (
        <Question key={asked.task_id} asked={asked} answered={refresh} link />
      ))}
    </section>
  );
}

function Question({ asked, answered, link = false }: { asked: Approval; answered: () => void; link?: boolean }) {
  const [comment, setComment] = useState("");
  const now = useNow(false);
  const answer = (verdict: "approve" | "reject") => () => decide(asked, verdict, comment).then(answered);
  return (
    <div className="question" role="group" aria-label={asked.message ?? "Approval"}>
      <p>
        <strong>{asked.message || "May this step start?"}</strong>{" "}
        <small>
          {link ? <a href={`#/runs/details/${asked.run_id}`}>{asked.display_name || asked.task_id}</a> : asked.display_name},
          asked <Ago time={asked.asked_at} now={now} />
        </small>
      </p>
      <div className="row">
        <input
          type="text"
          placeholder="Comment (optional)"
          aria-label="Comment"
          value={comment}
          onChange={(event) => setComment(event.target.value)}
        />
        <Action label="Approve" act={answer("approve")} primary />
        <Action label="Reject" act={answer("reject")} />
      </div>
    </div>
  );
}
