//! How fast memory answers to what a flow table asks of it.

use std::hint::black_box;
use std::time::Instant;

use xdp::prefer_huge_pages;

/// Nanoseconds for a cache line at random out of a table far larger than any cache, 64 of them on
/// their way at a time; the best of so many rounds, since others only make it slower.
pub(crate) fn random_line_ns(rounds: usize) -> f64 {
    let mut table = vec![1_u64; TABLE_BYTES / size_of::<u64>()];
    // Refused advice makes the figure worse, as it would make the table's.
    let _ = prefer_huge_pages(&mut table);
    (0..rounds.max(1)).map(|round| walk(&table, round as u64)).fold(f64::INFINITY, f64::min)
}

fn walk(table: &[u64], seed: u64) -> f64 {
    let lines = (table.len() / WORDS_PER_LINE) as u64;
    let mut random = seed.wrapping_mul(2).wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut places = [0; BATCH];
    let start = Instant::now();
    let mut sum = 0;
    for _ in 0..BATCHES {
        for place in &mut places {
            // An LCG's upper bits; the table's size is a power of two.
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *place = ((random >> 32) & (lines - 1)) as usize * WORDS_PER_LINE;
        }
        sum += places.iter().map(|&place| table[place]).sum::<u64>();
    }
    black_box(sum);
    start.elapsed().as_nanos() as f64 / (BATCHES * BATCH) as f64
}

const TABLE_BYTES: usize = 512 << 20;
const WORDS_PER_LINE: usize = 8;
const BATCH: usize = 64;
const BATCHES: usize = 100_000;
