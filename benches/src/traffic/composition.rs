//! What traffic turned out to consist of.

use std::fmt;

use crate::frame::Frame;

/// Frames by sort; each is counted once, by the first that fits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Composition {
    /// RST, with and without ACK.
    pub rst: u64,
    /// SYN/ACK.
    pub syn_ack: u64,
    /// SYN.
    pub syn: u64,
    /// FIN.
    pub fin: u64,
    /// With payload.
    pub data: u64,
    /// Neither flags nor payload.
    pub ack: u64,
}

impl Composition {
    pub(crate) const fn add(&mut self, frame: &Frame<'_>) {
        let count = if frame.flags & Frame::RST != 0 {
            &mut self.rst
        } else if frame.flags & Frame::SYN != 0 {
            if frame.flags & Frame::ACK != 0 { &mut self.syn_ack } else { &mut self.syn }
        } else if frame.flags & Frame::FIN != 0 {
            &mut self.fin
        } else if frame.payload_len > 0 {
            &mut self.data
        } else {
            &mut self.ack
        };
        *count += 1;
    }

    /// All frames.
    #[must_use]
    pub const fn frames(&self) -> u64 {
        self.rst + self.syn_ack + self.syn + self.fin + self.data + self.ack
    }

    /// Each sort by name, in per cent of all frames.
    #[must_use]
    pub fn shares(&self) -> [(&'static str, f64); 6] {
        let share = |count: u64| 100.0 * count as f64 / self.frames().max(1) as f64;
        [
            ("SYN", share(self.syn)),
            ("SYN/ACK", share(self.syn_ack)),
            ("ACK", share(self.ack)),
            ("data", share(self.data)),
            ("FIN", share(self.fin)),
            ("RST", share(self.rst)),
        ]
    }
}

impl fmt::Display for Composition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} frames", self.frames())?;
        self.shares().iter().try_for_each(|(name, share)| write!(f, ", {share:.1} % {name}"))
    }
}
