// Which losses are packets: only they are a part of what came. Pure.

import type { Status } from "./answers";

/** Counted by a queue for each packet of another loss once more. */
const TWICE = "kernel_fill_ring_empty";

export function isOfPackets(name: string, status: Status): boolean {
  return name === "handover_ring_full" || name === "xdp_no_socket" || name === TWICE || status.queues.some((queue) => name in queue.losses);
}

/** Packets that came to the sensor, lost ones too. */
export function packetsCame(status: Status): number {
  const lost = Object.entries(status.losses).filter(([name]) => name !== TWICE && isOfPackets(name, status));
  return status.packets + lost.reduce((sum, [, value]) => sum + value, 0);
}
