// What a ladder says of its packets. Pure.

import type { Rung } from "./answers";
import { count } from "./format";

/** Where the sender of the judged reset stands: at an end, between the ends, or beside the path. */
export function standing(origin: string): "end" | "between" | "beside" {
  if (origin === "blind_attacker") return "beside";
  return origin.startsWith("middlebox") ? "between" : "end";
}

/** The TTL that most packets of a side bear; resets are left out, for others may have made them. */
export function baselines(rungs: Rung[]): { client?: number; server?: number } {
  const made: { client?: number; server?: number } = {};
  for (const side of ["client", "server"] as const) {
    const times = new Map<number, number>();
    for (const rung of rungs) if (rung.from === side && !isReset(rung)) times.set(rung.ttl, (times.get(rung.ttl) ?? 0) + 1);
    const best = [...times].sort((a, b) => b[1] - a[1])[0];
    if (best) made[side] = best[0];
  }
  return made;
}

export const isReset = (rung: Rung): boolean => rung.flags.includes("R");

/** What is missing before a packet; undefined where nothing is. */
export function missing(rung: Rung): string | undefined {
  if (rung.omitted_before > 0) return `${count(rung.omitted_before)} packet${rung.omitted_before === 1 ? "" : "s"} not kept`;
  return rung.is_gap ? "packets not kept" : undefined;
}

/** A relative number; one that lies before the first packet seen is negative. */
export const relative = (number: number): string => count(number | 0);
