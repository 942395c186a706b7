// What is shared by all parts of the page: the view in the address, choices of the reader, the live line.

import { useEffect, useState } from "preact/hooks";
import type { EventRow } from "./answers";
import type { Zone } from "./format";
import { address, parse, type View } from "./view";

/** A value that parts of the page watch. */
export class Cell<T> {
  private readonly watchers = new Set<(value: T) => void>();

  constructor(public value: T) {}

  set(value: T): void {
    if (Object.is(value, this.value)) return;
    this.value = value;
    for (const watcher of [...this.watchers]) watcher(value);
  }

  watch(watcher: (value: T) => void): () => void {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }
}

export function useCell<T>(cell: Cell<T>): T {
  const [value, set] = useState(cell.value);
  useEffect(() => {
    set(cell.value);
    return cell.watch(set);
  }, [cell]);
  return value;
}

export type Theme = "auto" | "light" | "dark";

export const view = new Cell<View>(parse(location.href));
export const zone = new Cell<Zone>(remembered("zone") === "utc" ? "utc" : "local");
export const theme = new Cell<Theme>(themeOf(remembered("theme")));
/** Raised when answers shall be asked for anew. */
export const beat = new Cell(0);
export const isPaused = new Cell(false);
/** How the live line goes. */
export const line = new Cell<"waiting" | "live" | "lost">("waiting");
/** Harmful resets as they come, newest first. */
export const fresh = new Cell<EventRow[]>([]);
/** Resets that were gone before the live line could tell of them, in all. */
export const missed = new Cell(0);
/** Whether the API asks for a token. */
export const isLocked = new Cell(false);
/** Milliseconds since the epoch, once a second. */
export const now = new Cell(Date.now());
/** Questions that are being answered: while there are any, no others are asked by themselves. */
export const inFlight = { count: 0 };
/** The last list of events that was shown: what "next" and "previous" of an event go through. */
export const listed: { rows: EventRow[] } = { rows: [] };

/** Goes to a view; `replace` where "back" shall not come here again (typing). */
export function go(next: View, replace = false): void {
  const to = address(next);
  if (to === address(view.value)) return;
  const isElsewhere = next.page !== view.value.page || next.key !== view.value.key;
  if (replace) history.replaceState(null, "", to);
  else history.pushState(null, "", to);
  view.set(next);
  if (isElsewhere) {
    window.scrollTo(0, 0);
    document.getElementById("content")?.focus({ preventScroll: true });
  }
}

export function begin(): void {
  window.addEventListener("popstate", () => view.set(parse(location.href)));
  setInterval(() => now.set(Date.now()), 1000);
  zone.watch((value) => remember("zone", value));
  theme.watch((value) => {
    remember("theme", value);
    dress(value);
  });
  dress(theme.value);
}

function dress(value: Theme): void {
  if (value === "auto") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = value;
}

function themeOf(text: string | null): Theme {
  return text === "light" || text === "dark" ? text : "auto";
}

function remembered(name: string): string | null {
  try {
    return localStorage.getItem(`rstscope.${name}`);
  } catch {
    // The browser keeps nothing for us: then nothing is remembered.
    return null;
  }
}

function remember(name: string, value: string): void {
  try {
    localStorage.setItem(`rstscope.${name}`, value);
  } catch {
    // As above.
  }
}
