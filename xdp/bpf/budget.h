/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * How many plain segments of each direction of a connection are taken: `first_packets` at once, and
 * then one more for every unit of 2^30 ns that has passed, up to `first_packets` again. So the first
 * segments of a connection and the first after a silence are seen, and of a long transfer one a
 * second: what the sensor knows of a side is never older than that. SYN fills the budget; FIN and RST
 * lift it in both directions for OPEN_UNITS, so that all that follows an end is seen.
 *
 * Bounded: buckets of eight words, found by a keyed hash of the 5-tuple as sent. A direction that is
 * not there gets a new word in place of the one that was spent longest ago. Only plain segments do
 * that, so a flood of SYNs, FINs or RSTs pushes nothing out; and whoever is pushed out gets a full
 * budget anew. Every doubt ends in taking more, never less.
 *
 * A word is read and written whole. Two processors that meet at one word lose one of two updates.
 */
#ifndef RSTSCOPE_BUDGET_H
#define RSTSCOPE_BUDGET_H

#include "kernel.h"

#define WAYS 8
#define UNIT_SHIFT 30
/* A watch lasts 4.8 s; the sixth unit may have all but passed when it begins. */
#define OPEN_UNITS 6

/* Set by the loader. */
volatile const u64 seed = 0;
volatile const u32 bucket_mask = 0;
volatile const u32 first_packets = 8;	/* 1 to 255. */

/* From the lowest bit: tag 32 (0: free), budget 8, open units 8, unit of the last change 16. */
struct bucket {
	u64 words[WAYS];
};

struct {
	MAP_UINT(type, MAP_ARRAY);
	MAP_UINT(max_entries, 1);	/* The loader sets the number of buckets, a power of two. */
	MAP_TYPE(key, u32);
	MAP_TYPE(value, struct bucket);
} budgets SECTION(".maps");

struct budget {
	u32 tag;
	u32 left;
	u32 open;
	u32 unit;
};

INLINE u64 mix(u64 x)
{
	x ^= x >> 32;
	x *= 0x9e3779b97f4a7c15ULL;
	x ^= x >> 29;
	x *= 0xbf58476d1ce4e5b9ULL;
	return x ^ x >> 32;
}

INLINE u64 mix_pair(u64 hash, const u32 *from, const u32 *to)
{
	return mix(hash ^ ((u64)*from << 32 | *to));
}

/* Hash of a direction; `words` words of 32 bits are an address as it lies in the packet. */
INLINE u64 hash_of(const u32 *from, const u32 *to, u32 words, u32 ports)
{
	u64 hash = mix_pair(seed, from, to);

	if (words == 4) {
		hash = mix_pair(hash, from + 1, to + 1);
		hash = mix_pair(hash, from + 2, to + 2);
		hash = mix_pair(hash, from + 3, to + 3);
	}
	return mix(hash ^ ports);
}

INLINE u32 tag_of(u64 hash)
{
	return (u32)(hash >> 32) | 1;
}

/* Units begin at another moment for each connection: else all would be let through at once. */
INLINE u32 unit_of(u64 now, u32 tag)
{
	return (now + ((u64)(tag >> 16) << (UNIT_SHIFT - 16))) >> UNIT_SHIFT & 0xffff;
}

INLINE struct bucket *bucket_of(u64 hash)
{
	u32 index = (u32)hash & bucket_mask;

	return bpf_map_lookup_elem(&budgets, &index);
}

/* What is left at `now` by a word. */
INLINE struct budget budget_at(u64 word, u64 now)
{
	struct budget budget = {
		.tag = (u32)word, .left = word >> 32 & 0xff, .open = word >> 40 & 0xff,
	};

	budget.unit = unit_of(now, budget.tag);
	u32 passed = (budget.unit - (u32)(word >> 48)) & 0xffff;

	budget.left += passed;
	budget.left = budget.left < first_packets ? budget.left : first_packets;
	budget.open = budget.open > passed ? budget.open - passed : 0;
	return budget;
}

INLINE u64 word_of(struct budget budget)
{
	return (u64)budget.unit << 48 | (u64)budget.open << 40 | (u64)budget.left << 32 | budget.tag;
}

INLINE u64 *find(struct bucket *bucket, u32 tag)
{
#pragma unroll
	for (int i = 0; i < WAYS; i++)
		if ((u32)bucket->words[i] == tag)
			return &bucket->words[i];
	return (u64 *)0;
}

/* A free word, or the one that was changed longest ago. */
INLINE u64 *give_way(struct bucket *bucket, u32 unit)
{
	u64 *oldest = &bucket->words[0];
	u32 age_max = 0;

#pragma unroll
	for (int i = 0; i < WAYS; i++) {
		u64 word = bucket->words[i];
		u32 age = word ? (unit - (u32)(word >> 48)) & 0xffff : 0x10000;

		if (age > age_max) {
			age_max = age;
			oldest = &bucket->words[i];
		}
	}
	return oldest;
}

/* Whether a plain segment is taken. */
INLINE int spend_budget(u64 hash, u64 now)
{
	struct bucket *bucket = bucket_of(hash);
	u32 tag = tag_of(hash);

	if (!bucket)
		return 1;

	u64 *place = find(bucket, tag);

	if (!place) {
		u32 unit = unit_of(now, tag);
		struct budget fresh = { .tag = tag, .left = first_packets - 1, .unit = unit };

		*give_way(bucket, unit) = word_of(fresh);
		return 1;
	}

	u64 word = *place;
	struct budget budget = budget_at(word, now);
	int is_taken = budget.open || budget.left;

	if (!budget.open && budget.left)
		budget.left--;

	u64 changed = word_of(budget);

	/* Most segments of a long transfer only read. */
	if (changed != word)
		*place = changed;
	return is_taken;
}

/* A SYN begins a connection: its first segments are seen, whatever the 4-tuple carried before. */
INLINE void refill_budget(u64 hash, u64 now)
{
	struct bucket *bucket = bucket_of(hash);
	u64 *place = bucket ? find(bucket, tag_of(hash)) : (u64 *)0;

	if (place) {
		struct budget budget = budget_at(*place, now);

		budget.left = first_packets;
		*place = word_of(budget);
	}
}

/* An end: for some seconds everything is seen. Who is not there has a full budget anyway. */
INLINE void open_budget(u64 hash, u64 now)
{
	struct bucket *bucket = bucket_of(hash);
	u64 *place = bucket ? find(bucket, tag_of(hash)) : (u64 *)0;

	if (place) {
		struct budget budget = budget_at(*place, now);

		budget.open = OPEN_UNITS;
		*place = word_of(budget);
	}
}

#endif
