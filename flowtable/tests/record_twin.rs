//! The record of a connection against a recomputation from the list of its segments.
//!
//! A simulated pair of hosts sends, loses, repeats and acknowledges in 64-bit positions, so nothing
//! wraps there; the record sees the same in 32-bit numbers and 16 µs ticks that do.
#![allow(clippy::unwrap_used, reason = "the lint knows test functions, not their helpers")]

use flowtable::{Direction, FlowRecord, RoleSource, Segment, Side, Ticks, Timestamp};
use proptest::prelude::*;
use wire::{SeqNumber, TcpFlags};

const FIN: u16 = 1;
const SYN: u16 = 2;
const RST: u16 = 4;
const ACK: u16 = 16;
const MS: u64 = 1_000_000;
/// Ports of the low and the high endpoint: by them alone the high one is the server.
const PORTS: [u16; 2] = [40_000, 443];

/// What a host does next; numbers are taken modulo what is possible.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Send(u16),
    Repeat,
    /// Acknowledges so much of what has reached it, in percent.
    Acknowledge(u8),
    Probe,
    Finish,
    Idle(u32),
}

fn deeds() -> impl Strategy<Value = Vec<(bool, Deed)>> {
    let deed = prop_oneof![
        6 => (1..3000u16).prop_map(Deed::Send),
        1 => (20_000..60_000u16).prop_map(Deed::Send),
        2 => Just(Deed::Repeat),
        6 => (1..=100u8).prop_map(Deed::Acknowledge),
        3 => Just(Deed::Acknowledge(100)),
        1 => Just(Deed::Probe),
        1 => Just(Deed::Finish),
        3 => (0..200_000u32).prop_map(Deed::Idle),
    ];
    prop::collection::vec((any::<bool>(), deed), 0..120)
}

/// One segment as the sensor sees it, with 64-bit positions.
#[derive(Clone, Copy, Debug)]
struct Shown {
    direction: Direction,
    time: u64,
    start: u64,
    end: u64,
    ack: Option<u64>,
    flags: u16,
}

impl Shown {
    fn segment(&self) -> Segment {
        let controls = u64::from(self.flags & SYN != 0) + u64::from(self.flags & FIN != 0);
        Segment {
            time: Timestamp(self.time),
            seq: SeqNumber(self.start as u32),
            ack: SeqNumber(self.ack.unwrap_or(0) as u32),
            payload_len: (self.end - self.start - controls) as u32,
            flags: TcpFlags(self.flags),
            // Different each time, so that no repetition passes for a capture duplicate.
            ip_id: (self.time / 1000) as u16 | 1,
            ..Segment::blank()
        }
    }
}

/// A host of the simulation.
#[derive(Clone, Debug)]
struct Host {
    next: u64,
    acked: u64,
    finished: bool,
    /// Every position that passed the sensor, and when first: (end, time).
    passed: Vec<(u64, u64)>,
    /// From the sensor to this host and back.
    round_trip_ns: u64,
}

struct Simulation {
    hosts: [Host; 2],
    now: u64,
    shown: Vec<Shown>,
}

impl Simulation {
    fn new(initial: [u64; 2], round_trips_ns: [u64; 2], now: u64) -> Self {
        let host = |index: usize| Host {
            next: initial[index],
            acked: initial[1 - index],
            finished: false,
            passed: Vec::new(),
            round_trip_ns: round_trips_ns[index],
        };
        Self { hosts: [host(0), host(1)], now, shown: Vec::new() }
    }

    fn show(&mut self, from: usize, start: u64, end: u64, flags: u16) {
        self.now += 1_000;
        let direction = [Direction::FromLow, Direction::FromHigh][from];
        let ack = (flags & ACK != 0).then_some(self.hosts[from].acked);
        self.shown.push(Shown { direction, time: self.now, start, end, ack, flags });
        let host = &mut self.hosts[from];
        if host.passed.last().is_none_or(|last| end > last.0) {
            host.passed.push((end, self.now));
        }
    }

    /// The answer to a position can pass the sensor only a round trip after the position did.
    fn acknowledge(&mut self, from: usize, position: u64) {
        let passed = &self.hosts[1 - from].passed;
        let first = passed.iter().find(|(end, _)| *end >= position).map_or(0, |(_, time)| *time);
        self.now = self.now.max(first + self.hosts[from].round_trip_ns);
        self.hosts[from].acked = self.hosts[from].acked.max(position);
    }

    fn handshake(&mut self) {
        let [low, high] = [self.hosts[0].next, self.hosts[1].next];
        (self.hosts[0].next, self.hosts[1].next) = (low + 1, high + 1);
        self.show(0, low, low + 1, SYN);
        self.acknowledge(1, low + 1);
        self.show(1, high, high + 1, SYN | ACK);
        self.acknowledge(0, high + 1);
        self.show(0, low + 1, low + 1, ACK);
    }

