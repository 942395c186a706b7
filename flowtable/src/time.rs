//! Instants: nanoseconds outside, 16 µs ticks inside a record.

/// Nanoseconds since the Unix epoch, by the clock of whoever stamped the packet.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Nanoseconds from `earlier` to `self`; 0 if the clock went backwards.
    #[must_use]
    pub const fn since_ns(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Nanoseconds between the two, whichever came first.
    #[must_use]
    pub const fn apart_ns(self, other: Self) -> u64 {
        self.0.abs_diff(other.0)
    }

    /// The instant `ns` nanoseconds later.
    #[must_use]
    pub const fn plus_ns(self, ns: u64) -> Self {
        Self(self.0.saturating_add(ns))
    }

    /// The same instant as a record keeps it.
    #[must_use]
    pub const fn tick(self) -> Tick {
        Tick((self.0 >> TICK_SHIFT) as u32)
    }

    /// Whole seconds, wrapping at 2^32.
    #[must_use]
    pub const fn seconds(self) -> u32 {
        (self.0 / 1_000_000_000) as u32
    }
}

/// An instant in units of 2^14 ns (16.384 µs), wrapping after 19.5 hours.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tick(pub u32);

impl Tick {
    /// The later of two instants less than ten hours apart.
    #[inline]
    #[must_use]
    pub(crate) const fn latest(self, other: Self) -> Self {
        if (other.0.wrapping_sub(self.0) as i32) > 0 { other } else { self }
    }

    /// Time from `earlier` to `self`; 0 if `earlier` lies in the future (reordered capture).
    #[inline]
    #[must_use]
    pub const fn since(self, earlier: Self) -> Ticks {
        let distance = self.0.wrapping_sub(earlier.0);
        if distance > u32::MAX / 2 { Ticks(0) } else { Ticks(distance) }
    }
}

/// A span of 2^14 ns units.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Ticks(pub u32);

impl Ticks {
    /// The span of `ns` nanoseconds, rounded down.
    #[must_use]
    pub const fn from_ns(ns: u64) -> Self {
        let ticks = ns >> TICK_SHIFT;
        Self(if ticks > u32::MAX as u64 { u32::MAX } else { ticks as u32 })
    }

    /// The span of `ms` milliseconds, rounded down.
    #[must_use]
    pub const fn from_ms(ms: u64) -> Self {
        Self::from_ns(ms * 1_000_000)
    }

    /// Nanoseconds.
    #[must_use]
    pub const fn ns(self) -> u64 {
        (self.0 as u64) << TICK_SHIFT
    }

    /// Seconds, for people and for rules.
    #[must_use]
    pub fn seconds(self) -> f64 {
        self.ns() as f64 / 1e9
    }
}

/// A span in 16 bits, rounded down: eleven leading bits and how far they are shifted.
///
/// Shorter by 1/2048 at most: a timer of an hour is told to 2 s, one of a minute to 30 ms, and it takes
/// no division to make one. Its order is that of the spans.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct ShortSpan(u16);

impl ShortSpan {
    /// No time at all.
    pub(crate) const NONE: Self = Self(0);

    /// `span`, rounded down.
    pub(crate) const fn of(span: Ticks) -> Self {
        let bits = u32::BITS - span.0.leading_zeros();
        if bits <= Self::BITS {
            return Self(span.0 as u16);
        }
        let shift = bits - Self::BITS - 1;
        let leading = span.0 >> shift & Self::MASK;
        Self(((shift + 1) << Self::BITS | leading) as u16)
    }

    /// The longer of it and `span`. Most spans are too short to be encoded.
    #[inline(always)]
    pub(crate) const fn or_longer(self, span: Ticks) -> Self {
        let other = if span.0 < 1 << Self::BITS { Self(span.0 as u16) } else { Self::of(span) };
        if other.0 > self.0 { other } else { self }
    }

    /// The span it stands for.
    pub(crate) const fn ticks(self) -> Ticks {
        let (shift, leading) = (self.0 as u32 >> Self::BITS, self.0 as u32 & Self::MASK);
        if shift == 0 { Ticks(leading) } else { Ticks((leading | 1 << Self::BITS) << (shift - 1)) }
    }

    const BITS: u32 = 11;
    const MASK: u32 = (1 << Self::BITS) - 1;
}

const TICK_SHIFT: u32 = 14;

#[cfg(test)]
mod tests {
    use super::{ShortSpan, Ticks};

    #[test]
    fn a_short_span_keeps_the_order_and_loses_a_two_thousandth_at_most() {
        let mut spans: Vec<u32> = (0..32).flat_map(|bit| [1 << bit, (1 << bit) - 1]).collect();
        spans.extend([4_096, 4_097, 61_035, 21_362_304, 21_362_305, u32::MAX]);
        spans.sort_unstable();
        for span in &spans {
            let kept = ShortSpan::of(Ticks(*span)).ticks().0;
            assert!(kept <= *span && span - kept <= span / 2_048, "{span} became {kept}");
        }
        assert!(spans.iter().map(|&span| ShortSpan::of(Ticks(span))).is_sorted());
    }
}
