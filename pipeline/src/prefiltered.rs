//! A capture as control mode would have shown it.

use flowtable::Timestamp;
use wire::LinkType;
use xdp::{Prefilter, Ration};

use crate::source::{BATCH_MAX, Frame, Received, Source, SourceError};

/// Lends what the XDP program in control mode would have handed to the sensor; all inputs are one
/// link. Frames that are not Ethernet come whole.
#[derive(Debug)]
pub struct Prefiltered<S> {
    source: S,
    prefilter: Prefilter,
    /// Which frames of the source's batch are lent.
    taken: [u8; BATCH_MAX],
    taken_len: usize,
}

const _: () = assert!(BATCH_MAX <= u8::MAX as usize + 1);

impl<S> Prefiltered<S> {
    /// `seed` is the secret of the budgets' hash.
    #[must_use]
    pub fn new(source: S, ration: &Ration, seed: u64) -> Self {
        let prefilter = Prefilter::new(ration, seed);
        Self { source, prefilter, taken: [0; BATCH_MAX], taken_len: 0 }
    }

    /// The source, and how many of its frames were left out.
    pub fn into_parts(self) -> (S, u64) {
        (self.source, self.prefilter.left_out())
    }
}

impl<S: Source> Source for Prefiltered<S> {
    fn receive(&mut self) -> Result<Received, SourceError> {
        loop {
            let received = self.source.receive()?;
            let Received::Frames(frames) = received else { return Ok(received) };
            self.taken_len = 0;
            for index in 0..frames {
                let frame = self.source.frame(index);
                let is_rationed = frame.link == Some(LinkType::Ethernet);
                if !is_rationed || self.prefilter.takes(frame.bytes, frame.time.0) {
                    self.taken[self.taken_len] = index as u8;
                    self.taken_len += 1;
                }
            }
            if self.taken_len > 0 {
                return Ok(Received::Frames(self.taken_len));
            }
        }
    }

    fn frame(&self, index: usize) -> Frame<'_> {
        self.source.frame(usize::from(self.taken[..self.taken_len][index]))
    }

    fn clock(&self) -> Option<Timestamp> {
        self.source.clock()
    }
}
