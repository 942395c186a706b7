//! The ways in which a tap damages what it hears.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use crate::damage::{Frame, packet};
use crate::frame::{ACK, SYN, Seen};
use crate::random::Random;

/// A kind of damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DamageKind {
    /// Each frame twice, identical, within 50 µs: a SPAN port that copies both directions of a port.
    Duplicate,
    /// Each frame again behind a router: hop limit − 1, other MAC addresses.
    DuplicateTtl,
    /// Frames up to 3 ms early or late: two fibres, two clocks.
    Reorder,
    /// Frames that never came.
    Loss,
    /// Paths of different lengths: 1 to 3 hops more for some packets of a direction.
    Flap,
    /// Time stamps in steps of 10 ms.
    Coarse,
    /// Of each flow one direction only, this or that.
    OneSided,
    /// Only what servers say.
    ServerOnly,
    /// Some frames again, 50 ms later.
    LateCopy,
    /// Segments made one by receive offload on the sensor's card.
    BigSegments,
}

/// A frame of the damaged capture.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) frame: Frame,
    /// Number of the frame it was, counted from 1.
    pub(super) from: usize,
    /// The tap made it; the original is there, too.
    pub(super) copy: bool,
}

impl DamageKind {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::Duplicate,
        Self::DuplicateTtl,
        Self::Reorder,
        Self::Loss,
        Self::Flap,
        Self::Coarse,
        Self::OneSided,
        Self::ServerOnly,
        Self::LateCopy,
        Self::BigSegments,
    ];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Duplicate => "duplicate",
            Self::DuplicateTtl => "duplicate-ttl",
            Self::Reorder => "reorder",
            Self::Loss => "loss",
            Self::Flap => "flap",
            Self::Coarse => "coarse",
            Self::OneSided => "one-sided",
            Self::ServerOnly => "server-only",
            Self::LateCopy => "late-copy",
            Self::BigSegments => "big-segments",
        }
    }

    /// The share of frames concerned if nobody says otherwise.
    pub fn share(self) -> f64 {
        match self {
            Self::Loss => 0.01,
            Self::LateCopy => 0.1,
            Self::Reorder | Self::Flap => 0.3,
            _ => 1.0,
        }
    }

    pub(super) fn apply(self, frames: &[Frame], share: f64, random: &mut Random) -> Vec<Kept> {
        let seed = random.next();
        let mut kept = match self {
            Self::OneSided => {
                half(frames, |flow| packet::flow_number(flow, seed).is_multiple_of(2))
            }
            Self::ServerOnly => half(frames, |_| false),
            Self::BigSegments => merged(frames),
            _ => each(self, frames, share, random, seed),
        };
        // The sort is stable: what happened at one time stays in its order.
        kept.sort_by_key(|kept| kept.frame.time);
        kept
    }
}

/// Damage that looks at one frame at a time.
fn each(
    kind: DamageKind,
    frames: &[Frame],
    share: f64,
    random: &mut Random,
    seed: u64,
) -> Vec<Kept> {
    let mut kept = Vec::with_capacity(frames.len());
    for (from, original) in (1..).zip(frames) {
        let mut frame = original.clone();
        let hit = (random.below(1 << 32) as f64) < share * f64::from(u32::MAX);
        let mut copy = hit.then(|| Kept { frame: original.clone(), from, copy: true });
        match kind {
            DamageKind::Loss if hit => continue,
            DamageKind::Reorder if hit => frame.time = jittered(frame.time, random),
            DamageKind::Flap if hit => {
                let more = 1 + packet::direction_number(&frame.bytes, seed) % 3;
                packet::lower_hop_limit(&mut frame.bytes, more as u8);
            }
            DamageKind::Coarse => frame.time = coarse(frame.time),
            _ => {}
        }
        if let Some(Kept { frame, .. }) = &mut copy {
            match kind {
                DamageKind::Duplicate => frame.time += Duration::from_nanos(random.below(50_000)),
                DamageKind::DuplicateTtl => {
                    frame.time += Duration::from_nanos(5_000 + random.below(200_000));
                    packet::lower_hop_limit(&mut frame.bytes, 1);
                    packet::change_link(&mut frame.bytes);
                }
                DamageKind::LateCopy => frame.time += LATE,
                _ => copy = None,
            }
        }
        kept.push(Kept { frame, from, copy: false });
        kept.extend(copy);
    }
    kept
}

/// How late the copies of [`DamageKind::LateCopy`] are.
const LATE: Duration = Duration::from_millis(50);
/// Steps of the clock of [`DamageKind::Coarse`].
const STEP_MS: u128 = 10;

fn coarse(time: Duration) -> Duration {
    let steps = time.as_millis() / STEP_MS;
    Duration::from_millis(u64::try_from(steps * STEP_MS).expect("the year is before 500,000,000"))
}

/// Up to 3 ms earlier or later.
fn jittered(time: Duration, random: &mut Random) -> Duration {
    const MOST_US: u64 = 3000;
    let later = time + Duration::from_micros(random.below(2 * MOST_US + 1));
    later.saturating_sub(Duration::from_micros(MOST_US))
}

/// One direction of each flow: the client's where `client_speaks` says so, else the server's.
fn half(frames: &[Frame], client_speaks: impl Fn((SocketAddr, SocketAddr)) -> bool) -> Vec<Kept> {
    let clients = clients(frames);
    let stays = |frame: &Frame| {
        let Some(seen) = Seen::parse(&frame.bytes) else { return true };
        let flow = ends(&seen);
        let client = clients.get(&flow).copied();
        let from_client = client.is_some_and(|client| client == seen.source);
        from_client == client_speaks(flow)
    };
    (1..)
        .zip(frames)
        .filter(|(_, frame)| stays(frame))
        .map(|(from, frame)| Kept { frame: frame.clone(), from, copy: false })
        .collect()
}

