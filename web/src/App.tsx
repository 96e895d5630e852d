// The frame around every page: who is here, where one can go, and the page that the address names.

import { useEffect, type ReactNode } from "react";

import { json } from "./api/http";
import { usePolled } from "./live";
import { Compare } from "./pages/Compare";
import { ExperimentPage, Experiments } from "./pages/Experiments";
import { GraphPage, Graphs } from "./pages/Graphs";
import { Home } from "./pages/Home";
import { NewRun } from "./pages/NewRun";
import { Notices } from "./pages/Notices";
import { PipelinePage, Pipelines } from "./pages/Pipelines";
import { Pools } from "./pages/Pools";
import { PodPage, Pods } from "./pages/Pods";
import { RunPage } from "./pages/Run";
import { Runs } from "./pages/Runs";
import { SchedulePage, Schedules } from "./pages/Schedules";
import { ServicePage, Services } from "./pages/Services";
import { TriggerPage, Triggers } from "./pages/Triggers";
import { Boundary } from "./parts/Boundary";
import { Complaint, Empty, Loading } from "./parts/pieces";
import { match, useAddress } from "./router";

export interface Session {
  user: string;
  groups: string[];
  /** What the features offer, for the side bar. */
  pages: { title: string; route: string }[];
  publicUrl: string;
}

type Found = Record<string, string>;
const PAGES: [pattern: string, page: (found: Found, session: Session) => ReactNode][] = [
  ["", (_, session) => <Home session={session} />],
  ["runs", () => <Runs />],
  ["runs/new", () => <NewRun />],
  ["compare", () => <Compare />],
  ["runs/details/:id", ({ id }) => <RunPage key={id} id={id!} />],
  ["experiments", () => <Experiments />],
  ["experiments/details/:id", ({ id }) => <ExperimentPage id={id!} />],
  ["pipelines", () => <Pipelines />],
  ["pipelines/details/:id", ({ id }) => <PipelinePage id={id!} version={undefined} />],
  ["pipelines/details/:id/version/:version", ({ id, version }) => <PipelinePage id={id!} version={version} />],
  ["recurringruns", () => <Schedules />],
  ["recurringruns/details/:id", ({ id }) => <SchedulePage key={id} id={id!} />],
  ["triggers", () => <Triggers />],
  ["triggers/details/:id", ({ id }) => <TriggerPage key={id} id={id!} />],
  ["notices", () => <Notices />],
  ["pools", () => <Pools />],
  ["services", () => <Services />],
  ["services/:namespace/:name", ({ namespace, name }, session) => (
    <ServicePage key={`${namespace}/${name}`} namespace={namespace!} name={name!} publicUrl={session.publicUrl} />
  )],
  ["graphs", () => <Graphs />],
  ["graphs/:namespace/:name", ({ namespace, name }, session) => (
    <GraphPage key={`${namespace}/${name}`} namespace={namespace!} name={name!} publicUrl={session.publicUrl} />
  )],
  ["pods", () => <Pods />],
  ["pods/:namespace/:name", ({ namespace, name }) => <PodPage key={`${namespace}/${name}`} namespace={namespace!} name={name!} />],
];

export function App() {
  const { path } = useAddress();
  const { value: session, failure, refresh } = usePolled("session", () => json<Session>("/front/session"), () => 0);
  useEffect(() => {
    document.querySelector("main")?.scrollTo(0, 0);
  }, [path]);
  if (failure) return <main className="alone"><Complaint failure={failure} retry={refresh} /></main>;
  if (!session) return <main className="alone"><Loading /></main>;
  return (
    <div className="frame">
      <a className="skip" href="#content" onClick={focusContent}>
        Skip to the content
      </a>
      <SideBar session={session} path={path} />
      <main id="content" tabIndex={-1}>
        <Boundary path={path}>{page(path, session)}</Boundary>
      </main>
    </div>
  );
}

function page(path: string, session: Session): ReactNode {
  for (const [pattern, show] of PAGES) {
    const found = match(pattern, path);
    if (found) return show(found, session);
  }
  return (
    <Empty title="There is no such page">
      <p>
        Nothing is at <code>#/{path}</code>. <a href="#/">Go home</a>.
      </p>
    </Empty>
  );
}

function SideBar({ session, path }: { session: Session; path: string }) {
  const entries = [{ title: "Home", route: "/" }, ...session.pages, { title: "Pods", route: "/pods" }];
  const here = (route: string) => routePath(route) === path.split("/")[0];
  return (
    <nav className="side" aria-label="Pages">
      <a className="brand" href="#/">
        <img src="/favicon.svg" alt="" width="22" height="22" /> Fairway
      </a>
      <ul>
        {entries.map(({ title, route }) => (
          <li key={route}>
            <a href={`#/${routePath(route)}`} aria-current={here(route) ? "page" : undefined}>
              {title}
            </a>
          </li>
        ))}
      </ul>
      <form method="post" action="/logout" className="who">
        <span title={session.groups.join(", ")}>{session.user}</span>
        <button>Log out</button>
      </form>
    </nav>
  );
}

/** Features write #/runs or /runs. */
export const routePath = (route: string): string => route.replace(/^#?\//, "");

function focusContent(event: React.MouseEvent): void {
  event.preventDefault();
  document.getElementById("content")?.focus();
}
