import { expect, test, vi } from "vitest";

import { PODS, podStatus, remove, within, type Pod } from "../src/api/kubernetes";
import { getRun } from "../src/api/pipelines";
import { ago, duration, metric, size, span } from "../src/format";
import { areaUnder, matrixOf, rocOf } from "../src/parts/Metrics";
import { match } from "../src/router";

const now = Date.parse("2026-11-22T02:00:00Z");

test("times are told from now", () => {
  expect(ago("2026-11-22T01:59:58Z", now)).toBe("just now");
  expect(ago("2026-11-22T01:56:30Z", now)).toBe("3 minutes ago");
  expect(ago("2026-11-20T01:00:00Z", now)).toBe("2 days ago");
  expect(ago("1970-01-01T00:00:00Z", now)).toBe("");
  expect(ago(undefined, now)).toBe("");
});

test("a run that has not ended lasts until now: Kubeflow writes the epoch for no time", () => {
  expect(duration("2026-11-22T01:59:00Z", "1970-01-01T00:00:00Z", now)).toBe("1 min 0 s");
  expect([340, 1234, 45_600, 185_000, 7_800_000].map(span)).toEqual(["340 ms", "1.2 s", "45 s", "3 min 5 s", "2 h 10 min"]);
});

test("metrics keep four digits", () => {
  expect([0.973684, 114, 1e-7].map(metric)).toEqual(["0.9737", "114", "1e-7"]);
});

test("sizes are told by thousands", () => {
  expect([0, 999, 1000, 12_345, 4_000_000_000].map(size)).toEqual(["0 B", "999 B", "1 kB", "12.3 kB", "4 GB"]);
});

test("classification metrics are read as Kubeflow writes them, wrapped or not", () => {
  const matrix = { annotationSpecs: [{ displayName: "no" }, { displayName: "yes" }], rows: [{ row: [5, 1] }, { row: [0, 4] }] };
  expect(matrixOf({ artifact_id: "a", metadata: { confusionMatrix: { struct: matrix } } })!.rows).toEqual([[5, 1], [0, 4]]);
  expect(matrixOf({ artifact_id: "a", metadata: { confusionMatrix: matrix } })!.labels).toEqual(["no", "yes"]);
  const curve = [{ confidenceThreshold: 0.5, recall: 1, falsePositiveRate: 0 }];
  expect(areaUnder(rocOf({ artifact_id: "a", metadata: { confidenceMetrics: { list: curve } } })!)).toBe(1);
  expect(areaUnder([])).toBe(0.5);
});

test("metadata of another shape is not drawn, and breaks no page", () => {
  for (const odd of ["x", 5, [], [null], { rows: "ab" }, { rows: [null, { row: [null, "1"] }], annotationSpecs: 3 }]) {
    const artifact = { artifact_id: "a", metadata: { confusionMatrix: odd, confidenceMetrics: odd } };
    expect(matrixOf(artifact)?.rows.flat() ?? []).toEqual(matrixOf(artifact) ? [0, 0] : []);
    expect(areaUnder(rocOf(artifact) ?? [])).toBe(0.5);
  }
});

test("an id is one part of a request's path, whatever it holds", async () => {
  const asked: string[] = [];
  vi.stubGlobal("fetch", (path: string) => {
    asked.push(path);
    return Promise.resolve(new Response("{}"));
  });
  await getRun("../../k8s/api/v1/pods?x#y");
  await remove(within(PODS, "a/b", "c?d"));
  vi.unstubAllGlobals();
  expect(asked).toEqual(["/apis/v2beta1/runs/..%2F..%2Fk8s%2Fapi%2Fv1%2Fpods%3Fx%23y", "/k8s/api/v1/namespaces/a%2Fb/pods/c%3Fd"]);
});

test("the status of a pod is kubectl's word", () => {
  const pod = (status: Pod["status"], more: object = {}): Pod => ({
    metadata: { name: "p", uid: "u", creationTimestamp: "", resourceVersion: "1", ...more },
    spec: { containers: [{ name: "main" }] },
    ...(status ? { status } : {}),
  });
  const state = (state: object) => ({ phase: "Running", containerStatuses: [{ name: "main", state }] });
  expect(podStatus(pod({ phase: "Pending" }))).toBe("Pending");
  expect(podStatus(pod(state({ running: {} })))).toBe("Running");
  expect(podStatus(pod(state({ waiting: { reason: "CrashLoopBackOff" } })))).toBe("CrashLoopBackOff");
  expect(podStatus(pod(state({ terminated: { exitCode: 3 } })))).toBe("ExitCode:3");
  expect(podStatus(pod(state({ running: {} }), { deletionTimestamp: "x" }))).toBe("Terminating");
});

test("addresses are matched part by part", () => {
  expect(match("runs/details/:id", "runs/details/a%2Fb")).toEqual({ id: "a/b" });
  expect(match("runs", "runs/details")).toBeUndefined();
  for (const part of ["", "..", "%2E%2E", "%", "%C3"]) expect(match("runs/details/:id", `runs/details/${part}`)).toBeUndefined();
});
