//! Traffic as it is long after the start: every connection open, as many ending as beginning.

use super::{Stage, Traffic};

impl Traffic {
    /// Frames that [`Traffic::opening_frame`] makes for each connection: SYN, SYN/ACK, ACK.
    pub const OPENING_FRAMES: u64 = 3;

    /// Frames until every connection is open.
    #[must_use]
    pub fn opening_len(&self) -> u64 {
        self.flows.len() as u64 * Self::OPENING_FRAMES
    }

    /// Writes frame `number` of those that open all connections, one after another, and gives its
    /// time. To be called for each number below [`Traffic::opening_len`] in order, before
    /// [`Traffic::next_frame`].
    ///
    /// What is left of a connection then is drawn evenly, so that from the first frame on as many
    /// end as ever will; else a bench of many connections would see none end at all.
    pub fn opening_frame(&mut self, number: u64, frame: &mut Vec<u8>) -> u64 {
        let time_ns = self.next_time_ns();
        let index = (number / Self::OPENING_FRAMES) as usize;
        if self.flows[index].stage == Stage::Unopened {
            self.flows[index] = self.unopened();
        }
        self.step(index, time_ns, frame);
        if self.flows[index].stage == Stage::Open {
            let length = u64::from(self.flows[index].left) + Self::OPENING_FRAMES;
            self.flows[index].left = self.random.below(length) as u32;
        }
        time_ns
    }

    /// Another share of resets from now on, thousandths of the packets.
    pub fn set_resets_per_mille(&mut self, share: u64) {
        self.options.resets_per_mille = share;
    }
}

#[cfg(test)]
mod tests {
    use crate::{Frame, Mix, Options, Traffic};

    const FLAGS_AT: usize = 14 + 20 + 13;

    #[test]
    fn every_connection_opens_first_and_some_end_at_once() {
        let options =
            Options { mix: Mix::Small, flows: 500, resets_per_mille: 0, ..Options::default() };
        let mut traffic = Traffic::new(&options);
        let mut frame = Vec::new();
        let mut flags = Vec::new();
        for number in 0..traffic.opening_len() {
            traffic.opening_frame(number, &mut frame);
            flags.push(frame[FLAGS_AT]);
        }
        let handshake = [Frame::SYN, Frame::SYN | Frame::ACK, Frame::ACK];
        assert!(flags.chunks(3).all(|three| three == handshake));
        let mut ends = 0;
        for _ in 0..5_000 {
            traffic.next_frame(&mut frame);
            ends += u32::from(frame[FLAGS_AT] & Frame::FIN != 0);
        }
        assert!((100..500).contains(&ends), "{ends} of 5,000 frames end a connection");
    }

    #[test]
    fn data_can_be_of_one_length_and_resets_can_be_switched_on() {
        let options =
            Options { flows: 100, resets_per_mille: 0, frame_len: Some(512), ..Options::default() };
        let mut traffic = Traffic::new(&options);
        let mut frame = Vec::new();
        let mut count = |traffic: &mut Traffic| {
            let (mut resets, mut full) = (0, 0);
            for _ in 0..5_000 {
                traffic.next_frame(&mut frame);
                resets += u32::from(frame[FLAGS_AT] & Frame::RST != 0);
                full += u32::from(frame.len() == 512);
                assert!(frame.len() == 512 || frame.len() < 80);
            }
            (resets, full)
        };
        let (resets, full) = count(&mut traffic);
        assert!(resets == 0 && full > 3_000, "{resets} resets, {full} of full length");
        traffic.set_resets_per_mille(20);
        let (resets, _) = count(&mut traffic);
        assert!((50..200).contains(&resets), "{resets} resets");
    }
}
