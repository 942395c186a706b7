//! Random connections between two honest hosts, ended by a genuine reset: whatever the stacks, the
//! path, what a bad tap made of it, and what strangers forged around it, nobody else may be accused
//! of it. The worst mistake, hunted.

use proptest::prelude::*;

use crate::conversation::Conversation;
use crate::expectation::describe;
use crate::frame::{ACK, FIN, Packet, RST, SYN};
use crate::host::StackKind;
use crate::replay::replay;
use crate::segment::{Id, Name, Segment, When};

/// How a connection ends.
#[derive(Clone, Copy, Debug)]
enum End {
    /// The host resets of its own accord, so long after the last packet.
    Abort { by_client: bool, after_ms: u32 },
    /// The server has lost the connection and replies to the client's next request.
    Lost { after_ms: u32 },
    /// The server closed; the client's next data draws a reply.
    DataAfterClose,
    /// The client aborts right upon a segment of the server that it has received.
    AbortOnData,
}

#[derive(Clone, Debug)]
struct Story {
    stacks: [StackKind; 2],
    is_v6: bool,
    has_timestamps: bool,
    hops: [u8; 2],
    round_trip_us: [u32; 2],
    /// Extra delay of each answer, by the queues of the path and the application.
    jitter_us: Vec<u32>,
    exchanges: usize,
    /// Shared counters move on between two packets.
    id_step: u16,
    end: End,
    /// The frame that the capture lost, as a share of all.
    lost: Option<f64>,
    is_mirrored: bool,
    /// Whether the capture began after the handshake.
    is_midstream: bool,
    /// Steps of the clock of the tap.
    clock_step_ns: u64,
    /// A bit for each frame, in turn: captured again 50 ms later.
    late_copies: u32,
}

fn story() -> impl Strategy<Value = Story> {
    let stack = || {
        prop_oneof![
            3 => Just(StackKind::Linux), 3 => Just(StackKind::Windows), 2 => Just(StackKind::Apple),
            1 => Just(StackKind::Bsd), 1 => Just(StackKind::Bare),
        ]
    };
    let end = prop_oneof![
        4 => (any::<bool>(), prop_oneof![0u32..40, 0u32..60_000])
            .prop_map(|(by_client, after_ms)| End::Abort { by_client, after_ms }),
        2 => (0u32..600_000).prop_map(|after_ms| End::Lost { after_ms }),
        1 => Just(End::DataAfterClose),
        2 => Just(End::AbortOnData),
    ];
    let hosts = ((stack(), stack()), (1u8..25, 1u8..25), (200u32..150_000, 200u32..150_000));
    let path = (any::<bool>(), any::<bool>(), prop::bool::weighted(0.2), prop::bool::weighted(0.2));
    let steps = [1u64, 1, 1, 1_000_000, 4_000_000, 10_000_000, 15_625_000];
    let late_copies = prop_oneof![3 => Just(0u32), 1 => any::<u32>()];
    let tap = (prop::sample::select(steps.to_vec()), late_copies);
    let talk = (prop::collection::vec(0u32..60_000, 40), 0usize..6, 1u16..60);
    (hosts, path, talk, end, prop::option::of(0.0..1.0), tap).prop_map(
        |(hosts, path, talk, end, lost, tap)| Story {
            stacks: [hosts.0.0, hosts.0.1],
            is_v6: path.0,
            has_timestamps: path.1,
            hops: [hosts.1.0, hosts.1.1],
            round_trip_us: [hosts.2.0, hosts.2.1],
            jitter_us: talk.0,
            exchanges: talk.1,
            id_step: talk.2,
            end,
            lost,
            is_mirrored: path.2,
            is_midstream: path.3,
            clock_step_ns: tap.0,
            late_copies: tap.1,
        },
    )
}

const CLIENT: Name = Name { is_client: true, flow: 1 };
const SERVER: Name = Name { is_client: false, flow: 1 };

struct Teller<'s> {
    story: &'s Story,
    conversation: Conversation,
    packets: Vec<Packet>,
}

