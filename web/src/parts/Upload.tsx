// A compiled pipeline from a file, as a new pipeline or as a new version of one.

import { useState } from "react";

import { asFailure, Failure, type Failure as Problem } from "../api/http";
import { API, text } from "../api/pipelines";
import { Complaint } from "./pieces";

interface Props {
  /** The pipeline that gets a new version; without it a new pipeline is made. */
  pipeline?: string;
  done: (pipeline: string) => void;
}

export function Upload({ pipeline, done }: Props) {
  const [failure, setFailure] = useState<Problem>();
  const [busy, setBusy] = useState(false);
  const send = async (file: File) => {
    setBusy(true);
    setFailure(undefined);
    try {
      done(await upload(file, pipeline));
    } catch (error) {
      setFailure(asFailure(error));
    }
    setBusy(false);
  };
  return (
    <>
      <label className="button file">
        {busy ? "Uploading…" : pipeline ? "Upload a version" : "Upload a pipeline"}
        <input
          type="file"
          accept=".yaml,.yml,.zip,.gz,.tgz"
          disabled={busy}
          onChange={(event) => {
            const [file] = event.target.files ?? [];
            if (file) void send(file);
            event.target.value = "";
          }}
        />
      </label>
      <Complaint failure={failure} />
    </>
  );
}

async function upload(file: File, pipeline: string | undefined): Promise<string> {
  const form = new FormData();
  form.append("uploadfile", file);
  const name = file.name.replace(/\.(tar\.gz|tgz|ya?ml|zip|gz)$/, "");
  const path = pipeline
    ? `${API}/pipelines/upload_version${text({ name: `${name} ${new Date().toISOString().slice(0, 19)}`, pipelineid: pipeline })}`
    : `${API}/pipelines/upload${text({ name })}`;
  const answer = await fetch(path, { method: "POST", body: form, credentials: "same-origin" });
  const body = (await answer.json()) as { pipeline_id?: string; message?: string };
  if (!answer.ok || !body.pipeline_id) throw new Failure(body.message ?? `The server answered ${answer.status}.`, answer.status);
  return body.pipeline_id;
}