    fn play(&mut self, from: usize, deed: Deed) {
        let host = &self.hosts[from];
        let (next, peer_next) = (host.next, self.hosts[1 - from].next);
        match deed {
            Deed::Send(len) if !host.finished => {
                self.hosts[from].next += u64::from(len);
                self.show(from, next, next + u64::from(len), ACK);
            }
            Deed::Repeat if host.passed.last().is_some_and(|(end, _)| next - 1 < *end) => {
                let fin = if self.hosts[from].finished { FIN } else { 0 };
                // The last byte again, and with it the FIN.
                self.show(from, next - 1, next, ACK | fin);
            }
            Deed::Acknowledge(percent) => {
                let acked = self.hosts[from].acked;
                let position = acked + (peer_next - acked) * u64::from(percent) / 100;
                self.acknowledge(from, position);
                self.show(from, next, next, ACK);
            }
            Deed::Probe if !host.finished => self.show(from, next - 1, next - 1, ACK),
            Deed::Finish if !host.finished => {
                (self.hosts[from].finished, self.hosts[from].next) = (true, next + 1);
                self.show(from, next, next + 1, ACK | FIN);
            }
            Deed::Idle(us) => self.now += u64::from(us) * 1_000,
            _ => {}
        }
    }
}

fn observed(shown: &[Shown]) -> FlowRecord {
    let mut record = FlowRecord::empty();
    for one in shown {
        record.observe(one.direction, &one.segment(), PORTS);
    }
    record
}

/// Facts of one side, from the whole list at once.
#[derive(PartialEq, Eq, Debug)]
struct Naive {
    next: u32,
    acked: Option<u32>,
    bytes: u32,
    fin_acked: bool,
    packets: usize,
}

fn naive(shown: &[Shown], direction: Direction) -> Naive {
    let own = || shown.iter().filter(move |one| one.direction == direction);
    let other = || shown.iter().filter(move |one| one.direction != direction);
    let next = own().map(|one| one.end).max().unwrap_or(0);
    let first = own().next().map_or(0, |one| one.start);
    let flag = |bit: u16| u64::from(own().any(|one| one.flags & bit != 0));
    let fin_at = shown.iter().position(|one| one.direction == direction && one.flags & FIN != 0);
    Naive {
        next: next as u32,
        acked: own().filter_map(|one| one.ack).max().map(|ack| ack as u32),
        bytes: (next - first).saturating_sub(flag(SYN) + flag(FIN)) as u32,
        fin_acked: fin_at.is_some() && other().any(|one| one.ack == Some(next)),
        packets: own().count(),
    }
}

fn recorded(record: &FlowRecord, direction: Direction) -> Naive {
    let side = record.side(direction);
    Naive {
        next: side.next.0,
        acked: Some(side.acked.0).filter(|_| record.ack_advanced(direction).0 != 0),
        bytes: record.bytes(direction),
        fin_acked: side.has(Side::FIN_ACKED),
        packets: usize::from(side.packets),
    }
}

const BOTH: [Direction; 2] = [Direction::FromLow, Direction::FromHigh];

prop_compose! {
    /// Near the wrap of sequence numbers, of ticks (19.5 h), or anywhere.
    fn beginnings()(
        low in prop_oneof![Just(u64::from(u32::MAX) - 2_000), 1..1u64 << 32],
        high in prop_oneof![Just(u64::from(u32::MAX) - 1), 1..1u64 << 32],
        near_low in 0..100 * MS,
        near_high in 0..100 * MS,
        now in prop_oneof![Just((25_000u64 << 46) - 50 * MS), 1..1u64 << 60],
    ) -> Simulation {
        Simulation::new([low, high], [near_low, near_high], now)
    }
}

impl std::fmt::Debug for Simulation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} at {}", self.hosts, self.now)
    }
}

