// The address behind the #: the paths that Kubeflow's client prints, and a few of our own.

import { useSyncExternalStore } from "react";

export interface Address {
  path: string;
  query: URLSearchParams;
}

export function useAddress(): Address {
  const hash = useSyncExternalStore(subscribe, () => location.hash);
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  return { path: path.replace(/\/$/, ""), query: new URLSearchParams(query) };
}

/** The parts of `path` that stand where `pattern` has :name, or nothing where they differ. */
export function match(pattern: string, path: string): Record<string, string> | undefined {
  const wanted = pattern.split("/");
  const given = path.split("/");
  if (wanted.length !== given.length) return undefined;
  const found: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const here = given[index] ?? "";
    if (part.startsWith(":")) found[part.slice(1)] = decodeURIComponent(here);
    else if (part !== here) return undefined;
  }
  return found;
}

/** Changes what follows the ? without a new entry in the browser's history. */
export function replaceQuery(path: string, query: Record<string, string | undefined>): void {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value) search.set(name, value);
  const text = search.toString();
  history.replaceState(null, "", `#/${path}${text ? `?${text}` : ""}`);
  window.dispatchEvent(new HashChangeEvent("hashchange"));
}

function subscribe(changed: () => void): () => void {
  window.addEventListener("hashchange", changed);
  return () => window.removeEventListener("hashchange", changed);
}
