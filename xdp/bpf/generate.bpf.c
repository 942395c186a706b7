// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * Traffic for benches: sends frames out of one interface from inside the kernel. Run by
 * BPF_PROG_TEST_RUN with live frames it makes several million packets a second on one core, which
 * no socket does.
 *
 * `generate` sends the frame that it is given from a random one of `flows` source addresses.
 * `converse` makes conversations of that frame: every flow goes through sixteen steps, again and
 * again, each time as a new connection.
 */
#include "kernel.h"

volatile const u32 interface = 0;	/* The index of the interface to send on. */
volatile const u32 flows_mask = 0;	/* Flows less one; flows are a power of two. */
volatile const u32 flows_shift = 0;	/* The logarithm of the number of flows. */
volatile const u32 resets = 0;		/* Of sixteen conversations so many end by a reset. */

u64 sent = 0;	/* Frames made by `converse`; one processor at a time. */

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

/* Plain Ethernet, IPv4 and TCP without options. */
struct headers {
	u16 to_mac[3], from_mac[3];
	u16 type;
	u16 version_and_class;
	u16 total_len;
	u16 id;
	u16 fragment;
	u8 hop_limit;
	u8 protocol;
	u16 ip_checksum;
	u16 source_high, source_low, target_high, target_low;
	u16 source_port, target_port;
	u16 seq_high, seq_low, ack_high, ack_low;
	u8 header_len, flags;
	u16 window;
	u16 tcp_checksum;
	u16 urgent;
};

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };

/* A conversation: handshake, data, and three steps that end it, by FIN or by reset. */
enum { STEPS = 16, OPENING = 3, ENDING = 13 };

INLINE u32 mixed(u32 x)
{
	x = (x ^ x >> 16) * 0x7feb352d;
	x = (x ^ x >> 15) * 0x846ca68b;
	return x ^ x >> 16;
}

INLINE u16 folded(u64 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~((sum & 0xffff) + (sum >> 16));
}

SECTION("xdp")
int converse(struct xdp_md *context)
{
	struct headers *to = (void *)(long)context->data;

	if ((u8 *)(to + 1) > (u8 *)(long)context->data_end)
		return XDP_ABORTED;

	u64 number = sent++;
	u32 data_len = (u32)(context->data_end - context->data) - sizeof(*to);
	/* Every flow once a round, in a scattered order, each in a step of its own. */
	u32 flow = (u32)number * 0x9e3779b1 & flows_mask;
	u32 luck = mixed(flow);
	u64 turn = (number >> flows_shift) + (luck & (STEPS - 1));
	u32 step = turn & (STEPS - 1);
	u32 conversation = turn / STEPS;

	luck = mixed(luck + conversation);
	/* Data go both ways in turn, the client's first. */
	u32 is_reset = (luck >> 8 & 15) < resets;
	u32 from_server = step < OPENING ? step == 1 : (step - OPENING) & 1;
	u32 client_data = 0, server_data = 0;
	u8 flags = ACK;
	u32 len = 0;

	if (step == 0) {
		flags = SYN;
	} else if (step == 1) {
		flags = SYN | ACK;
	} else if (step == 2) {
		flags = ACK;
	} else if (step < ENDING) {
		flags = PSH | ACK;
		len = data_len;
	} else if (is_reset) {
		/* An ACK of each, then the reset. */
		if (step == STEPS - 1) {
			flags = luck & 1 << 16 ? RST : RST | ACK;
			from_server = luck >> 17 & 1;
		}
	} else if (step == ENDING) {
		flags = FIN | ACK;
		from_server = 0;
	} else if (step == ENDING + 1) {
		flags = FIN | ACK;
		from_server = 1;
	} else {
		from_server = 0;
	}
	/* What both have sent before this step, SYN and FIN counted. */
	if (step > OPENING) {
		u32 data_steps = (step < ENDING ? step : ENDING) - OPENING;

		client_data = (data_steps + 1) / 2 * data_len;
		server_data = data_steps / 2 * data_len;
	}
	client_data += (step > 0) + (!is_reset && step > ENDING);
	server_data += (step > 1) + (!is_reset && step > ENDING + 1);

	u32 client_seq = luck * 0x2c1b3c6d + client_data;
	u32 server_seq = luck * 0x297a2d39 + server_data;
	u32 seq = from_server ? server_seq : client_seq;
	u32 ack = flags & ACK ? (from_server ? client_seq : server_seq) : 0;
	u16 id = (u16)(flow * (from_server ? 40503 : 25717) + turn);
	/* 10.x.y.z and one of 256 servers of 198.18.0.0/15 (RFC 2544). */
	u16 client_port = __builtin_bswap16(20000 + ((conversation + luck) & 0x3fff));
	u16 client_high = __builtin_bswap16(0x0a00 | flow >> 16);
	u16 client_low = __builtin_bswap16(flow);
	u16 server_low = __builtin_bswap16(flow & 255);
	u16 window = flags == RST ? 0 : BE16(502);

	to->to_mac[0] = to->from_mac[0] = BE16(0x0200);
	to->to_mac[1] = to->from_mac[1] = 0;
	to->to_mac[2] = from_server ? BE16(1) : BE16(2);
	to->from_mac[2] = from_server ? BE16(2) : BE16(1);
	to->type = BE16(0x0800);
	to->version_and_class = BE16(0x4500);
	to->total_len = __builtin_bswap16(40 + len);
	to->id = flags == RST ? 0 : __builtin_bswap16(id);
	to->fragment = BE16(0x4000);
	to->hop_limit = from_server ? 57 : 61;
	to->protocol = 6;
	to->source_high = from_server ? BE16(0xc612) : client_high;
	to->source_low = from_server ? server_low : client_low;
	to->target_high = from_server ? client_high : BE16(0xc612);
	to->target_low = from_server ? client_low : server_low;
	to->source_port = from_server ? BE16(443) : client_port;
	to->target_port = from_server ? client_port : BE16(443);
	to->seq_high = __builtin_bswap16(seq >> 16);
	to->seq_low = __builtin_bswap16(seq);
	to->ack_high = __builtin_bswap16(ack >> 16);
	to->ack_low = __builtin_bswap16(ack);
	to->header_len = 5 << 4;
	to->flags = flags;
	to->window = window;
	to->urgent = 0;

	/* Sums of words in the order of memory, as RFC 1071 allows; the data are zeros. */
	u64 addresses = (u64)to->source_high + to->source_low + to->target_high + to->target_low;
	u64 ip = addresses + to->version_and_class + to->total_len + to->id + to->fragment +
		 (to->hop_limit | to->protocol << 8);
	u64 tcp = addresses + BE16(6) + __builtin_bswap16(20 + len) + to->source_port +
		  to->target_port + to->seq_high + to->seq_low + to->ack_high + to->ack_low +
		  (to->header_len | to->flags << 8) + to->window;

	to->ip_checksum = folded(ip);
	to->tcp_checksum = folded(tcp);
	return bpf_redirect(interface, 0);
}

char program_licence[] SECTION("license") = "Dual MIT/GPL";
