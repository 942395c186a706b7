//! Resets of every kind, as events: what leads to them, and how many frames they are.
//!
//! The weights are shares of events, not measured on any network: every road through the judge is
//! walked, the common ones more often. A refused SYN and an answer to data after the close bring
//! the frames that lead to them.

use crate::frame::Frame;
use crate::traffic::Traffic;
use crate::traffic::flow::{Flow, Stage};

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// RST/ACK of a client or a server that gives up its connection.
    Abort,
    /// A bare RST, as Linux answers what comes for a connection that is gone.
    Answer,
    /// A SYN and its refusal: RST/ACK with the number 0.
    Refusal,
    /// The client closes, the server sends data, the client resets.
    AfterFin,
    /// A device resets both ends: other TTL, IP ID of its own.
    Injected,
    /// The same, three times to one end, each further along.
    Train,
    /// One RST/ACK, captured twice.
    Twice,
    /// A bare RST of a connection that ended some time ago.
    Late,
    /// A number that is far from the window: whoever sent it guessed. The connection lives on.
    Blind,
    /// A reset of a connection that was never seen.
    Lonely,
}

/// What an event is made of.
struct Share {
    kind: Kind,
    /// Out of [`WEIGHTS`].
    weight: u64,
    resets: u64,
    frames: u64,
}

const fn share(kind: Kind, weight: u64, resets: u64, frames: u64) -> Share {
    Share { kind, weight, resets, frames }
}

const SHARES: [Share; 10] = [
    share(Kind::Abort, 28, 1, 1),
    share(Kind::Answer, 14, 1, 1),
    share(Kind::Refusal, 18, 1, 2),
    share(Kind::AfterFin, 10, 1, 3),
    share(Kind::Injected, 8, 2, 2),
    share(Kind::Train, 4, 3, 3),
    share(Kind::Twice, 5, 2, 2),
    share(Kind::Late, 5, 1, 1),
    share(Kind::Blind, 5, 1, 1),
    share(Kind::Lonely, 3, 1, 1),
];
const WEIGHTS: u64 = 100;

/// Chance of an event at each turn, in millionths, so that `per_mille` of all frames are resets.
pub(super) fn event_chance(per_mille: u64) -> u64 {
    let sum = |part: fn(&Share) -> u64| {
        SHARES.iter().map(|share| share.weight * part(share)).sum::<u64>() as f64 / WEIGHTS as f64
    };
    let (resets, frames) = (sum(|share| share.resets), sum(|share| share.frames));
    let wanted = per_mille as f64 / 1_000.0;
    // A turn without an event is one frame, one with an event `frames`.
    (1_000_000.0 * wanted / (resets - wanted * (frames - 1.0))) as u64
}

impl Traffic {
    /// Plays an event around the open flow `index`: its first frame, the others wait their turn.
    pub(super) fn reset_event(&mut self, index: usize) -> Frame<'static> {
        let mut roll = self.random.below(WEIGHTS);
        let drawn = SHARES.iter().find(|share| {
            let is_it = roll < share.weight;
            roll = roll.saturating_sub(share.weight);
            is_it
        });
        let kind = drawn.expect("the weights add up").kind;
        let from = self.random.below(2) as usize;
        let flow = self.flows[index];
        match kind {
            Kind::Abort => self.ending(index, flow.segment(from, Frame::RST | Frame::ACK)),
            Kind::Answer => self.ending(index, flow.bare(from)),
            Kind::Refusal => self.refusal(),
            Kind::AfterFin => self.after_fin(index),
            Kind::Injected => {
                let [first, second] = [0, 1].map(|from| self.forged(&flow, from, 0));
                self.pending.push_back(second);
                self.ending(index, first)
            }
            Kind::Train => {
                let [first, second, third] =
                    [0, 1460, 4380].map(|ahead| self.forged(&flow, from, ahead));
                self.pending.extend([second, third]);
                self.ending(index, first)
            }
            Kind::Twice => {
                let reset = flow.segment(from, Frame::RST | Frame::ACK);
                self.pending.push_back(reset);
                self.ending(index, reset)
            }
            Kind::Late => {
                let at = self.random.below(self.closed.len().max(1) as u64) as usize;
                self.closed.get(at).copied().unwrap_or(flow).bare(from)
            }
            Kind::Blind => {
                let seq =
                    flow.next[from].wrapping_add(0x2000_0000 + self.random.below(1 << 30) as u32);
                Frame { seq, ip_id: self.random.next() as u16, ..flow.bare(from) }
            }
            Kind::Lonely => self.unopened().bare(from),
        }
    }

    fn ending(&mut self, index: usize, frame: Frame<'static>) -> Frame<'static> {
        self.end(index);
        frame
    }

    fn refusal(&mut self) -> Frame<'static> {
        let mut flow = self.unopened();
        let syn = flow.segment(0, Frame::SYN);
        flow.next = [flow.next[0].wrapping_add(1), 0];
        let refused = flow.segment(1, Frame::RST | Frame::ACK);
        self.pending.push_back(Frame { window: 0, ip_id: 0, ..refused });
        Frame { options: &MSS, ..syn }
    }

    fn after_fin(&mut self, index: usize) -> Frame<'static> {
        let mut flow = self.flows[index];
        let fin = flow.segment(0, Frame::FIN | Frame::ACK);
        flow.next[0] = flow.next[0].wrapping_add(1);
        // As much as fits the smallest frame.
        let data = Frame { payload_len: 6, ..flow.segment(1, Frame::PSH | Frame::ACK) };
        self.pending.extend([data, flow.bare(0)]);
        self.ending(index, fin)
    }

    /// What a device between the two writes in the name of `from`.
    fn forged(&mut self, flow: &Flow, from: usize, ahead: u32) -> Frame<'static> {
        let frame = flow.segment(from, Frame::RST | Frame::ACK);
        let ip_id = self.random.next() as u16;
        Frame { hop_limit: 119, ip_id, seq: frame.seq.wrapping_add(ahead), ..frame }
    }

    /// The flow is over; its place is for another one.
    pub(super) fn end(&mut self, index: usize) {
        let over = self.flows[index];
        self.flows[index].stage = Stage::Unopened;
        if self.closed.len() < CLOSED_MAX {
            self.closed.push(over);
        } else {
            self.closed[self.opened as usize % CLOSED_MAX] = over;
        }
    }
}

/// The one option that every SYN bears.
const MSS: [u8; 4] = [2, 4, 5, 0xb4];
/// Ended flows that are remembered for late answers.
const CLOSED_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    use crate::traffic::{Mix, Options, Resets, Start};

    #[test]
    fn the_weights_add_up() {
        assert_eq!(SHARES.iter().map(|share| share.weight).sum::<u64>(), WEIGHTS);
    }

    #[test]
    fn as_many_resets_are_sent_as_were_asked_for() {
        for (per_mille, start) in [(20, Start::Handshakes), (50, Start::Midstream)] {
            let mut traffic = Traffic::new(&Options {
                mix: Mix::Small,
                flows: 2_000,
                resets_per_mille: per_mille,
                resets: Resets::AllKinds,
                start,
                ..Options::default()
            });
            let mut frame = Vec::new();
            for _ in 0..traffic.warm_up_len() + 100_000 {
                traffic.next_frame(&mut frame);
                assert_eq!(frame.len(), 60);
            }
            let sent = traffic.composition();
            assert_eq!(sent.frames(), 100_000);
            let share = sent.rst as f64 / 100.0;
            assert!((share - per_mille as f64).abs() < 0.12 * per_mille as f64, "{sent}");
        }
    }
}
