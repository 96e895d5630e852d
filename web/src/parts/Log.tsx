// A log as it is written: follows its end until the reader scrolls up.

import { useEffect, useLayoutEffect, useRef, useState } from "react";

import { asFailure, Failure, follow } from "../api/http";
import { Complaint } from "./pieces";

const MOST = 2_000_000; // characters kept; the file has all of them
const COLOURS = /\u001b\[[0-9;]*[A-Za-z]/g;

export function Log({ path, name }: { path: string; name: string }) {
  const [text, setText] = useState("");
  const [ended, setEnded] = useState(false);
  const [failure, setFailure] = useState<Failure>();
  const [round, setRound] = useState(0);
  const view = useRef<HTMLPreElement>(null);
  const atEnd = useRef(true);

  useEffect(() => {
    const stop = new AbortController();
    let waiting = "";
    let frame = 0;
    const show = () => {
      frame = 0;
      const more = waiting;
      waiting = "";
      setText((old) => (old + more).slice(-MOST));
    };
    setText("");
    setEnded(false);
    setFailure(undefined);
    follow(path, stop.signal, (piece) => {
      waiting += piece.replace(COLOURS, "");
      frame ||= requestAnimationFrame(show);
    }).then(
      () => !stop.signal.aborted && setEnded(true),
      (error: unknown) => !stop.signal.aborted && setFailure(asFailure(error)),
    );
    return () => {
      stop.abort();
      cancelAnimationFrame(frame);
    };
  }, [path, round]);

  useLayoutEffect(() => {
    if (atEnd.current && view.current) view.current.scrollTop = view.current.scrollHeight;
  }, [text]);

  const download = () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
    link.download = `${name}.log`;
    link.click();
    URL.revokeObjectURL(link.href);
  };

  if (failure?.status === 404) return <p className="quiet">{failure.message}.</p>;
  if (failure) return <Complaint failure={failure} retry={() => setRound(round + 1)} />;
  return (
    <div className="log">
      <div className="log-bar">
        <span role="status">{ended ? (text ? "Complete" : "Nothing was written") : "Following…"}</span>
        <button type="button" onClick={download} disabled={!text}>
          Download
        </button>
      </div>
      <pre
        ref={view}
        tabIndex={0}
        aria-label={`Log of ${name}`}
        onScroll={({ currentTarget: box }) => {
          atEnd.current = box.scrollHeight - box.scrollTop - box.clientHeight < 24;
        }}
      >
        {text}
      </pre>
    </div>
  );
}
