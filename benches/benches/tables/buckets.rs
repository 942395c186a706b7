//! Two choices of a bucket of eight, as in DPDK's `rte_hash`: the bucket of the hash and another one that
//! its mark names. A new flow goes where more room is; nothing is moved once it is placed.

use flowtable::Timestamp;

use crate::store::{Advice, Record, Seen, Store, YIELD_S};

const WAYS: usize = 8;

/// 16-bit marks of eight records (0 is free), and their ages, so that no record is read to find one that
/// can give way. Two buckets share a cache line.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(32))]
struct Marks {
    marks: [u16; WAYS],
    /// Units of two seconds below one bit for established flows.
    ages: [u16; WAYS],
}

const ESTABLISHED: u16 = 1 << 15;

impl Marks {
    const EMPTY: Self = Self { marks: [0; WAYS], ages: [0; WAYS] };

    /// How willingly a way gives way; `None` if it must be kept.
    fn rank(&self, way: usize, now: Timestamp) -> Option<u16> {
        let silence = ((now.seconds() / 2) as u16).wrapping_sub(self.ages[way]) & !ESTABLISHED;
        if self.ages[way] & ESTABLISHED == 0 {
            return Some(silence | ESTABLISHED);
        }
        (u32::from(silence) * 2 >= YIELD_S).then_some(silence)
    }

    fn refresh(&mut self, way: usize, now: Timestamp, seen: Seen) {
        let age = (now.seconds() / 2) as u16 & !ESTABLISHED;
        let age = if seen == Seen::Established { age | ESTABLISHED } else { age };
        if self.ages[way] != age {
            self.ages[way] = age;
        }
    }
}

pub(crate) struct Buckets {
    marks: Box<[Marks]>,
    records: Box<[Record]>,
    swept: usize,
}

impl Buckets {
    fn both(&self, hash: u64) -> [usize; 2] {
        let mask = self.marks.len() - 1;
        let first = hash as usize & mask;
        // The mark moves it by an odd distance, so that both are never the same.
        [first, first ^ ((usize::from(mark_of(hash)).wrapping_mul(0x9e37_79b1) >> 4 | 1) & mask)]
    }

    fn find_in(&self, bucket: usize, hash: u64) -> Option<usize> {
        let marks = wide::u16x8::new(self.marks[bucket].marks);
        let mut ways = marks.simd_eq(wide::u16x8::splat(mark_of(hash))).to_bitmask();
        while ways != 0 {
            let index = bucket * WAYS + ways.trailing_zeros() as usize;
            if self.records[index].hash == hash {
                return Some(index);
            }
            ways &= ways - 1;
        }
        None
    }

    fn free_in(&self, bucket: usize) -> u32 {
        let marks = wide::u16x8::new(self.marks[bucket].marks);
        marks.simd_eq(wide::u16x8::splat(0)).to_bitmask()
    }

    fn place(&mut self, buckets: [usize; 2], now: Timestamp) -> Option<usize> {
        let free = buckets.map(|bucket| self.free_in(bucket));
        let roomier = usize::from(free[1].count_ones() > free[0].count_ones());
        if free[roomier] != 0 {
            return Some(buckets[roomier] * WAYS + free[roomier].trailing_zeros() as usize);
        }
        let ways = buckets.into_iter().flat_map(|bucket| bucket * WAYS..(bucket + 1) * WAYS);
        let rank = |way: usize| self.marks[way / WAYS].rank(way % WAYS, now);
        ways.filter_map(|way| rank(way).map(|rank| (rank, way))).max().map(|(_, way)| way)
    }
}

impl Store for Buckets {
    const NAME: &'static str = "two choices of 8";

    fn new(flows: usize, pages: &mut Advice) -> Self {
        Self {
            marks: pages.filled(Marks::EMPTY, flows / WAYS),
            records: pages.filled(Record::new(0, Timestamp(0)), flows),
            swept: 0,
        }
    }

    #[inline(never)]
    fn take(&mut self, hash: u64, now: Timestamp, seen: Seen) -> bool {
        let buckets = self.both(hash);
        let found = self.find_in(buckets[0], hash).or_else(|| self.find_in(buckets[1], hash));
        if let Some(index) = found {
            let record = &mut self.records[index];
            if record.is_expired(now) {
                *record = Record::new(hash, now);
            }
            record.note(now, seen);
            self.marks[index / WAYS].refresh(index % WAYS, now, seen);
            return true;
        }
        let Some(index) = self.place(buckets, now) else { return false };
        let marks = &mut self.marks[index / WAYS];
        marks.marks[index % WAYS] = mark_of(hash);
        marks.refresh(index % WAYS, now, seen);
        self.records[index] = Record::new(hash, now);
        self.records[index].note(now, seen);
        true
    }

    fn contains(&self, hash: u64) -> bool {
        self.both(hash).iter().any(|&bucket| self.find_in(bucket, hash).is_some())
    }

    fn sweep(&mut self, now: Timestamp) {
        for _ in 0..2 * WAYS {
            self.swept = (self.swept + 1) & (self.records.len() - 1);
            let mark = &mut self.marks[self.swept / WAYS].marks[self.swept % WAYS];
            if *mark != 0 && self.records[self.swept].is_expired(now) {
                *mark = 0;
            }
        }
    }

    fn memory_bytes(&self) -> usize {
        size_of_val(&*self.marks) + size_of_val(&*self.records)
    }
}

const fn mark_of(hash: u64) -> u16 {
    let mark = (hash >> 48) as u16;
    if mark == 0 { 1 } else { mark }
}
