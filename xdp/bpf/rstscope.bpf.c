// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * Frames to sockets: hands every packet that is, or may carry, TCP to the AF_XDP socket of its
 * receive queue, and counts and drops (tap) or passes (interface shared with the host) the rest.
 *
 * It decides as little as it can. Where the answer lies deeper than these few headers (tunnels,
 * fragments, a third VLAN tag, a sixth extension header), the packet goes to user space, which
 * parses properly and counts what it cannot read.
 *
 * Multi-buffer packets: `data_end` is the end of the first buffer only. All headers lie there.
 *
 * In control mode segments with ACK and none of SYN, FIN and RST are rationed, see budget.h; all else
 * goes the same way as before. `prefilter.rs` makes the same decisions in user space: a test feeds
 * both with the same frames, so what is changed here is changed there.
 */
#include "kernel.h"
#include "budget.h"

#define VLAN_TAGS_MAX 2
#define EXTENSION_HEADERS_MAX 5
#define TUNNEL_PORTS_MAX 8

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

enum { IP_HOP_BY_HOP = 0, IP_IPIP = 4, IP_TCP = 6, IP_UDP = 17, IP_IPV6 = 41, IP_ROUTING = 43,
       IP_FRAGMENT = 44, IP_GRE = 47, IP_AH = 51, IP_DESTINATION = 60, IP_ETHERIP = 97,
       IP_L2TP = 115, IP_MOBILITY = 135, IP_MPLS = 137 };

/* Set by the loader before the program is loaded, so the verifier removes dead branches. */
volatile const u32 others = XDP_DROP;	/* What becomes of packets that are not redirected. */
volatile const u32 tunnels = 1;		/* Whether packets that may carry TCP are redirected too. */
volatile const u32 control_only = 0;	/* Whether plain TCP segments are rationed. */
volatile const u32 clock_in_metadata = 0;	/* Tests bring their own time. */
volatile const u32 metadata_mark = 0;	/* Says that metadata is ours; 0: there is none. */
volatile const u16 tunnel_ports[TUNNEL_PORTS_MAX] = { 0 };	/* UDP, network byte order. */

/* Mirrored by `COUNTERS` in program.rs: append only. */
enum counter { TCP_REDIRECTED, MAYBE_TCP_REDIRECTED, NOT_TCP, LEFT_OUT, TOO_SHORT, NO_SOCKET,
	       COUNTERS };

/* What a packet is. Values below NOT_TCP are redirected; each is also its counter, but the last. */
typedef enum counter kind;

#define UNDECIDED COUNTERS

struct {
	MAP_UINT(type, MAP_XSKMAP);
	MAP_UINT(max_entries, 64);	/* The loader sets the number of queues. */
	MAP_TYPE(key, u32);
	MAP_TYPE(value, u32);
} xsks SECTION(".maps");

struct {
	MAP_UINT(type, MAP_PERCPU_ARRAY);
	MAP_UINT(max_entries, COUNTERS);
	MAP_TYPE(key, u32);
	MAP_TYPE(value, u64);
} counters SECTION(".maps");

INLINE void count(u32 which)
{
	u64 *value = bpf_map_lookup_elem(&counters, &which);

	if (LIKELY(value))
		*value += 1;	/* Per CPU, and XDP does not nest: no atomic needed. */
}

/* One segment's place in the packet: its addresses are `words` words of 32 bits each. */
struct segment {
	const u8 *at;
	const u8 *end;
	const u32 *addresses;
	u32 words;
	u32 is_fragment;
	u64 now;
};

INLINE kind maybe(void)
{
	return tunnels ? MAYBE_TCP_REDIRECTED : NOT_TCP;
}

/* UDP to or from a tunnel's port; which ports is configuration. */
INLINE kind udp(const u8 *at, const u8 *end)
{
	if (!tunnels)
		return NOT_TCP;
	if (at + 4 > end)
		return TOO_SHORT;
#pragma unroll
	for (int i = 0; i < TUNNEL_PORTS_MAX; i++) {
		u16 port = tunnel_ports[i];

		if (port && (*(u16 *)at == port || *(u16 *)(at + 2) == port))
			return MAYBE_TCP_REDIRECTED;
	}
	return NOT_TCP;
}

INLINE kind transport(u8 protocol, const u8 *at, struct segment *segment)
{
	switch (protocol) {
	case IP_TCP:
		segment->at = at;
		return control_only ? UNDECIDED : TCP_REDIRECTED;
	case IP_UDP:
		return udp(at, segment->end);
	case IP_IPIP: case IP_IPV6: case IP_GRE: case IP_AH: case IP_ETHERIP: case IP_L2TP:
	case IP_MPLS:
		return maybe();
	default:
		return NOT_TCP;
	}
}

INLINE kind ipv4(const u8 *at, struct segment *segment)
{
	const u8 *end = segment->end;

	if (at + 20 > end)
		return TOO_SHORT;

	u32 header_len = (at[0] & 0x0f) * 4;
	u8 protocol = at[9];
	u16 fragment = *(u16 *)(at + 6);

	segment->addresses = (const u32 *)(at + 12);
	segment->words = 1;
	segment->is_fragment = fragment & BE16(0x3fff);
	/* A later fragment has no ports and no flags: user space counts it as what it is. */
	if (fragment & BE16(0x1fff)) {
		if (protocol == IP_TCP)
			return TCP_REDIRECTED;
		if (protocol == IP_UDP)
			return NOT_TCP;
	}
	return transport(protocol, at + header_len, segment);
}

