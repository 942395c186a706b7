// Exponential histograms made into bars. Pure.

import type { Spread } from "./answers";

export interface Bar {
  low: number;
  high: number;
  count: number;
}

/** Bucket `index` holds what is above the first and at most the second. */
export const bounds = (index: number): [number, number] => [2 ** (index / 4), 2 ** ((index + 1) / 4)];

/** Bars from the lowest to the highest bucket without holes; zeros are not among them. */
export function bars(spread: Spread): Bar[] {
  const indices = Object.keys(spread.buckets).map(Number).filter(Number.isFinite).sort((a, b) => a - b);
  const first = indices[0];
  const last = indices.at(-1);
  if (first === undefined || last === undefined) return [];
  // Buckets of a double's whole range: more are not to be drawn.
  const from = Math.max(first, last - BARS_MAX + 1);
  const made: Bar[] = [];
  for (let index = from; index <= last; index += 1) {
    const [low, high] = bounds(index);
    made.push({ low, high, count: spread.buckets[String(index)] ?? 0 });
  }
  return made;
}

/** The value below which that share of all lies, to a bucket. */
export function quantile(spread: Spread, part: number): number | undefined {
  if (spread.count === 0) return undefined;
  const wanted = Math.max(1, Math.ceil(part * spread.count));
  let below = spread.zeros ?? 0;
  if (below >= wanted) return 0;
  for (const bar of bars(spread)) {
    below += bar.count;
    if (below >= wanted) return bar.high;
  }
  return bars(spread).at(-1)?.high;
}

/** Place of a value on a logarithmic axis from `low` to `high`, 0 to 1. */
export const place = (value: number, low: number, high: number): number =>
  Math.log(value / low) / Math.log(high / low);

/** Upper end and steps of an axis that holds `most`: 1, 2 or 5 times a power of ten. */
export function ticks(most: number, wanted = 4): number[] {
  if (!(most > 0)) return [0, 1];
  const rough = most / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(1, [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough) ?? rough);
  const steps = [];
  for (let value = 0; value < most + step; value += step) steps.push(Math.round(value));
  return steps;
}

const BARS_MAX = 200;
