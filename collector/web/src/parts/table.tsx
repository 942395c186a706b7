// A table of any length: only rows in view are in the document.

import { elementScroll, observeElementOffset, observeElementRect, Virtualizer } from "@tanstack/virtual-core";
import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { count } from "../format";
import { go, useCell, view } from "../state";
import type { Rows } from "../rows";

export interface Column<R> {
  name: string;
  /** Heading. */
  title: string;
  cell: (row: R) => ComponentChildren;
  /** "right" for numbers. */
  align?: "right";
  /** Left out where there is no room: 1 on narrow screens, 2 on middling ones too. */
  spare?: 1 | 2;
  /** Whether the API can sort by it. */
  sorts?: boolean;
  width?: string;
}

export function LongTable<R>(props: { rows: Rows<R>; columns: Column<R>[]; label: string; rowKey: (row: R) => string; what: string }) {
  const { rows, columns } = props;
  const holder = useRef<HTMLDivElement>(null);
  const virtual = useVirtual(rows.total, holder);
  const items = virtual.getVirtualItems();
  const first = items[0]?.index ?? 0;
  const last = items.at(-1)?.index ?? 0;
  useEffect(() => {
    rows.see(first, rows.hasMore && last >= rows.total - 1 ? last + 1 : last);
  }, [rows, first, last, rows.total]);
  const before = items[0]?.start ?? 0;
  const after = virtual.getTotalSize() - (items.at(-1)?.end ?? 0);
  const rowsTotal = rows.hasMore ? -1 : rows.total + 1;
  return (
    <div class="long" ref={holder} tabIndex={-1}>
      <table aria-label={props.label} aria-rowcount={rowsTotal}>
        <Heads columns={columns} />
        <tbody>
          {before > 0 && <tr aria-hidden="true"><td colSpan={columns.length} class="gap" style={{ height: `${before}px` }} /></tr>}
          {items.map((item) => {
            const row = rows.row(item.index);
            return (
              <tr key={row ? props.rowKey(row) : item.index} aria-rowindex={item.index + 2} data-row={item.index} style={{ height: `${ROW}px` }}>
                {row
                  ? columns.map((column) => <td key={column.name} class={classes(column)}>{column.cell(row)}</td>)
                  : <td colSpan={columns.length} class="faint">…</td>}
              </tr>
            );
          })}
          {after > 0 && <tr aria-hidden="true"><td colSpan={columns.length} class="gap" style={{ height: `${after}px` }} /></tr>}
        </tbody>
      </table>
      <p class="foot faint" role="status">
        {rows.hasMore ? `${count(rows.total)} ${props.what} so far; more come as you scroll` : `${count(rows.total)} ${props.what}`}
      </p>
    </div>
  );
}

function Heads<R>(props: { columns: Column<R>[] }) {
  const current = useCell(view);
  const sorted = current.sort.replace(/^-/, "");
  const isDown = current.sort.startsWith("-");
  return (
    <thead>
      <tr aria-rowindex={1}>
        {props.columns.map((column) => {
          const isThis = sorted === column.name;
          const next = isThis && isDown ? column.name : `-${column.name}`;
          return (
            <th
              key={column.name} scope="col" class={classes(column)} style={column.width ? { width: column.width } : {}}
              aria-sort={isThis ? (isDown ? "descending" : "ascending") : undefined}
            >
              {column.sorts
                ? <button type="button" onClick={() => go({ ...current, sort: next })}>{column.title}<span aria-hidden="true">{isThis ? (isDown ? " ↓" : " ↑") : ""}</span></button>
                : column.title}
            </th>
          );
        })}
      </tr>
    </thead>
  );
}

const classes = <R,>(column: Column<R>): string =>
  `${column.align ?? ""} ${column.spare ? `spare${column.spare}` : ""} col-${column.name}`;

/** A short table of rows that are all there. */
export function Table<R>(props: { rows: R[]; columns: Column<R>[]; label: string; rowKey: (row: R) => string }) {
  return (
    <div class="across">
      <table aria-label={props.label}>
        <thead>
          <tr>{props.columns.map((column) => <th key={column.name} scope="col" class={classes(column)}>{column.title}</th>)}</tr>
        </thead>
        <tbody>
          {props.rows.map((row, index) => (
            <tr key={props.rowKey(row)} data-row={index}>
              {props.columns.map((column) => <td key={column.name} class={classes(column)}>{column.cell(row)}</td>)}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function useVirtual(total: number, holder: { current: HTMLDivElement | null }) {
  const [, redraw] = useState(0);
  const options = {
    count: total,
    getScrollElement: () => holder.current,
    estimateSize: () => ROW,
    overscan: 12,
    scrollToFn: elementScroll,
    observeElementRect,
    observeElementOffset,
    onChange: () => redraw((times) => times + 1),
  };
  const [virtual] = useState(() => new Virtualizer<HTMLDivElement, Element>(options));
  virtual.setOptions(options);
  useLayoutEffect(() => virtual._didMount(), [virtual]);
  useLayoutEffect(() => virtual._willUpdate());
  return virtual;
}

/** Height of a row, pixels; the style sheet agrees. */
const ROW = 32;
