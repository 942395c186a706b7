//! Which frames are a worker's when several read the same captures.

use wire::{LinkType, parse};

/// One worker's share of all connections.
///
/// Every frame is exactly one worker's, and all frames of a connection are the same worker's: who
/// gets a frame is decided by the two ends of its connection alone, whichever way it goes. Frames
/// without a connection are the first worker's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    worker: u32,
    workers: u32,
    secret: u64,
}

impl Share {
    /// What `worker` of `workers` takes; the secret must be the same for all of them.
    pub(crate) fn new(worker: usize, workers: usize, secret: u64) -> Self {
        Self { worker: worker as u32, workers: workers as u32, secret }
    }

    /// Whether a frame is this worker's.
    #[inline]
    pub(crate) fn takes(&self, link: Option<LinkType>, frame: &[u8]) -> bool {
        let ends = quick_ends(link, frame).or_else(|| ends(link?, frame));
        let owner = ends.map_or(0, |ends| {
            // The upper half of the product: every bit of the ends has a say in it.
            let hash = (ends ^ self.secret).wrapping_mul(MULTIPLIER) >> 32;
            (hash * u64::from(self.workers) >> 32) as u32
        });
        owner == self.worker
    }
}

/// [`ends`] of the commonest shape, where they stand: Ethernet, then IPv4 without options or
/// fragments, then TCP. A tenth of what [`parse`] costs, and most frames are somebody else's.
#[inline]
fn quick_ends(link: Option<LinkType>, frame: &[u8]) -> Option<u64> {
    let head = frame.first_chunk::<38>()?;
    let word = |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let is_common = link == Some(LinkType::Ethernet)
        && word(12) & 0xffff_ff00 == 0x0800_4500
        && word(20) & 0x3fff_00ff == 0x0000_0006;
    let ports = word(34);
    is_common.then(|| fold(0, u64::from(word(26) ^ word(30)), (ports ^ ports >> 16) as u16))
}

/// The two ends of a frame's connection in one word, the same in both directions.
fn ends(link: LinkType, frame: &[u8]) -> Option<u64> {
    let packet = parse(link, frame).ok()?;
    let [from, to] = [packet.ip.source, packet.ip.destination].map(|it| u128::from_be_bytes(it.0));
    // Mapped IPv4 addresses begin alike, so that nothing but their own 32 bits is left.
    let addresses = from ^ to;
    let ports = packet.tcp.source_port ^ packet.tcp.destination_port;
    Some(fold((addresses >> 64) as u64, addresses as u64, ports))
}

#[inline]
fn fold(upper: u64, lower: u64, ports: u16) -> u64 {
    upper.wrapping_mul(MULTIPLIER) ^ lower.rotate_left(16) ^ u64::from(ports)
}

/// 2^64 divided by the golden ratio: consecutive words are spread far apart.
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// Ethernet, IPv4, TCP from the first end to the second.
    fn frame(from: (u32, u16), to: (u32, u16)) -> Vec<u8> {
        let mut frame = vec![0; 12];
        frame.extend([8, 0, 0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0]);
        frame.extend([from.0.to_be_bytes(), to.0.to_be_bytes()].concat());
        frame.extend([from.1.to_be_bytes(), to.1.to_be_bytes()].concat());
        frame.extend([0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 4, 0, 0, 0, 0, 0]);
        frame
    }

    const ETHERNET: Option<LinkType> = Some(LinkType::Ethernet);

    proptest! {
        #[test]
        fn both_directions_are_one_workers_and_nobody_elses(
            from: (u32, u16), to: (u32, u16), secret: u64, workers in 1_usize..9,
        ) {
            let frames = [frame(from, to), frame(to, from)];
            let takers = frames.map(|frame| {
                let takes = |&worker: &usize| {
                    Share::new(worker, workers, secret).takes(ETHERNET, &frame)
                };
                (0..workers).filter(takes).collect::<Vec<_>>()
            });
            prop_assert_eq!(takers[0].len(), 1);
            prop_assert_eq!(&takers[0], &takers[1]);
        }

        #[test]
        fn the_quick_look_sees_what_the_parser_sees(
            from: (u32, u16), to: (u32, u16),
            faults in vec((12_usize..54, any::<u8>()), 0..4),
            cut in 38_usize..=54,
        ) {
            let mut frame = frame(from, to);
            for (at, value) in faults {
                frame[at] = value;
            }
            frame.truncate(cut);
            // What cannot be parsed belongs to nobody's connection: any worker may count it.
            if let (Some(quick), Some(exact)) =
                (quick_ends(ETHERNET, &frame), ends(LinkType::Ethernet, &frame))
            {
                prop_assert_eq!(quick, exact);
            }
        }
    }

    #[test]
    fn a_vlan_tag_on_one_way_only_parts_no_connection() {
        let (from, to) = ((0x0a00_0001, 40_000), (0x0a00_0002, 443));
        let plain = frame(from, to);
        let mut tagged = frame(to, from);
        tagged.splice(12..12, [0x81, 0, 0, 7]);
        assert_eq!(ends(LinkType::Ethernet, &tagged), quick_ends(ETHERNET, &plain));
        assert!(quick_ends(ETHERNET, &plain).is_some() && quick_ends(ETHERNET, &tagged).is_none());
    }

    #[test]
    fn shares_are_of_about_one_size_and_frames_without_a_connection_are_the_firsts() {
        let shares: Vec<_> = (0..4).map(|worker| Share::new(worker, 4, 7)).collect();
        for share in &shares {
            let taken = (0..4_000)
                .filter(|&n| share.takes(ETHERNET, &frame((0x0a00_0000 + n, 50_000), (9, 443))));
            assert!((800..1_200).contains(&taken.count()));
        }
        let takers = |link| shares.iter().map(|share| share.takes(link, b"?")).collect::<Vec<_>>();
        assert_eq!(takers(ETHERNET), [true, false, false, false]);
        assert_eq!(takers(None), [true, false, false, false]);
    }
}