proptest! {
    #[test]
    fn a_whole_conversation_is_remembered_as_it_was(
        mut simulation in beginnings(),
        deeds in deeds(),
    ) {
        simulation.handshake();
        for (low, deed) in deeds {
            simulation.play(usize::from(!low), deed);
        }
        let shown = &simulation.shown;
        let record = observed(shown);
        for direction in BOTH {
            prop_assert_eq!(recorded(&record, direction), naive(shown, direction), "{:?}", direction);
            // One tick is lost to rounding.
            let truth = Ticks::from_ns(simulation.hosts[direction.index()].round_trip_ns);
            let measured = record.round_trip(direction).unwrap();
            prop_assert!(measured.0 + 1 >= truth.0, "{measured:?} below {truth:?}");
            prop_assert!(record.round_trip_has_handshake(direction));
        }
        prop_assert!(record.handshake_complete() && record.is_established());
        prop_assert_eq!(record.client(), Direction::FromLow);
        prop_assert_eq!(record.role_source(), RoleSource::Syn);
        prop_assert!(!record.is_midstream() && !record.is_reused() && !record.has_gap());
        let over = simulation.hosts.iter().all(|host| host.finished);
        prop_assert_eq!(record.is_over(), over);
    }

    /// A sensor that joins late knows what it saw, and no round trip that is shorter than the
    /// truth. Without repetitions: a first copy that passed before it came nobody can know of.
    #[test]
    fn a_late_sensor_measures_no_round_trip_that_never_was(
        mut simulation in beginnings(),
        deeds in deeds(),
        missed in 3..40usize,
    ) {
        simulation.handshake();
        for (low, deed) in deeds {
            if !matches!(deed, Deed::Repeat | Deed::Probe) {
                simulation.play(usize::from(!low), deed);
            }
        }
        let shown = simulation.shown.get(missed..).unwrap_or_default();
        let record = observed(shown);
        for direction in BOTH {
            prop_assert_eq!(recorded(&record, direction).next, naive(shown, direction).next);
            prop_assert_eq!(recorded(&record, direction).bytes, naive(shown, direction).bytes);
            let truth = Ticks::from_ns(simulation.hosts[direction.index()].round_trip_ns);
            if let Some(measured) = record.round_trip(direction) {
                prop_assert!(measured.0 + 1 >= truth.0, "{measured:?} below {truth:?}");
            }
        }
        if !shown.is_empty() {
            prop_assert!(record.is_midstream());
            prop_assert_eq!(record.role_source(), RoleSource::Port);
            prop_assert_eq!(record.client(), Direction::FromLow);
        }
    }

    /// Segments in any order and of any content: no panic, no nonsense.
    #[test]
    fn noise_makes_no_impossible_record(
        noise in prop::collection::vec(
            (any::<bool>(), any::<u32>(), any::<u32>(), 0..3000u32, any::<u8>(), any::<u64>()),
            1..80,
        ),
        base in any::<u32>(),
    ) {
        let mut record = FlowRecord::empty();
        let mut unmarked = 0;
        for (low, seq, ack, payload_len, flags, time) in noise {
            let segment = Segment {
                seq: SeqNumber(base.wrapping_add(seq % 5000)),
                ack: SeqNumber(base.wrapping_add(ack % 5000)),
                payload_len,
                flags: TcpFlags(u16::from(flags)),
                time: Timestamp(time),
                ..Segment::blank()
            };
            let change = record.observe(BOTH[usize::from(low)], &segment, PORTS);
            unmarked += u32::from(segment.flags.rst() && change != Default::default());
            prop_assert!(!(segment.flags.rst() && (change.opened || change.closed_well)));
        }
        for direction in BOTH {
            // Two sides, each of numbers within 8000: what was sent cannot be gigabytes.
            prop_assert!(record.bytes(direction) < 10_000, "{}", record.bytes(direction));
            prop_assert!(record.unacknowledged(direction) < 10_000);
        }
        prop_assert!(unmarked <= 80);
    }

    /// A reset leaves its mark and nothing else, however often and from whichever side.
    #[test]
    fn a_reset_changes_nothing_but_its_mark(
        mut simulation in beginnings(),
        deeds in deeds(),
        from_low in any::<bool>(),
        seq in any::<u32>(),
    ) {
        simulation.handshake();
        for (low, deed) in deeds {
            simulation.play(usize::from(!low), deed);
        }
        let mut record = observed(&simulation.shown);
        let before = BOTH.map(|direction| recorded(&record, direction));
        let was_over = record.is_over();
        let (activity, direction) = (record.last_activity(), BOTH[usize::from(!from_low)]);
        let segment = Segment {
            seq: SeqNumber(seq),
            flags: TcpFlags(RST),
            time: Timestamp(simulation.now + 9 * MS),
            ..Segment::blank()
        };
        prop_assert!(record.observe(direction, &segment, PORTS).reset);
        prop_assert!(!record.observe(direction, &segment, PORTS).reset, "only the first counts");
        prop_assert_eq!(BOTH.map(|direction| recorded(&record, direction)), before);
        prop_assert_eq!(record.last_activity(), activity);
        prop_assert!(record.reset_seen(direction) && !record.reset_seen(direction.opposite()));
        // Only a reset at the number that its receiver expects ends the connection (RFC 5961).
        let off = segment.seq.distance_from(record.side(direction).next).unsigned_abs();
        let is_exact = off <= 1 || segment.seq == record.side(direction.opposite()).acked;
        prop_assert_eq!(record.is_over(), was_over || is_exact);
    }
}

