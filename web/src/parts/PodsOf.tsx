// The pods of one object, by the label that they have from it.

import { PODS, podStatus, useObjects, within, type Pod } from "../api/kubernetes";
import { Complaint } from "./pieces";

export function PodsOf({ namespace, label, value }: { namespace: string; label: string; value: string }) {
  const { items, failure } = useObjects<Pod>(within(PODS, namespace));
  const mine = (items ?? []).filter((pod) => pod.metadata.labels?.[label] === value);
  if (failure) return <Complaint failure={failure} />;
  if (!mine.length) return <p className="quiet">No pod runs for it.</p>;
  return (
    <ul className="plain parts">
      {mine.map((pod) => (
        <li key={pod.metadata.uid}>
          <a href={`#/pods/${namespace}/${pod.metadata.name}`}>{pod.metadata.name}</a>
          <span className="quiet">{podStatus(pod)}</span>
        </li>
      ))}
    </ul>
  );
}
