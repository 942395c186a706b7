import { beforeAll, describe, expect, it, vi } from "vitest";

describe("a list of unknown length", () => {
  let extent: typeof import("../src/rows").extent;
  beforeAll(async () => {
    vi.stubGlobal("location", { href: "http://127.0.0.1/" });
    ({ extent } = await import("../src/rows"));
  });
  it("goes on when a page before its last one is fetched anew", () => {
    let known = extent({ total: 0, hasMore: false }, 200, false);
    known = extent(known, 400, false);
    expect(known).toEqual({ total: 400, hasMore: true });
    known = extent(known, 200, false);
    expect(known).toEqual({ total: 400, hasMore: true });
    known = extent(known, 450, true);
    expect(known).toEqual({ total: 450, hasMore: false });
    expect(extent(known, 200, false)).toEqual({ total: 450, hasMore: false });
    expect(extent(known, 600, false)).toEqual({ total: 600, hasMore: true });
  });
});
