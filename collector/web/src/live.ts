// The live line: harmful resets as they come, and a beat at which answers are asked for anew.

import type { EventRow } from "./answers";
import { beat, fresh, inFlight, isLocked, isPaused, line, missed, view } from "./state";

let source: EventSource | undefined;
let lastBeat = 0;
let isStale = false;

export function listen(): void {
  open();
  isPaused.watch((paused) => (paused ? close() : open()));
  isLocked.watch((locked) => (locked ? close() : open()));
  // Who does not look needs no line.
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
}

function open(): void {
  if (source || isPaused.value || isLocked.value || document.hidden) return;
  source = new EventSource("/api/v1/live");
  source.addEventListener("open", () => line.set("live"));
  const before = missed.value;
  source.addEventListener("status", (message) => {
    line.set("live");
    missed.set(before + (read<{ missed?: number }>((message as MessageEvent<string>).data)?.missed ?? 0));
    isStale = true;
    pulse();
  });
  source.addEventListener("reset", (message) => {
    const row = read<EventRow>((message as MessageEvent<string>).data);
    if (row) fresh.set([row, ...fresh.value.filter((known) => known.id !== row.id)].slice(0, FRESH_MAX));
  });
  source.addEventListener("error", () => {
    line.set("lost");
    // After an answer that is none the browser does not try again by itself.
    if (source?.readyState === EventSource.CLOSED) {
      source = undefined;
      setTimeout(open, RETRY_MS);
    }
  });
}

function close(): void {
  source?.close();
  source = undefined;
  line.set("waiting");
}

/** Fixed times do not change; spans that end now are asked for anew, not more often than is of use. */
function pulse(): void {
  const since = Date.now() - lastBeat;
  if (!isStale || inFlight.count > 0 || since < BEAT_MS || !("last" in view.value.time)) return;
  isStale = false;
  lastBeat = Date.now();
  beat.set(beat.value + 1);
}

function read<T>(text: string): T | undefined {
  try {
    return JSON.parse(text) as T;
  } catch {
    return undefined;
  }
}

const RETRY_MS = 5_000;
const BEAT_MS = 5_000;
const FRESH_MAX = 50;
