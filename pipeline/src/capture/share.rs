//! Which frames are a worker's when several read the same captures.

use wire::{CommonV4, LinkType, parse};

/// One worker's share of all connections.
///
/// Every frame is exactly one worker's, and all frames of a connection are the same worker's: who
/// gets a frame is decided by the address of the end with the smaller port alone, whichever way it
/// goes. That is nearly always the server, so that what its other connections look like is known
/// where a refusal of it is judged. Frames without a connection are the first worker's.
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
        let server = quick_server(link, frame).or_else(|| server(link?, frame));
        let owner = server.map_or(0, |server| {
            // The upper half of the product: every bit of the address has a say in it.
            let hash = (server ^ self.secret).wrapping_mul(MULTIPLIER) >> 32;
            ((hash * u64::from(self.workers)) >> 32) as u32
        });
        owner == self.worker
    }
}

/// [`server`] of the commonest shape. Most frames are somebody else's: they shall not cost a whole
/// [`parse`].
#[inline]
fn quick_server(link: Option<LinkType>, frame: &[u8]) -> Option<u64> {
    let common = (link == Some(LinkType::Ethernet)).then(|| CommonV4::find_untagged(frame))??;
    let ([from, to], [from_port, to_port]) = (common.addresses(), common.ports());
    let address = of_smaller_port([(from, from_port), (to, to_port)]);
    Some(fold(0, MAPPED | u64::from(address)))
}

/// The address of the end of a frame's connection with the smaller port, in one word.
fn server(link: LinkType, frame: &[u8]) -> Option<u64> {
    let packet = parse(link, frame).ok()?;
    let [from, to] = [packet.ip.source, packet.ip.destination].map(|it| u128::from_be_bytes(it.0));
    let ends = [(from, packet.tcp.source_port), (to, packet.tcp.destination_port)];
    let address = of_smaller_port(ends);
    Some(fold((address >> 64) as u64, address as u64))
}

/// Of equal ports the smaller address, so that both directions say the same.
#[inline]
fn of_smaller_port<A: Ord + Copy>([from, to]: [(A, u16); 2]) -> A {
    if (from.1, from.0) <= (to.1, to.0) { from.0 } else { to.0 }
}

#[inline]
fn fold(upper: u64, lower: u64) -> u64 {
    upper.wrapping_mul(MULTIPLIER) ^ lower.rotate_left(16)
}

/// The lower half of an IPv4 address in its mapped form, without the address.
const MAPPED: u64 = 0xffff << 32;
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
                (quick_server(ETHERNET, &frame), server(LinkType::Ethernet, &frame))
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
        assert_eq!(server(LinkType::Ethernet, &tagged), quick_server(ETHERNET, &plain));
        assert!(
            quick_server(ETHERNET, &plain).is_some() && quick_server(ETHERNET, &tagged).is_none()
        );
    }

    #[test]
    fn shares_are_of_about_one_size_and_frames_without_a_connection_are_the_firsts() {
        let shares: Vec<_> = (0..4).map(|worker| Share::new(worker, 4, 7)).collect();
        for share in &shares {
            let taken = (0..4_000)
                .filter(|&n| share.takes(ETHERNET, &frame((9, 50_000), (0x0a00_0000 + n, 443))));
            assert!((800..1_200).contains(&taken.count()));
        }
        let takers = |link| shares.iter().map(|share| share.takes(link, b"?")).collect::<Vec<_>>();
        assert_eq!(takers(ETHERNET), [true, false, false, false]);
        assert_eq!(takers(None), [true, false, false, false]);
    }
}