/// A conversation of a handshake and a request, and its simulation, to go on from.
fn begun() -> (Simulation, FlowRecord) {
    let mut simulation = Simulation::new([1000, 9000], [MS, 20 * MS], 1 << 60);
    simulation.handshake();
    simulation.play(0, Deed::Send(300));
    let record = observed(&simulation.shown);
    (simulation, record)
}

#[test]
fn the_answer_to_a_repetition_is_no_sample() {
    let (mut simulation, _) = begun();
    simulation.play(0, Deed::Idle(200_000));
    simulation.play(0, Deed::Repeat);
    simulation.play(1, Deed::Acknowledge(100));
    let record = observed(&simulation.shown);
    assert_eq!(record.round_trip_samples(Direction::FromHigh), 1, "that of the handshake");
    assert_eq!(record.retransmissions(Direction::FromLow), 0, "answered");
}

#[test]
fn an_answer_stamped_before_its_question_is_no_sample() {
    let (mut simulation, mut record) = begun();
    simulation.play(1, Deed::Acknowledge(100));
    let answer = Segment {
        time: Timestamp((1 << 60) - 10 * MS),
        ..simulation.shown.last().unwrap().segment()
    };
    record.observe(Direction::FromHigh, &answer, PORTS);
    assert_eq!(record.round_trip_samples(Direction::FromHigh), 1, "that of the handshake");
    assert_eq!(record.side(Direction::FromHigh).acked, SeqNumber(1301));
}

fn syn(direction: usize, seq: u32, time: u64) -> (Direction, Segment) {
    let segment = Segment {
        seq: SeqNumber(seq),
        flags: TcpFlags(SYN),
        time: Timestamp(time),
        ..Segment::blank()
    };
    (BOTH[direction], segment)
}

#[test]
fn a_syn_into_a_busy_connection_changes_nothing() {
    let (simulation, mut record) = begun();
    for from in [0, 1] {
        let before = BOTH.map(|direction| recorded(&record, direction));
        let (direction, segment) = syn(from, 77_777, simulation.now + 5 * MS);
        assert_eq!(record.observe(direction, &segment, PORTS), Default::default());
        assert_eq!(BOTH.map(|direction| recorded(&record, direction)), before);
        assert!(!record.is_reused());
    }
}

#[test]
fn a_new_syn_after_the_end_is_another_connection() {
    let (mut simulation, _) = begun();
    for from in [0, 1] {
        simulation.play(from, Deed::Finish);
        simulation.play(1 - from, Deed::Acknowledge(100));
    }
    let mut record = observed(&simulation.shown);
    assert!(record.is_over());
    // By the other side, to see the roles change too.
    let (direction, segment) = syn(1, 500, simulation.now + MS);
    let change = record.observe(direction, &segment, PORTS);
    assert!(change.opened && record.is_reused() && !record.is_over());
    assert_eq!((record.client(), record.role_source()), (Direction::FromHigh, RoleSource::Syn));
    assert_eq!(record.side(Direction::FromLow).packets, 0);
    assert_eq!(record.bytes(Direction::FromHigh), 0);
}

#[test]
fn the_same_syn_again_is_a_repetition() {
    let mut record = FlowRecord::empty();
    let (direction, segment) = syn(0, 500, 1 << 60);
    assert!(record.observe(direction, &segment, PORTS).opened);
    let again = Segment { time: Timestamp((1 << 60) + 1_000 * MS), ..segment };
    assert!(!record.observe(direction, &again, PORTS).opened);
    assert_eq!(record.retransmissions(direction), 1);
    assert!(!record.is_reused());
}

#[test]
fn roles_come_from_the_syn_then_the_syn_ack_then_the_ports() {
    let one = |flags: u16, from: usize| {
        let mut record = FlowRecord::empty();
        let segment = Segment { flags: TcpFlags(flags), ..Segment::blank() };
        record.observe(BOTH[from], &segment, PORTS);
        (record.client(), record.role_source(), record.is_midstream())
    };
    let (low, high) = (Direction::FromLow, Direction::FromHigh);
    assert_eq!(one(SYN, 1), (high, RoleSource::Syn, false));
    assert_eq!(one(SYN | ACK, 0), (high, RoleSource::SynAck, false));
    for (flags, from) in [(ACK, 0), (ACK, 1), (RST, 0), (RST, 1), (FIN | ACK, 1)] {
        assert_eq!(one(flags, from), (low, RoleSource::Port, true));
    }
}