impl Teller<'_> {
    /// Sends a segment so long after the one before.
    fn send(&mut self, name: Name, flags: u8, len: usize, after_us: u32) {
        let mut segment = Segment::plain(name, flags, When::After(i64::from(after_us) * 1_000));
        segment.payload = vec![b'.'; len];
        let host = self.conversation.host(name);
        let shares_counter = host.stack == StackKind::Windows;
        if shares_counter && self.packets.len() > 2 {
            segment.id = Some(Id::Step(i64::from(self.story.id_step)));
        }
        let packet = self.conversation.send(&segment);
        self.packets.push(packet);
    }

    /// Answers what just passed: no sooner than a round trip to the host.
    fn answer(&mut self, name: Name, flags: u8, len: usize) {
        let story = self.story;
        let jitter = story.jitter_us[self.packets.len() % story.jitter_us.len()];
        let span = story.round_trip_us[usize::from(!name.is_client)] + jitter;
        self.send(name, flags, len, span);
    }

    fn tell(&mut self) {
        self.send(CLIENT, SYN, 0, 1_000);
        self.answer(SERVER, SYN | ACK, 0);
        // No application delays the end of a handshake.
        self.send(CLIENT, ACK, 0, self.story.round_trip_us[0]);
        for _ in 0..self.story.exchanges {
            self.send(CLIENT, ACK | 8, 300, 500);
            self.answer(SERVER, ACK | 8, 1_200);
            self.answer(CLIENT, ACK, 0);
        }
        match self.story.end {
            End::Abort { by_client, after_ms } => {
                let name = if by_client { CLIENT } else { SERVER };
                // Whoever did not speak last has to have received what it acknowledges.
                let wait = self.story.round_trip_us[usize::from(!by_client)] + after_ms * 1_000;
                self.send(name, RST | ACK, 0, wait);
            }
            End::Lost { after_ms } => {
                self.send(CLIENT, ACK | 8, 300, after_ms * 1_000 + 500);
                self.answer(SERVER, RST, 0);
            }
            End::DataAfterClose => {
                self.send(SERVER, FIN | ACK, 0, self.story.round_trip_us[1]);
                self.answer(CLIENT, ACK | 8, 300);
                self.answer(SERVER, RST, 0);
            }
            End::AbortOnData => {
                self.send(SERVER, ACK | 8, 1_200, self.story.round_trip_us[1]);
                self.send(CLIENT, RST | ACK, 0, self.story.round_trip_us[0]);
            }
        }
    }
}

fn packets_of(story: &Story) -> Vec<Packet> {
    let mut teller = Teller { story, conversation: Conversation::default(), packets: Vec::new() };
    let hosts = teller.conversation.flow(1);
    for (index, host) in hosts.iter_mut().enumerate() {
        host.becomes(story.stacks[index]);
        host.moves_to(story.hops[index]);
        host.has_timestamps &= story.has_timestamps;
        if story.is_v6 {
            host.address = std::net::IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1 + index as u16]);
        }
    }
    teller.tell();
    let mut packets = teller.packets;
    let reset = packets.pop().expect("a story ends with a reset");
    if story.is_midstream {
        packets.drain(..3);
    }
    if let Some(share) = story.lost.filter(|_| !packets.is_empty()) {
        packets.remove((share * packets.len() as f64) as usize);
    }
    packets.push(reset);
    tapped(story, &packets)
}

/// What the tap makes of the packets.
fn tapped(story: &Story, packets: &[Packet]) -> Vec<Packet> {
    let later = |packet: &Packet, ns| Packet { time_ns: packet.time_ns + ns, ..packet.clone() };
    let mut heard = Vec::new();
    for (index, packet) in packets.iter().enumerate() {
        heard.push(packet.clone());
        if story.is_mirrored {
            heard.push(later(packet, 20_000));
        }
        if story.late_copies >> (index % 32) & 1 == 1 {
            heard.push(later(packet, 50_000_000));
        }
    }
    heard.sort_by_key(|packet| packet.time_ns);
    for packet in &mut heard {
        packet.time_ns -= packet.time_ns % story.clock_step_ns;
    }
    heard
}

