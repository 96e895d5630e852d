import { expect, test } from "vitest";

import type { InferenceService } from "../src/api/kubernetes";
import { modelOf, scaleOf, trafficOf, troubleOf } from "../src/serving";

const service = (spec: object, status: object = {}): InferenceService =>
  ({ metadata: { name: "m", uid: "u", creationTimestamp: "", resourceVersion: "1" }, spec, status }) as InferenceService;

test("a framework's own block is a model of that format", () => {
  const model = modelOf(service({ predictor: { xgboost: { storageUri: "s3://b/m" } } }));
  expect([model.format, model.place, model.note]).toEqual(["xgboost", "s3://b/m", ""]);
  expect(modelOf(service({ predictor: { model: { modelFormat: { name: "sklearn" } } } })).note).toMatch(/pickles/);
});

test("the scale says how many answer of how many there may be", () => {
  const status = { modelStatus: { copies: { totalCopies: 2 } } };
  expect(scaleOf(service({ predictor: {} }, status))).toBe("2 of 1");
  expect(scaleOf(service({ predictor: { minReplicas: 1, maxReplicas: 5 } }, status))).toBe("2 of 1 to 5");
  expect(scaleOf(service({ predictor: { minReplicas: 0, maxReplicas: 5 } }, status))).toBe("2 of up to 5, sleeps when unused");
  expect(scaleOf(service({ predictor: { minReplicas: 0 } }, status))).toBe("2, sleeps when unused");
});

test("traffic is the share of each version, the newest first", () => {
  const traffic = [
    { revisionName: "m-00001", percent: 80 },
    { revisionName: "m-00002", percent: 20 },
  ];
  const found = trafficOf(service({}, { components: { predictor: { traffic } } }));
  expect(found.map((one) => one.name)).toEqual(["m-00002", "m-00001"]);
});

test("trouble is the failure of the newest version, else what Ready says", () => {
  const failed = { modelStatus: { lastFailureInfo: { reason: "ModelLoadFailed", message: "no file", location: "p" } } };
  expect(troubleOf(service({}, failed))).toEqual({ reason: "ModelLoadFailed", message: "no file", pod: "p" });
  const refused = { conditions: [{ type: "Ready", status: "False", reason: "Stopped", message: "by hand" }] };
  expect(troubleOf(service({}, refused))?.message).toBe("by hand");
  expect(troubleOf(service({}, {}))).toBe(undefined);
});