fn ends(seen: &Seen<'_>) -> (SocketAddr, SocketAddr) {
    (seen.source.min(seen.destination), seen.source.max(seen.destination))
}

/// Who opened each flow: who sent the SYN, or whom a SYN/ACK names, or who has the higher port.
fn clients(frames: &[Frame]) -> HashMap<(SocketAddr, SocketAddr), SocketAddr> {
    let mut sure = HashMap::new();
    let mut guessed = HashMap::new();
    for seen in frames.iter().filter_map(|frame| Seen::parse(&frame.bytes)) {
        match seen.flags & (SYN | ACK) {
            SYN => {
                sure.entry(ends(&seen)).or_insert(seen.source);
            }
            flags if flags == SYN | ACK => {
                sure.entry(ends(&seen)).or_insert(seen.destination);
            }
            _ => {
                let higher = seen.source.port() >= seen.destination.port();
                let client = if higher { seen.source } else { seen.destination };
                guessed.entry(ends(&seen)).or_insert(client);
            }
        }
    }
    guessed.extend(sure);
    guessed
}

/// Frames of one poll of the card end up in one packet if nothing of their flow lies between them.
fn merged(frames: &[Frame]) -> Vec<Kept> {
    const POLL: Duration = Duration::from_millis(1);
    let mut kept: Vec<Kept> = Vec::with_capacity(frames.len());
    let mut last: HashMap<(SocketAddr, SocketAddr), usize> = HashMap::new();
    for (from, frame) in (1..).zip(frames) {
        let flow = Seen::parse(&frame.bytes).map(|seen| ends(&seen));
        let before = flow.and_then(|flow| last.get(&flow).copied());
        if let Some(earlier) = before.map(|index| &mut kept[index].frame)
            && frame.time.saturating_sub(earlier.time) < POLL
            && packet::merge(&mut earlier.bytes, &frame.bytes)
        {
            earlier.wire_len = u32::try_from(earlier.bytes.len()).expect("below 64 KiB");
            continue;
        }
        if let Some(flow) = flow {
            last.insert(flow, kept.len());
        }
        kept.push(Kept { frame: frame.clone(), from, copy: false });
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Forged, RST};

    fn frames(count: u32) -> Vec<Frame> {
        let ends: [SocketAddr; 2] = ["192.0.2.1:40000", "192.0.2.2:80"].map(|a| a.parse().unwrap());
        (0..count)
            .map(|number| {
                let side = number as usize % 2;
                let flags = match number {
                    0 => SYN,
                    1 => SYN | ACK,
                    _ if number + 1 == count => RST,
                    _ => ACK,
                };
                let bytes = Forged {
                    source_mac: [2; 6],
                    destination_mac: [4; 6],
                    source: ends[side],
                    destination: ends[1 - side],
                    hop_limit: 60,
                    traffic_class: 0,
                    identification: 1,
                    dont_fragment: true,
                    flags,
                    seq: number,
                    ack: 0,
                    window: 1,
                    options: &[],
                    payload: &[],
                }
                .frame();
                let wire_len = bytes.len() as u32;
                Frame { time: Duration::from_millis(1000 + u64::from(number)), bytes, wire_len }
            })
            .collect()
    }

    fn damaged(kind: DamageKind, count: u32, share: f64) -> Vec<Kept> {
        kind.apply(&frames(count), share, &mut Random::new(5))
    }

    #[test]
    fn time_never_runs_backwards_and_every_name_is_its_own() {
        for kind in DamageKind::ALL {
            let kept = damaged(kind, 200, kind.share());
            assert!(kept.is_sorted_by_key(|kept| kept.frame.time), "{kind:?}");
            let names = DamageKind::ALL.iter().filter(|other| other.name() == kind.name());
            assert_eq!(names.count(), 1);
        }
    }

    #[test]
    fn copies_are_marked_and_losses_are_about_as_many_as_asked() {
        let kept = damaged(DamageKind::DuplicateTtl, 100, 1.0);
        assert_eq!(kept.iter().filter(|kept| kept.copy).count(), 100);
        for copy in kept.iter().filter(|kept| kept.copy) {
            assert_eq!(Seen::parse(&copy.frame.bytes).unwrap().hop_limit, 59);
            assert_eq!(checksum_of_header(&copy.frame.bytes), 0);
        }
        let left = damaged(DamageKind::Loss, 10_000, 0.05).len();
        assert!((9350..9650).contains(&left), "{left}");
    }

    fn checksum_of_header(bytes: &[u8]) -> u16 {
        crate::frame::checksum(&[&bytes[14..34]])
    }

    #[test]
    fn half_a_capture_holds_one_direction() {
        let kept = damaged(DamageKind::ServerOnly, 50, 1.0);
        assert_eq!(kept.len(), 25);
        for kept in &kept {
            assert_eq!(Seen::parse(&kept.frame.bytes).unwrap().source.port(), 80);
        }
    }

    #[test]
    fn paths_of_different_lengths_differ_by_one_to_three_hops() {
        let kept = damaged(DamageKind::Flap, 400, 0.5);
        let limits: Vec<u8> =
            kept.iter().map(|kept| Seen::parse(&kept.frame.bytes).unwrap().hop_limit).collect();
        assert!(limits.iter().all(|limit| (57..=60).contains(limit)));
        assert!(limits.contains(&60) && limits.iter().any(|limit| *limit < 60));
    }
}
