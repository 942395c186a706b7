//! A spread while it grows: whole numbers, so that the order in which they come makes no difference.

use events::Spread;

/// The buckets of [`Spread`] in a sorted list, 8 bytes each.
#[derive(Clone, Debug, Default)]
pub(super) struct Histogram {
    count: u64,
    sum: u64,
    zeros: u64,
    buckets: Vec<(i16, u32)>,
}

impl Histogram {
    /// Adds `value`, which is `unit` times what is told. Gives how many more buckets there is room for
    /// now; without `has_room` a value that has no bucket goes to the one next to it.
    pub(super) fn add(&mut self, value: u64, unit: f64, has_room: bool) -> usize {
        self.count += 1;
        self.sum = self.sum.saturating_add(value);
        if value == 0 {
            self.zeros += 1;
            return 0;
        }
        let bucket = Spread::bucket(value as f64 / unit);
        let place = self.buckets.partition_point(|(known, _)| *known < bucket);
        let is_known = self.buckets.get(place).is_some_and(|(known, _)| *known == bucket);
        if is_known || (!has_room && !self.buckets.is_empty()) {
            let place = place.min(self.buckets.len() - 1);
            let count = &mut self.buckets[place].1;
            *count = count.saturating_add(1);
            return 0;
        }
        let before = self.buckets.capacity();
        self.buckets.insert(place, (bucket, 1));
        self.buckets.capacity() - before
    }

    /// Buckets that there is room for.
    pub(super) fn cells(&self) -> usize {
        self.buckets.capacity()
    }

    /// Buckets in use.
    pub(super) fn len(&self) -> usize {
        self.buckets.len()
    }

    /// In units that are told.
    pub(super) fn spread(&self, unit: f64) -> Spread {
        Spread {
            count: self.count,
            sum: self.sum as f64 / unit,
            zeros: self.zeros,
            buckets: self.buckets.iter().map(|&(index, count)| (index, count.into())).collect(),
        }
    }
}
