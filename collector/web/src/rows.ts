// Rows of a long table, fetched as they come into view.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { ask, Refusal } from "./api";
import { beat, useCell } from "./state";

export interface Rows<R> {
  /** Rows known to be there; those not fetched yet count. */
  total: number;
  /** Whether there are more behind `total`. */
  hasMore: boolean;
  row: (index: number) => R | undefined;
  /** Tells which rows are in view. */
  see: (first: number, last: number) => void;
  loaded: () => R[];
  error: Refusal | undefined;
  isLoading: boolean;
}

interface Page<R> {
  rows: R[];
  total?: number;
  has_more?: boolean;
}

/** Rows of `path`, a page at a time; what is in view is fetched anew at every beat. */
export function useRows<R>(path: string, search: URLSearchParams): Rows<R> {
  const question = `${path}?${search.toString()}`;
  const beats = useCell(beat);
  const [, redraw] = useState(0);
  const kept = useRef<Kept<R>>(null!);
  if (kept.current === null || kept.current.question !== question) {
    kept.current?.stop.abort();
    kept.current = new Kept<R>(path, search, question, () => redraw((times) => times + 1));
  }
  const rows = kept.current;
  useEffect(() => rows.refresh(), [rows, beats]);
  useEffect(() => () => rows.stop.abort(), [rows]);
  return useMemo(
    () => ({
      get total() { return rows.total; },
      get hasMore() { return rows.hasMore; },
      get error() { return rows.error; },
      get isLoading() { return rows.waiting.size > 0 && rows.pages.size === 0; },
      row: (index: number) => rows.pages.get(Math.floor(index / PAGE))?.[index % PAGE],
      see: (first: number, last: number) => rows.see(first, last),
      loaded: () => [...rows.pages].sort((a, b) => a[0] - b[0]).flatMap((page) => page[1]),
    }),
    [rows],
  );
}

class Kept<R> {
  readonly pages = new Map<number, R[]>();
  readonly waiting = new Set<number>();
  readonly stop = new AbortController();
  total = 0;
  hasMore = false;
  error: Refusal | undefined = undefined;
  private inView: [number, number] = [0, 0];

  constructor(
    private readonly path: string,
    private readonly search: URLSearchParams,
    readonly question: string,
    private readonly redraw: () => void,
  ) {}

  see(first: number, last: number): void {
    this.inView = [Math.floor(first / PAGE), Math.floor(Math.max(first, last) / PAGE)];
    for (let page = this.inView[0]; page <= this.inView[1]; page += 1) {
      if (!this.pages.has(page)) this.fetch(page);
    }
  }

  refresh(): void {
    for (let page = this.inView[0]; page <= this.inView[1]; page += 1) this.fetch(page);
  }

  private fetch(page: number): void {
    if (this.waiting.has(page) || this.stop.signal.aborted) return;
    this.waiting.add(page);
    const search = new URLSearchParams(this.search);
    search.set("limit", String(PAGE));
    search.set("offset", String(page * PAGE));
    ask<Page<R>>(this.path, search, this.stop.signal).then(
      (answer) => {
        this.waiting.delete(page);
        this.error = undefined;
        this.keep(page, answer);
        this.redraw();
      },
      (error: unknown) => {
        this.waiting.delete(page);
        if (this.stop.signal.aborted) return;
        this.error = error instanceof Refusal ? error : new Refusal(0, String(error));
        this.redraw();
      },
    );
  }

  private keep(page: number, answer: Page<R>): void {
    this.pages.set(page, answer.rows);
    if (answer.total !== undefined) {
      this.total = answer.total;
    } else {
      Object.assign(this, extent(this, page * PAGE + answer.rows.length, answer.has_more === false));
    }
    // Pages far from what is in view are given back.
    for (const known of [...this.pages.keys()]) {
      if (this.pages.size <= PAGES_MAX) break;
      if (known < this.inView[0] - 2 || known > this.inView[1] + 2) this.pages.delete(known);
    }
  }
}

/** How far a list of unknown length is known once it was seen to here; a page before the last one tells nothing new. */
export function extent(known: { total: number; hasMore: boolean }, seen: number, isEnd: boolean): { total: number; hasMore: boolean } {
  if (isEnd) return { total: seen, hasMore: false };
  return seen >= known.total ? { total: seen, hasMore: true } : { total: known.total, hasMore: known.hasMore };
}

const PAGE = 200;
const PAGES_MAX = 40;
