//! Small facts of a side that share a byte, so that the record keeps its 128.

use super::Side;
use crate::stack::Stack;

/// What counts up rarely: samples of the round trip in bits 0 to 3, zero windows in 4 to 6, and in
/// bit 7 whether the IP IDs jump. Both counts saturate.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tallies(u8);

impl Tallies {
    const SAMPLES: u8 = 0x0f;
    const ZERO_WINDOW: u8 = 0x10;
    const ZERO_WINDOWS: u8 = 0x70;
    const IRREGULAR_IDS: u8 = 0x80;

    pub(super) const fn samples(self) -> u8 {
        self.0 & Self::SAMPLES
    }

    pub(super) const fn zero_windows(self) -> u8 {
        (self.0 & Self::ZERO_WINDOWS) / Self::ZERO_WINDOW
    }

    pub(super) const fn has_irregular_ids(self) -> bool {
        self.0 & Self::IRREGULAR_IDS != 0
    }

    pub(super) const fn add_sample(&mut self) {
        self.0 += (self.0 & Self::SAMPLES != Self::SAMPLES) as u8;
    }

    pub(super) const fn forget_samples(&mut self) {
        self.0 &= !Self::SAMPLES;
    }

    pub(super) const fn add_zero_window(&mut self) {
        if self.0 & Self::ZERO_WINDOWS != Self::ZERO_WINDOWS {
            self.0 += Self::ZERO_WINDOW;
        }
    }

    pub(super) const fn mark_irregular_ids(&mut self) {
        self.0 |= Self::IRREGULAR_IDS;
    }
}

/// What a SYN or SYN/ACK tells of its stack: the window scale in bits 0 to 3 (15: none), the
/// family in bits 4 to 6, and in bit 7 whether its checksum was wrong.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opening(u8);

impl Opening {
    /// No SYN was seen.
    pub(super) const UNSEEN: Self = Self(NO_SCALE);

    /// A scale above 14 means 14 (RFC 7323, section 2.3).
    pub(super) fn new(stack: Stack, scale: Option<u8>, bad_checksum: bool) -> Self {
        let scale = scale.map_or(NO_SCALE, |scale| scale.min(SCALE_MAX));
        Self((u8::from(bad_checksum) << 7) | ((stack as u8) << 4) | scale)
    }

    pub(super) const fn has_bad_checksum(self) -> bool {
        self.0 >> 7 != 0
    }

    pub(super) const fn stack(self) -> Stack {
        match (self.0 >> 4) & 7 {
            1 => Stack::Linux,
            2 => Stack::Windows,
            3 => Stack::Apple,
            4 => Stack::Bsd,
            5 => Stack::Bare,
            _ => Stack::Unknown,
        }
    }

    pub(super) const fn window_scale(self) -> Option<u8> {
        let scale = self.0 & NO_SCALE;
        if scale == NO_SCALE { None } else { Some(scale) }
    }
}

impl Side {
    /// By how many hops at most the path of this side's segments has become longer or shorter.
    #[must_use]
    pub const fn hop_flap(&self) -> u8 {
        let (rise, fall) = (self.hop_spread >> 4, self.hop_spread & 15);
        if rise > fall { rise } else { fall }
    }
}

const NO_SCALE: u8 = 15;
const SCALE_MAX: u8 = 14;

#[cfg(test)]
mod tests {
    use super::{Opening, Tallies};
    use crate::stack::Stack;

    #[test]
    fn the_facts_of_a_byte_do_not_touch_each_other() {
        let mut tallies = Tallies::default();
        for count in 1..=20u8 {
            tallies.add_sample();
            assert_eq!((tallies.samples(), tallies.zero_windows()), (count.min(15), 0));
        }
        for count in 1..=20u8 {
            tallies.add_zero_window();
            assert_eq!((tallies.samples(), tallies.zero_windows()), (15, count.min(7)));
            assert!(!tallies.has_irregular_ids());
        }
        tallies.mark_irregular_ids();
        assert!(tallies.has_irregular_ids());
        assert_eq!((tallies.samples(), tallies.zero_windows()), (15, 7));
    }

    #[test]
    fn every_family_and_scale_comes_back() {
        use Stack::{Apple, Bare, Bsd, Linux, Unknown, Windows};
        for stack in [Unknown, Linux, Windows, Apple, Bsd, Bare] {
            for scale in (0..=14).map(Some).chain([None]) {
                for bad in [false, true] {
                    let opening = Opening::new(stack, scale, bad);
                    assert_eq!((opening.stack(), opening.window_scale()), (stack, scale));
                    assert_eq!(opening.has_bad_checksum(), bad);
                }
            }
        }
        assert_eq!(Opening::new(Linux, Some(200), false).window_scale(), Some(14));
        assert_eq!((Opening::UNSEEN.stack(), Opening::UNSEEN.window_scale()), (Unknown, None));
    }
}
