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
 */
#include "kernel.h"

#define VLAN_TAGS_MAX 2
#define EXTENSION_HEADERS_MAX 5
#define TUNNEL_PORTS_MAX 8

#define TCP_FIN_SYN_RST 0x07

enum { IP_HOP_BY_HOP = 0, IP_IPIP = 4, IP_TCP = 6, IP_UDP = 17, IP_IPV6 = 41, IP_ROUTING = 43,
       IP_FRAGMENT = 44, IP_GRE = 47, IP_AH = 51, IP_DESTINATION = 60, IP_ETHERIP = 97,
       IP_L2TP = 115, IP_MOBILITY = 135, IP_MPLS = 137 };

/* Set by the loader before the program is loaded, so the verifier removes dead branches. */
volatile const u32 others = XDP_DROP;	/* What becomes of packets that are not redirected. */
volatile const u32 tunnels = 1;		/* Whether packets that may carry TCP are redirected too. */
volatile const u32 control_only = 0;	/* Whether TCP without SYN, FIN or RST stays out. */
volatile const u16 tunnel_ports[TUNNEL_PORTS_MAX] = { 0 };	/* UDP, network byte order. */

/* Mirrored by `COUNTERS` in program.rs: append only. */
enum counter { TCP_REDIRECTED, MAYBE_TCP_REDIRECTED, NOT_TCP, TCP_DATA, TOO_SHORT, NO_SOCKET,
	       COUNTERS };

/* What a packet is. Values below NOT_TCP are redirected; each is also its counter. */
typedef enum counter kind;

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

INLINE kind maybe(void)
{
	return tunnels ? MAYBE_TCP_REDIRECTED : NOT_TCP;
}

INLINE kind tcp(const u8 *at, const u8 *end)
{
	if (!control_only)
		return TCP_REDIRECTED;
	if (at + 14 > end)
		return TOO_SHORT;
	return at[13] & TCP_FIN_SYN_RST ? TCP_REDIRECTED : TCP_DATA;
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

INLINE kind transport(u8 protocol, const u8 *at, const u8 *end)
{
	switch (protocol) {
	case IP_TCP:
		return tcp(at, end);
	case IP_UDP:
		return udp(at, end);
	case IP_IPIP: case IP_IPV6: case IP_GRE: case IP_AH: case IP_ETHERIP: case IP_L2TP:
	case IP_MPLS:
		return maybe();
	default:
		return NOT_TCP;
	}
}

INLINE kind ipv4(const u8 *at, const u8 *end)
{
	if (at + 20 > end)
		return TOO_SHORT;

	u32 header_len = (at[0] & 0x0f) * 4;
	u8 protocol = at[9];

	/* A later fragment has no ports and no flags: user space counts it as what it is. */
	if (*(u16 *)(at + 6) & BE16(0x1fff)) {
		if (protocol == IP_TCP)
			return TCP_REDIRECTED;
		return protocol == IP_UDP ? NOT_TCP : transport(protocol, at, end);
	}
	return transport(protocol, at + header_len, end);
}

INLINE kind ipv6(const u8 *at, const u8 *end)
{
	if (at + 40 > end)
		return TOO_SHORT;

	u8 next = at[6];

	at += 40;
#pragma unroll
	for (int i = 0; i < EXTENSION_HEADERS_MAX; i++) {
		if (LIKELY(next != IP_HOP_BY_HOP && next != IP_ROUTING && next != IP_DESTINATION &&
			   next != IP_MOBILITY && next != IP_FRAGMENT))
			return transport(next, at, end);
		if (at + 8 > end)
			return TOO_SHORT;
		/* A later fragment: its first header may be anything, user space counts it. */
		if (next == IP_FRAGMENT && *(u16 *)(at + 2) & BE16(0xfff8))
			return at[0] == IP_UDP ? NOT_TCP : TCP_REDIRECTED;

		u32 header_len = next == IP_FRAGMENT ? 8 : (at[1] + 1) * 8;

		next = at[0];
		at += header_len;
	}
	return TCP_REDIRECTED;
}

INLINE kind classify(const u8 *at, const u8 *end)
{
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
		return ipv4(at, end);
	case BE16(0x86dd):
		return ipv6(at, end);
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

SECTION("xdp.frags")
int rstscope(struct xdp_md *context)
{
	kind is = classify((void *)(long)context->data, (void *)(long)context->data_end);

	if (is < NOT_TCP) {
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
