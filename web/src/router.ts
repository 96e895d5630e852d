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

/** The parts of `path` that stand where `pattern` has :name, or nothing where they differ.
 *
 * A link may come from anybody, and a part becomes a part of the path of a request: what browsers would read as a way
 * up, or what is no spelling of a text, is no such page.
 */
export function match(pattern: string, path: string): Record<string, string> | undefined {
  const wanted = pattern.split("/");
  const given = path.split("/");
  if (wanted.length !== given.length) return undefined;
  const found: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const here = given[index] ?? "";
    if (part.startsWith(":")) {
      const value = decoded(here);
      if (value === undefined || /^\.*$/.test(value)) return undefined;
      found[part.slice(1)] = value;
    } else if (part !== here) return undefined;
  }
  return found;
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
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
