// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * Traffic for benches: sends the frame that BPF_PROG_TEST_RUN gives it out of one interface, from a
 * random one of `flows` source addresses. Run in the kernel with live frames it makes several
 * million packets a second on one core, which no socket does.
 */
#include "kernel.h"

volatile const u32 interface = 0;	/* The index of the interface to send on. */
volatile const u32 flows_mask = 0;	/* Flows less one; flows are a power of two. */

SECTION("xdp")
int generate(struct xdp_md *context)
{
	u8 *frame = (void *)(long)context->data;

	/* The source address of IPv4 behind plain Ethernet. Frames are used again and again, so the
	 * low bits are set, not changed. */
	if (flows_mask && frame + 30 <= (u8 *)(long)context->data_end) {
		u32 flow = bpf_get_prandom_u32() & flows_mask;

		frame[27] = flow >> 16;
		frame[28] = flow >> 8;
		frame[29] = flow;
	}
	return bpf_redirect(interface, 0);
}

char program_licence[] SECTION("license") = "Dual MIT/GPL";
