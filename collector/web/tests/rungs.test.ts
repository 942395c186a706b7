import { describe, expect, it } from "vitest";
import type { Rung } from "../src/answers";
import { baselines, missing, relative, standing } from "../src/rungs";

const rung = (more: Partial<Rung>): Rung => ({
  after_s: 0, from: "server", flags: "A", seq: 1, ack: 1, len: 0, ttl: 64, ip_id: null, window: 1, is_judged: false, omitted_before: 0, ...more,
});

describe("a ladder", () => {
  it("sets devices between the ends and blind attackers beside the path", () => {
    expect(["middlebox_to_client", "middlebox_both", "blind_attacker", "client", "server", "unknown"].map(standing)).toEqual(["between", "between", "beside", "end", "end", "end"]);
  });
  it("takes no reset for what is usual of a side", () => {
    const forged = rung({ flags: "RA", ttl: 250 });
    expect(baselines([rung({}), forged, forged, rung({ ...forged, is_judged: true })])).toEqual({ server: 64 });
    expect(baselines([forged])).toEqual({});
  });
  it("says what is missing, counted or not", () => {
    expect([rung({}), rung({ is_gap: true }), rung({ omitted_before: 1 }), rung({ omitted_before: 2, is_gap: true })].map(missing)).toEqual([
      undefined, "packets not kept", "1 packet not kept", "2 packets not kept",
    ]);
  });
  it("has negative numbers before its first packet", () => {
    expect([0, 5, 4_294_967_295].map(relative)).toEqual(["0", "5", "−1"]);
  });
});
