/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The little of the kernel's BPF interface that the programs here use, written out by hand, so that
 * neither kernel headers nor libbpf are needed to build it. Numbers and layouts are stable
 * user-space ABI (include/uapi/linux/bpf.h, Linux 5.18 and later).
 */
#ifndef RSTSCOPE_KERNEL_H
#define RSTSCOPE_KERNEL_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define SECTION(name) __attribute__((section(name), used))
#define INLINE static inline __attribute__((always_inline))
#define LIKELY(x) __builtin_expect(!!(x), 1)

/* Network byte order of a constant; the object is built for little-endian BPF. */
#define BE16(x) ((u16)__builtin_bswap16((u16)(x)))

/* A map definition in BTF form: types and numbers ride in pointer types. */
#define MAP_UINT(name, value) int(*name)[value]
#define MAP_TYPE(name, type) typeof(type) *name

enum map_type { MAP_ARRAY = 2, MAP_PERCPU_ARRAY = 6, MAP_XSKMAP = 17 };

enum xdp_action { XDP_ABORTED, XDP_DROP, XDP_PASS, XDP_TX, XDP_REDIRECT };

struct xdp_md {
	u32 data;
	u32 data_end;
	u32 data_meta;
	u32 ingress_ifindex;
	u32 rx_queue_index;
	u32 egress_ifindex;
};

static void *(*bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static u32 (*bpf_get_prandom_u32)(void) = (void *)7;
static long (*bpf_redirect)(u32 interface, u64 flags) = (void *)23;
static u64 (*bpf_ktime_get_coarse_ns)(void) = (void *)160;
static long (*bpf_xdp_adjust_meta)(struct xdp_md *context, int delta) = (void *)54;
/* Since Linux 5.3 the lower two bits of `flags` are the verdict when the map has no such entry. */
static long (*bpf_redirect_map)(void *map, u64 key, u64 flags) = (void *)51;

/*
 * Functions of the kernel itself, not helpers: they have no fixed numbers. `metadata.rs` turns calls of
 * these into calls of what bears the name in the kernel's BTF; elsewhere they are dead code. Since 6.3.
 */
static int (*bpf_xdp_metadata_rx_timestamp)(const struct xdp_md *context, u64 *ns) = (void *)0x7e570001;
static int (*bpf_xdp_metadata_rx_hash)(const struct xdp_md *context, u32 *hash, u32 *kind) =
	(void *)0x7e570002;

#endif
