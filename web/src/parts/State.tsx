// A state as a coloured icon and, unless there is no room, a word.

const WORDS: Record<string, string> = {
  PENDING: "Pending",
  RUNNING: "Running",
  SUCCEEDED: "Succeeded",
  CACHED: "Cached",
  SKIPPED: "Skipped",
  FAILED: "Failed",
  CANCELING: "Stopping",
  CANCELED: "Stopped",
  PAUSED: "Paused",
};

const SHAPES: Record<string, string> = {
  PENDING: "M8 4.6V8l2.2 1.6",
  SUCCEEDED: "M4.8 8.2l2.2 2.2 4.2-4.6",
  CACHED: "M8.8 3.8L5.4 8.8h2.2L7 12.2l3.6-5.2H8.3z",
  SKIPPED: "M5 8h6",
  FAILED: "M5.6 5.6l4.8 4.8M10.4 5.6l-4.8 4.8",
  CANCELING: "M6 6h4v4H6z",
  CANCELED: "M6 6h4v4H6z",
  PAUSED: "M6.5 5.5v5M9.5 5.5v5",
};

export function StateIcon({ state }: { state: string }) {
  const word = WORDS[state] ?? state;
  return (
    <svg className={`icon state-${state.toLowerCase()}`} viewBox="0 0 16 16" role="img" aria-label={word}>
      <title>{word}</title>
      <circle cx="8" cy="8" r="6.6" className="ring" />
      {state === "RUNNING" ? <path d="M8 1.4a6.6 6.6 0 0 1 6.6 6.6" className="spin" /> : <path d={SHAPES[state] ?? ""} />}
    </svg>
  );
}

export function State({ state }: { state: string | undefined }) {
  const known = state ?? "PENDING";
  return (
    <span className="state">
      <StateIcon state={known} /> {WORDS[known] ?? known}
    </span>
  );
}
