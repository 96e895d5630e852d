// Pools: how many steps of all runs together may use something scarce at a time.

import { useState } from "react";

import { deletePool, listPools, setPool, type Pool } from "../api/automation";
import { usePolled } from "../live";
import { Action, Code, Complaint, Danger, Empty, Header, Loading } from "../parts/pieces";

export function Pools() {
  const { value, failure, refresh } = usePolled("pools", listPools, () => 2000);
  const pools = value?.pools ?? [];
  return (
    <>
      <Header title="Pools" />
      <Complaint failure={failure} retry={refresh} />
      {!value && !failure && <Loading />}
      {value && pools.length === 0 && (
        <Empty title="No pools yet">
          <p>A pool bounds how many steps use something scarce at a time, over all runs. A step names its pool:</p>
          <Code label="A step in a pool" text={'from fairway.pipelines import sdk\n\nsdk.pool(task, "database")'} />
        </Empty>
      )}
      {pools.length > 0 && (
        <div className="table-frame">
          <table>
            <thead>
              <tr>
                <th>Name</th>
                <th>In use</th>
                <th>Waiting</th>
                <th>Description</th>
                <th />
              </tr>
            </thead>
            <tbody>
              {pools.map((pool) => (
                <PoolRow key={pool.name} pool={pool} done={refresh} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      {value && <NewPool done={refresh} />}
    </>
  );
}

function PoolRow({ pool, done }: { pool: Pool; done: () => void }) {
  const [slots, setSlots] = useState<string>();
  const save = () => setPool(pool.name, Number(slots), pool.description ?? "").then(() => (setSlots(undefined), done()));
  return (
    <tr>
      <td>{pool.name}</td>
      <td>
        {pool.used ?? 0} of{" "}
        <input className="short" type="number" min={0} aria-label={`Slots of ${pool.name}`} value={slots ?? pool.slots} onChange={(event) => setSlots(event.target.value)} />
        {slots !== undefined && slots !== String(pool.slots) && <Action label="Save" act={save} />}
      </td>
      <td>{pool.waiting ?? 0}</td>
      <td className="wide">{pool.description}</td>
      <td>
        <Danger label="Delete" sure="Delete the pool" act={() => deletePool(pool.name).then(done)} />
      </td>
    </tr>
  );
}

function NewPool({ done }: { done: () => void }) {
  const [name, setName] = useState("");
  const [slots, setSlots] = useState("1");
  const add = () => setPool(name.trim(), Number(slots), "").then(() => (setName(""), done()));
  return (
    <div className="row">
      <input className="search" type="text" placeholder="Name of a new pool" aria-label="Name of a new pool" value={name} onChange={(event) => setName(event.target.value)} />
      <input className="short" type="number" min={1} aria-label="Slots" value={slots} onChange={(event) => setSlots(event.target.value)} />
      <Action label="Add" act={add} disabled={!name.trim()} />
    </div>
  );
}
