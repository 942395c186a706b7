import { describe, expect, it } from "vitest";
import type { Step } from "../src/answers";
import { bars, bounds, place, quantile, ticks } from "../src/histogram";
import { heights, layers, OTHER } from "../src/stack";

describe("a histogram", () => {
  const spread = { count: 11, sum: 359, zeros: 1, buckets: { "-1": 9, "33": 1 } };
  it("has bars without holes, from the lowest to the highest", () => {
    const made = bars(spread);
    expect(made.length).toBe(35);
    expect(made.reduce((sum, bar) => sum + bar.count, 0)).toBe(10);
    expect(bounds(-1)[1]).toBe(1);
    expect(bars({ count: 2, sum: 0, zeros: 0, buckets: { "-4000": 1, "4000": 1 } }).length).toBe(200);
  });
  it("knows quantiles to a bucket", () => {
    expect(quantile(spread, 0.5)).toBe(1);
    expect(quantile(spread, 1)).toBeCloseTo(2 ** 8.5);
    expect(quantile({ count: 0, sum: 0, zeros: 0, buckets: {} }, 0.5)).toBeUndefined();
  });
  it("has a logarithmic axis and round marks", () => {
    expect(place(10, 1, 100)).toBeCloseTo(0.5);
    expect(ticks(7)).toEqual([0, 2, 4, 6, 8]);
    expect(ticks(0)).toEqual([0, 1]);
    expect(ticks(1_000_000).at(-1)).toBeGreaterThanOrEqual(1_000_000);
  });
});

describe("a timeline", () => {
  const none = { opened: 0, midstream: 0, established: 0, closed_well: 0, reset: 0, timed_out: 0, unanswered: 0, still_open: 0 };
  const step = (causes: Record<string, number>, benign = 0): Step => ({ time: "", connections: none, resets: { aborted: 0, refused: 0, benign, unknown: 0 }, harmful_by_cause: causes });
  it("gives the most frequent causes a layer each and the rest one together", () => {
    const series = [step({ a: 5, b: 1, c: 1 }), step({ a: 1, d: 9 }, 4)];
    const names = layers(series, 3);
    expect(names).toEqual(["d", "a", OTHER]);
    expect(heights(series[0]!, names, false)).toEqual([0, 5, 2]);
    expect(heights(series[1]!, names, true)).toEqual([9, 1, 0, 4]);
    expect(layers([step({ a: 1 })], 3)).toEqual(["a"]);
  });
});
