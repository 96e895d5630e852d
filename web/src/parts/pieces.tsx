// Small pieces that every page is made of.

import { useEffect, useRef, useState, type ReactNode } from "react";

import { asFailure, type Failure } from "../api/http";
import { ago, exact } from "../format";

export function Header({ title, children, back }: { title: ReactNode; children?: ReactNode; back?: [string, string] }) {
  return (
    <header className="page-header">
      <div className="page-title">
        {back && (
          <a className="back" href={back[1]}>
            {back[0]}
          </a>
        )}
        <h1>{title}</h1>
      </div>
      {children && <div className="actions">{children}</div>}
    </header>
  );
}

/** What is wrong, in the server's sentence. */
export function Complaint({ failure, retry }: { failure: Failure | undefined; retry?: () => void }) {
  if (!failure) return null;
  return (
    <div className="complaint" role="alert">
      <span>{failure.message}</span>
      {retry && (
        <button type="button" onClick={retry}>
          Try again
        </button>
      )}
    </div>
  );
}

export function Loading() {
  return (
    <p className="loading" role="status">
      Loading…
    </p>
  );
}

/** Says what would be here, and what to type to get it. */
export function Empty({ title, children }: { title: string; children: ReactNode }) {
  return (
    <div className="empty">
      <h2>{title}</h2>
      {children}
    </div>
  );
}

export function Code({ text, label }: { text: string; label?: string }) {
  return (
    <div className="code">
      <pre tabIndex={0} aria-label={label}>
        {text}
      </pre>
      <Copy text={text} />
    </div>
  );
}

export function Copy({ text, what = "Copy" }: { text: string; what?: string }) {
  const [said, setSaid] = useState<string>();
  const timer = useRef(0);
  useEffect(() => () => window.clearTimeout(timer.current), []);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setSaid("Copied");
    } catch {
      // Browsers have a clipboard only for pages of this machine or by https, and may ask their user.
      setSaid("The browser did not allow it");
    }
    window.clearTimeout(timer.current);
    timer.current = window.setTimeout(() => setSaid(undefined), 1500);
  };
  return (
    <button type="button" className="copy" onClick={() => void copy()} aria-live="polite">
      {said ?? what}
    </button>
  );
}

export function Ago({ time, now }: { time: string | undefined; now: number }) {
  return (
    <time dateTime={time} title={exact(time)}>
      {ago(time, now)}
    </time>
  );
}

/** A button that does something at once, and says where it could not. */
export function Action({ label, act, primary = false, disabled = false }: { label: string; act: () => Promise<unknown>; primary?: boolean; disabled?: boolean }) {
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<Failure>();
  const go = async () => {
    setBusy(true);
    try {
      await act();
    } catch (error) {
      setFailure(asFailure(error));
    }
    setBusy(false);
  };
  if (failure) return <Complaint failure={failure} retry={() => setFailure(undefined)} />;
  return (
    <button type="button" className={primary ? "primary" : ""} disabled={busy || disabled} onClick={() => void go()}>
      {label}
    </button>
  );
}

/** A button that asks once more before it does what cannot be undone. */
export function Danger({ label, sure, act }: { label: string; sure: string; act: () => Promise<unknown> }) {
  const [asking, setAsking] = useState(false);
  const [failure, setFailure] = useState<Failure>();
  const go = async () => {
    setAsking(false);
    try {
      await act();
    } catch (error) {
      setFailure(asFailure(error));
    }
  };
  if (failure) return <Complaint failure={failure} retry={() => setFailure(undefined)} />;
  if (!asking)
    return (
      <button type="button" onClick={() => setAsking(true)}>
        {label}
      </button>
    );
  return (
    <span className="sure" role="group" aria-label={sure}>
      <button type="button" className="danger" autoFocus onClick={() => void go()}>
        {sure}
      </button>
      <button type="button" onClick={() => setAsking(false)}>
        No
      </button>
    </span>
  );
}

export interface Tab {
  name: string;
  content: () => ReactNode;
}

export function Tabs({ tabs, label }: { tabs: Tab[]; label: string }) {
  const [chosen, setChosen] = useState(0);
  const list = useRef<HTMLDivElement>(null);
  const at = Math.min(chosen, tabs.length - 1);
  const go = (step: number) => {
    const next = (at + step + tabs.length) % tabs.length;
    setChosen(next);
    (list.current?.children[next] as HTMLElement | undefined)?.focus();
  };
  return (
    <>
      <div
        className="tabs"
        role="tablist"
        aria-label={label}
        ref={list}
        onKeyDown={(event) => {
          if (event.key === "ArrowRight") go(1);
          if (event.key === "ArrowLeft") go(-1);
        }}
      >
        {tabs.map((tab, index) => (
          <button
            key={tab.name}
            type="button"
            role="tab"
            aria-selected={index === at}
            tabIndex={index === at ? 0 : -1}
            onClick={() => setChosen(index)}
          >
            {tab.name}
          </button>
        ))}
      </div>
      <div role="tabpanel" aria-label={tabs[at]?.name} className="tab-panel">
        {tabs[at]?.content()}
      </div>
    </>
  );
}

/** Names and values, one below the other. */
export function Facts({ facts }: { facts: [string, ReactNode][] }) {
  const told = facts.filter(([, value]) => value !== undefined && value !== "" && value !== null);
  return (
    <dl className="facts">
      {told.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
