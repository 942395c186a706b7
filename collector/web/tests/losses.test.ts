import { describe, expect, it } from "vitest";
import type { Status } from "../src/answers";
import { isOfPackets, packetsCame } from "../src/losses";

describe("losses", () => {
  const losses = { kernel_receive_dropped: 60, kernel_fill_ring_empty: 60, handover_ring_full: 40, names_not_read: 5000 };
  const queue = { kernel_receive_dropped: 60, kernel_fill_ring_empty: 60 };
  const status = { packets: 900, losses, queues: [{ losses: queue }] } as unknown as Status;
  it("are a part of the packets only if they are packets, and once", () => {
    expect(Object.keys(losses).map((name) => isOfPackets(name, status))).toEqual([true, true, true, false]);
    expect(packetsCame(status)).toBe(1000);
  });
});
