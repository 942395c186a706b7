//! Ticks of a capture's clock to nanoseconds.

use flowtable::Timestamp;

/// The clock of one pcapng interface: options `if_tsresol` and `if_tsoffset`
/// (draft-ietf-opsawg-pcapng, section 4.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct TickClock {
    resolution: Resolution,
    offset_s: i64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Resolution {
    /// Nanoseconds a tick.
    Coarse(u64),
    /// Ticks a nanosecond.
    Fine(u64),
    /// Ticks a second, as a power of two.
    Binary(u32),
}

impl TickClock {
    /// A clock from the option values; without `if_tsresol`, ticks are microseconds.
    pub(super) fn new(tsresol: Option<u8>, offset_s: i64) -> Self {
        let exponent = u32::from(tsresol.unwrap_or(MICROSECONDS) & !BINARY);
        let resolution = if tsresol.is_some_and(|value| value & BINARY != 0) {
            Resolution::Binary(exponent)
        } else if exponent <= NANOSECONDS {
            Resolution::Coarse(10_u64.pow(NANOSECONDS - exponent))
        } else {
            // A divisor beyond `u64` is more ticks a nanosecond than a time stamp can count.
            Resolution::Fine(10_u64.checked_pow(exponent - NANOSECONDS).unwrap_or(u64::MAX))
        };
        Self { resolution, offset_s }
    }

    /// The instant `ticks` after the clock's origin; what does not fit saturates.
    #[inline]
    pub(super) fn time(self, ticks: u64) -> Timestamp {
        let ns = match self.resolution {
            Resolution::Coarse(ns) => ticks.saturating_mul(ns),
            Resolution::Fine(ticks_per_ns) => ticks / ticks_per_ns,
            Resolution::Binary(shift) => saturate((u128::from(ticks) * NS_PER_S) >> shift),
        };
        Timestamp(if self.offset_s == 0 { ns } else { shifted(ns, self.offset_s) })
    }
}

fn saturate(ns: u128) -> u64 {
    u64::try_from(ns).unwrap_or(u64::MAX)
}

fn shifted(ns: u64, seconds: i64) -> u64 {
    let offset_ns = u128::from(seconds.unsigned_abs()) * NS_PER_S;
    if seconds < 0 {
        ns.saturating_sub(saturate(offset_ns))
    } else {
        ns.saturating_add(saturate(offset_ns))
    }
}

/// Exponent of the default resolution.
const MICROSECONDS: u8 = 6;
/// Exponent of the resolution that is kept.
const NANOSECONDS: u32 = 9;
/// Bit of `if_tsresol` that makes its exponent one of two.
const BINARY: u8 = 0x80;
const NS_PER_S: u128 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ticks_of_every_usual_resolution_are_converted() {
        let second = Timestamp(1_000_000_000);
        assert_eq!(TickClock::new(None, 0).time(1_000_000), second);
        assert_eq!(TickClock::new(Some(0), 0).time(1), second);
        assert_eq!(TickClock::new(Some(9), 0).time(1_000_000_000), second);
        assert_eq!(TickClock::new(Some(12), 0).time(1_000_000_000_000), second);
        assert_eq!(TickClock::new(Some(0x80), 0).time(1), second);
        assert_eq!(TickClock::new(Some(0x80 | 32), 0).time(1 << 32), second);
        assert_eq!(TickClock::new(Some(0x80 | 10), 0).time(512), Timestamp(500_000_000));
        assert_eq!(TickClock::new(Some(6), -1).time(3_000_000), Timestamp(2_000_000_000));
        assert_eq!(TickClock::new(Some(6), 5).time(0), Timestamp(5_000_000_000));
    }

    #[test]
    fn absurd_values_saturate() {
        assert_eq!(TickClock::new(Some(0), 0).time(u64::MAX), Timestamp(u64::MAX));
        assert_eq!(TickClock::new(Some(0x80), 0).time(u64::MAX), Timestamp(u64::MAX));
        assert_eq!(TickClock::new(Some(127), 0).time(u64::MAX), Timestamp(1));
        assert_eq!(TickClock::new(Some(0xff), 0).time(u64::MAX), Timestamp(0));
        assert_eq!(TickClock::new(Some(6), i64::MIN).time(u64::MAX), Timestamp(0));
        assert_eq!(TickClock::new(Some(6), i64::MAX).time(1), Timestamp(u64::MAX));
    }

    proptest! {
        #[test]
        fn a_clock_agrees_with_exact_arithmetic(
            exponent in 0_u8..=19,
            binary: bool,
            ticks: u64,
            offset_s in -4_000_000_000_i64..4_000_000_000,
        ) {
            let base: u128 = if binary { 2 } else { 10 };
            let exact = u128::from(ticks) * NS_PER_S / base.pow(u32::from(exponent));
            let ns = i128::from(u64::try_from(exact).unwrap_or(u64::MAX));
            let expected = (ns + i128::from(offset_s) * 1_000_000_000).clamp(0, u64::MAX.into());
            let tsresol = if binary { 0x80 | exponent } else { exponent };
            let time = TickClock::new(Some(tsresol), offset_s).time(ticks);
            prop_assert_eq!(i128::from(time.0), expected);
        }
    }
}
