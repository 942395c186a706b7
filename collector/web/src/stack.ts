// Which causes get a layer of their own in a timeline. Pure.

import type { Step } from "./answers";

/** The most frequent causes, at most `most`, most frequent first; "other" stands for the rest. */
export function layers(series: Step[], most: number): string[] {
  const sums = new Map<string, number>();
  for (const step of series) {
    for (const [cause, count] of Object.entries(step.harmful_by_cause)) sums.set(cause, (sums.get(cause) ?? 0) + count);
  }
  const sorted = [...sums].filter(([, sum]) => sum > 0).sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0]));
  const names = sorted.map(([cause]) => cause);
  return names.length <= most ? names : [...names.slice(0, most - 1), OTHER];
}

/** How much of each layer a step holds. */
export function heights(step: Step, names: string[], benign: boolean): number[] {
  const made = names.map((name) => (name === OTHER ? 0 : (step.harmful_by_cause[name] ?? 0)));
  const other = names.indexOf(OTHER);
  if (other >= 0) {
    for (const [cause, count] of Object.entries(step.harmful_by_cause)) {
      if (!names.includes(cause)) made[other] = (made[other] ?? 0) + count;
    }
  }
  return benign ? [...made, step.resets.benign] : made;
}

export const OTHER = "other causes";
