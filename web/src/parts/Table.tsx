// Lists of things, each as a table: one column is one way to see a row.

import type { ReactNode } from "react";

import type { Failure } from "../api/http";
import { Complaint, Loading } from "./pieces";

export interface Column<Row> {
  head: string;
  cell: (row: Row, index: number) => ReactNode;
  /** "wide" takes the room that is left and breaks its lines; "number" stands on the right. */
  as?: "wide" | "number";
}

interface Rows<Row> {
  idOf: (row: Row, index: number) => string | number;
  columns: Column<Row>[];
}

/** What stands below the rows (a word on what is not among them) is in the same frame. */
export function Table<Row>({ rows, idOf, columns, children }: Rows<Row> & { rows: Row[]; children?: ReactNode }) {
  return (
    <div className="table-frame">
      <table>
        <thead>
          <tr>
            {columns.map(({ head, as }) => (
              <th key={head} className={as === "number" ? as : undefined}>
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, index) => (
            <tr key={idOf(row, index)}>
              {columns.map(({ head, as, cell }) => (
                <td key={head} className={as}>
                  {cell(row, index)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {children}
    </div>
  );
}

/** What was asked for: the complaint, that it is on its way, how to get the first one, or all of them. */
export function Listed<Row>({ rows, failure, retry, none, ...table }: Rows<Row> & { rows: Row[] | undefined; failure: Failure | undefined; retry?: () => void; none: ReactNode }) {
  return (
    <>
      <Complaint failure={failure} retry={retry} />
      {!rows && !failure && <Loading />}
      {rows?.length === 0 && none}
      {rows && rows.length > 0 && <Table rows={rows} {...table} />}
    </>
  );
}