/// A reset that a stranger writes in the name of one of the two.
#[derive(Clone, Debug)]
struct Forgery {
    /// After which packet, as a share of all, and how long.
    place: f64,
    after_us: u32,
    by_client: bool,
    flags: u8,
    /// Off the numbers it would need.
    off: i32,
    ttl: u8,
    ip_id: u16,
    window: u16,
}

fn forgery() -> impl Strategy<Value = Forgery> {
    let flags = prop_oneof![Just(RST), Just(RST | ACK)];
    let off = prop_oneof![2 => Just(0), 2 => -3_000..3_000, 1 => any::<i32>()];
    // Later than the last packet as often as not.
    let when = (prop_oneof![0.0..1.0, Just(1.0)], prop_oneof![0u32..3_000, 0u32..400_000]);
    (when, any::<bool>(), flags, off, 33u8..=255, any::<u16>(), any::<u16>()).prop_map(
        |(when, by_client, flags, off, ttl, ip_id, window)| Forgery {
            place: when.0,
            after_us: when.1,
            by_client,
            flags,
            off,
            ttl,
            ip_id,
            window,
        },
    )
}

/// Writes it, as somebody who has read along would; `None` if the host has not spoken yet.
fn forged(forgery: &Forgery, packets: &[Packet]) -> Option<Packet> {
    let place = (forgery.place * (packets.len() - 1) as f64) as usize;
    let client_port = packets[0].ports.into_iter().max()?;
    let model = packets[..=place]
        .iter()
        .rfind(|packet| (packet.ports[0] == client_port) == forgery.by_client)?;
    let len = model.payload.len() as u32 + u32::from(model.flags & SYN != 0);
    Some(Packet {
        time_ns: packets[place].time_ns + u64::from(forgery.after_us) * 1_000,
        seq: model.seq.wrapping_add(len).wrapping_add_signed(forgery.off),
        ack: if forgery.flags & ACK == 0 { 0 } else { model.ack },
        flags: forgery.flags,
        window: forgery.window,
        options: Vec::new(),
        payload: Vec::new(),
        ttl: forgery.ttl,
        ip_id: forgery.ip_id,
        ..model.clone()
    })
}

/// The story's own packets and those of strangers, by time; `true` marks the story's.
fn crowded(story: &Story, forgeries: &[Forgery]) -> Vec<(Packet, bool)> {
    let own = packets_of(story);
    let strange = forgeries.iter().filter_map(|forgery| forged(forgery, &own));
    let mut all: Vec<_> = strange.map(|packet| (packet, false)).collect();
    for (packet, _) in &mut all {
        // The tap has one clock for all.
        packet.time_ns -= packet.time_ns % story.clock_step_ns;
    }
    // In one step of the clock a stranger comes after what it has read.
    all.splice(0..0, own.into_iter().map(|packet| (packet, true)));
    all.sort_by_key(|(packet, _)| packet.time_ns);
    all
}

fn is_accused(event: &events::Event) -> bool {
    let origin = event.verdict.origin.name();
    origin.starts_with("middlebox") || origin.starts_with("blind")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_innocent_is_accused(story in story()) {
        let replay = replay(&packets_of(&story));
        for event in &replay.events {
            prop_assert!(!is_accused(event), "{}", describe(event));
        }
    }

    #[test]
    fn strangers_put_no_genuine_reset_on_anybody_else(
        story in story(),
        forgeries in prop::collection::vec(forgery(), 1..6),
    ) {
        let all = crowded(&story, &forgeries);
        let packets: Vec<_> = all.iter().map(|(packet, _)| packet.clone()).collect();
        for event in &replay(&packets).events {
            let is_own = event.frame.is_some_and(|frame| all[frame as usize - 1].1);
            prop_assert!(!(is_own && is_accused(event)), "{}", describe(event));
        }
    }
}