INLINE kind ipv6(const u8 *at, struct segment *segment)
{
	const u8 *end = segment->end;

	if (at + 40 > end)
		return TOO_SHORT;

	u8 next = at[6];

	segment->addresses = (const u32 *)(at + 8);
	segment->words = 4;
	at += 40;
#pragma unroll
	for (int i = 0; i < EXTENSION_HEADERS_MAX; i++) {
		if (LIKELY(next != IP_HOP_BY_HOP && next != IP_ROUTING && next != IP_DESTINATION &&
			   next != IP_MOBILITY && next != IP_FRAGMENT))
			return transport(next, at, segment);
		if (at + 8 > end)
			return TOO_SHORT;
		/* A later fragment: its first header may be anything, user space counts it. */
		if (next == IP_FRAGMENT && *(u16 *)(at + 2) & BE16(0xfff8))
			return at[0] == IP_UDP ? NOT_TCP : TCP_REDIRECTED;

		u32 header_len = next == IP_FRAGMENT ? 8 : (at[1] + 1) * 8;

		segment->is_fragment |= next == IP_FRAGMENT;
		next = at[0];
		at += header_len;
	}
	return TCP_REDIRECTED;
}

INLINE kind classify(const u8 *at, struct segment *segment)
{
	const u8 *end = segment->end;

	if (at + 14 > end)
		return TOO_SHORT;

	u16 type = *(u16 *)(at + 12);

	at += 14;
#pragma unroll
	for (int i = 0; i < VLAN_TAGS_MAX; i++) {
		if (type != BE16(0x8100) && type != BE16(0x88a8) && type != BE16(0x9100))
			break;
		if (at + 4 > end)
			return TOO_SHORT;
		type = *(u16 *)(at + 2);
		at += 4;
	}
	switch (type) {
	case BE16(0x0800):
		return ipv4(at, segment);
	case BE16(0x86dd):
		return ipv6(at, segment);
	case BE16(0x8100): case BE16(0x88a8): case BE16(0x9100):	/* One more VLAN tag. */
	case BE16(0x8847): case BE16(0x8848):	/* MPLS, RFC 5332. */
	case BE16(0x8864):			/* PPPoE session, RFC 2516. */
	case BE16(0x88e7):			/* Provider backbone bridge, IEEE 802.1ah. */
	case BE16(0x894f):			/* Network service header, RFC 8300. */
		return maybe();
	default:
		return NOT_TCP;
	}
}

/* In control mode: whether a segment is taken. */
INLINE kind ration(const struct segment *segment)
{
	const u8 *at = segment->at;

	/* What cannot be read here is user space's to read. */
	if (segment->is_fragment || at + 14 > segment->end)
		return MAYBE_TCP_REDIRECTED;

	u8 flags = at[13];
	u32 ports = *(u32 *)at;
	const u32 *from = segment->addresses, *to = from + segment->words;
	u64 hash = hash_of(from, to, segment->words, ports);

	if (flags & (TCP_FIN | TCP_RST)) {
		open_budget(hash, segment->now);
		open_budget(hash_of(to, from, segment->words, ports << 16 | ports >> 16), segment->now);
		return TCP_REDIRECTED;
	}
	if (flags & TCP_SYN) {
		refill_budget(hash, segment->now);
		return TCP_REDIRECTED;
	}
	/* Nobody sends segments without ACK but to probe. */
	if (!(flags & TCP_ACK))
		return TCP_REDIRECTED;
	return spend_budget(hash, segment->now) ? TCP_REDIRECTED : LEFT_OUT;
}

/* A coarse clock (Linux 5.11): it costs a load, and a budget counts whole seconds. */
INLINE u64 clock_ns(struct xdp_md *context)
{
	if (!control_only)
		return 0;
	if (clock_in_metadata) {
		u64 *stamp = (void *)(long)context->data_meta;

		return (void *)(stamp + 1) > (void *)(long)context->data ? 0 : *stamp;
	}
	return bpf_ktime_get_coarse_ns();
}

/* Mirrored by `Metadata` in metadata.rs: lies right before the frame. */
struct metadata {
	u64 stamp_ns;	/* By the card's own clock; 0: none. */
	u32 hash;	/* What the card chose the queue by; 0: none. */
	u32 mark;
};

/* Hands on what the card knows of the packet. Afterwards no pointer into it is valid. */
INLINE void hand_on_metadata(struct xdp_md *context)
{
	u64 stamp_ns = 0;
	u32 hash = 0, kind = 0;

	if (bpf_xdp_metadata_rx_timestamp(context, &stamp_ns))
		stamp_ns = 0;
	if (bpf_xdp_metadata_rx_hash(context, &hash, &kind))
		hash = 0;
	if (bpf_xdp_adjust_meta(context, -(int)sizeof(struct metadata)))
		return;

	struct metadata *metadata = (void *)(long)context->data_meta;

	if ((void *)(metadata + 1) > (void *)(long)context->data)
		return;
	metadata->stamp_ns = stamp_ns;
	metadata->hash = hash;
	metadata->mark = metadata_mark;
}

SECTION("xdp.frags")
int rstscope(struct xdp_md *context)
{
	u64 now = clock_ns(context);
	struct segment segment = { .end = (void *)(long)context->data_end, .now = now };
	kind is = classify((void *)(long)context->data, &segment);

	if (is == UNDECIDED)
		is = ration(&segment);

	if (is < NOT_TCP) {
		if (metadata_mark)
			hand_on_metadata(context);
		/* Without a socket on this queue the lookup fails and says `others`. */
		int action = bpf_redirect_map(&xsks, context->rx_queue_index, others);

		count(action == XDP_REDIRECT ? is : NO_SOCKET);
		return action;
	}
	count(is);
	return others;
}

/* The kernel wants "Dual MIT/GPL" to the letter (include/linux/license.h). */
char program_licence[] SECTION("license") = "Dual MIT/GPL";
