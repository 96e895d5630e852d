// A form that asks a model: an example that fits it, its answer, and the same request for a terminal.

import { useEffect, useState } from "react";

import { asFailure, Failure, json, send } from "../api/http";
import { example, type Metadata, type Protocol } from "../example";
import { span } from "../format";
import { Code, Complaint } from "../parts/pieces";

interface Reply {
  status: number;
  took: number;
  text: string;
}

export function TryIt({ path, name, publicUrl, ready }: { path: string; name: string; publicUrl: string; ready: boolean }) {
  const [protocol, setProtocol] = useState<Protocol>("V1");
  const [edited, setEdited] = useState<Partial<Record<Protocol, string>>>({});
  const [metadata, setMetadata] = useState<Metadata | null>(); // null where the model does not say
  const [reply, setReply] = useState<Reply>();
  const [failure, setFailure] = useState<Failure>();
  const [busy, setBusy] = useState(false);

  useEffect(() => {
    if (!ready) return;
    const stop = new AbortController();
    // Only to make the example fit: without it, the example has four columns.
    json<Metadata>(`/gateway/${path}/v2/models/${name}`, { signal: stop.signal }).then(setMetadata, () => {
      if (!stop.signal.aborted) setMetadata(null);
    });
    return () => stop.abort();
  }, [path, name, ready]);

  const body = edited[protocol] ?? example(protocol, metadata ?? undefined);
  // An example that may not fit yet is not sent.
  const sendable = !busy && ready && (metadata !== undefined || edited[protocol] !== undefined);
  const endpoint = protocol === "V1" ? `${path}/v1/models/${name}:predict` : `${path}/v2/models/${name}/infer`;
  const ask = async () => {
    setBusy(true);
    setFailure(undefined);
    const begun = performance.now();
    try {
      JSON.parse(body);
      const answer = await send(`/gateway/${endpoint}`, { method: "POST", body });
      setReply({ status: answer.status, text: pretty(await answer.text()), took: performance.now() - begun });
    } catch (error) {
      setReply(undefined);
      setFailure(error instanceof SyntaxError ? new Failure(`The request is not JSON: ${error.message}.`, 0) : asFailure(error));
    }
    setBusy(false);
  };
  const oneLine = body.replace(/\s*\n\s*/g, " ");
  const curl = `curl ${publicUrl}/${endpoint} \\\n  -H "Authorization: Bearer $(fairway token)" \\\n  -H "Content-Type: application/json" \\\n  -d '${oneLine.replaceAll("'", "'\\''")}'`;

  return (
    <div className="try">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void ask();
        }}
      >
        <fieldset className="choice">
          <legend>Protocol</legend>
          {(["V1", "V2"] as const).map((option) => (
            <label key={option}>
              <input type="radio" name="protocol" checked={protocol === option} onChange={() => setProtocol(option)} />
              {option === "V1" ? "V1 (predict)" : "V2 (Open Inference)"}
            </label>
          ))}
        </fieldset>
        <label htmlFor="request">Request</label>
        <textarea
          id="request"
          spellCheck={false}
          rows={9}
          value={body}
          onChange={(event) => setEdited({ ...edited, [protocol]: event.target.value })}
          onKeyDown={(event) => {
            if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && sendable) void ask();
          }}
        />
        <div className="row">
          <button type="submit" className="primary" disabled={!sendable}>
            {busy ? "Asking…" : "Send"}
          </button>
          {!ready && <span className="quiet">The service is not ready yet.</span>}
          {ready && <span className="quiet">Ctrl+Enter sends</span>}
        </div>
      </form>
      <section aria-live="polite">
        <h3>Answer</h3>
        <Complaint failure={failure} />
        {!reply && !failure && <p className="quiet">Comes here.</p>}
        {reply && (
          <>
            <p className={reply.status < 400 ? "quiet" : "bad"}>
              {reply.status} in {span(reply.took)}
            </p>
            <Code text={reply.text} label="Answer" />
          </>
        )}
        <h3>From a terminal</h3>
        <Code text={curl} label="The same request with curl" />
      </section>
    </div>
  );
}

function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
