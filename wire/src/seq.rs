//! Points on the circle of 2^32 bytes that TCP counts with.

use core::ops::{Add, Sub};

/// A TCP sequence or acknowledgment number (RFC 9293, section 3.4).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct SeqNumber(pub u32);

impl SeqNumber {
    /// Bytes from `earlier` forward to `self`; negative if `self` lies behind it.
    ///
    /// Sequence numbers live on a circle of 2^32 bytes, so the result is only meaningful
    /// for points less than 2^31 apart (RFC 9293, section 3.4).
    ///
    /// ```
    /// use wire::SeqNumber;
    /// assert_eq!(SeqNumber(2).distance_from(SeqNumber(u32::MAX)), 3);
    /// ```
    #[must_use]
    pub const fn distance_from(self, earlier: Self) -> i32 {
        self.0.wrapping_sub(earlier.0) as i32
    }

    /// Whether `self` lies behind `other` on the circle.
    #[must_use]
    pub const fn is_before(self, other: Self) -> bool {
        self.distance_from(other) < 0
    }
}

impl Add<u32> for SeqNumber {
    type Output = Self;

    fn add(self, bytes: u32) -> Self {
        Self(self.0.wrapping_add(bytes))
    }
}

impl Sub<u32> for SeqNumber {
    type Output = Self;

    fn sub(self, bytes: u32) -> Self {
        Self(self.0.wrapping_sub(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_and_order_hold_across_the_wrap() {
        let near_the_end = SeqNumber(u32::MAX - 1);
        assert_eq!(near_the_end + 3, SeqNumber(1));
        assert_eq!(SeqNumber(1) - 3, near_the_end);
        assert!(near_the_end.is_before(SeqNumber(1)) && !SeqNumber(1).is_before(near_the_end));
        assert_eq!(near_the_end.distance_from(SeqNumber(1)), -3);
    }
}
