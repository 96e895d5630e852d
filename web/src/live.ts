// Values that stay fresh: asked for again and again, while the page is seen.

import { useCallback, useEffect, useRef, useState } from "react";

import { asFailure, Failure } from "./api/http";

export interface Polled<T> {
  value: T | undefined;
  failure: Failure | undefined;
  refresh: () => void;
}

/** Asks every `every(value)` milliseconds; 0 stops. `key` names what is asked for: when it changes, all begins anew. */
export function usePolled<T>(key: string, ask: () => Promise<T>, every: (value: T) => number): Polled<T> {
  const [state, setState] = useState<{ key: string; value?: T; failure?: Failure }>({ key });
  const [round, setRound] = useState(0);
  const latest = useRef({ ask, every });
  latest.current = { ask, every };
  const refresh = useCallback(() => setRound((number) => number + 1), []);

  useEffect(() => {
    let timer = 0;
    let stopped = false;
    const again = (wait: number) => {
      if (!stopped && wait > 0) timer = window.setTimeout(turn, wait);
    };
    const turn = async () => {
      if (document.hidden) return again(1000);
      try {
        const value = await latest.current.ask();
        if (stopped) return;
        setState({ key, value });
        again(latest.current.every(value));
      } catch (error) {
        if (stopped) return;
        const failure = asFailure(error);
        setState((old) => (old.key === key ? { ...old, failure } : { key, failure }));
        // What is not there does not come by asking; what does not answer may.
        again(failure.status >= 400 && failure.status < 500 ? 0 : 3000);
      }
    };
    void turn();
    return () => {
      stopped = true;
      window.clearTimeout(timer);
    };
  }, [key, round]);

  const fresh = state.key === key ? state : { key };
  return { value: fresh.value, failure: fresh.failure, refresh };
}

/** The present, told anew every second where `ticking`. */
export function useNow(ticking: boolean): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = window.setInterval(() => setNow(Date.now()), ticking ? 1000 : 15000);
    return () => window.clearInterval(timer);
  }, [ticking]);
  return now;
}
