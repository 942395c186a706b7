//! One shard of the flows: finds the connection, judges resets, lets the flow remember.

use std::mem::MaybeUninit;

use flowtable::{
    ClockStep, Direction, EarlierReset, Endpoint, FlowHash, FlowKey, FlowRecord, FlowTable,
    Happening, HostBaseline, Look, Note, Pages, ResetNote, Segment, Side, Sight, Slot, Stack,
    TableOptions, Ticks, Timestamp, WATCHES_PER_FLOW, Watch, WatchPool,
};
use wire::SeqNumber;

use crate::batch::Short;
use crate::deed::Deed;
use crate::outbox::Outbox;
use crate::source::Receipt;
use crate::trail::{EARLY_MAX, EvidenceOptions, Head, Kept, Raw, Trail};
use crate::window::pack;

/// A segment on its way to its shard: everything that is left of the packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Staged {
    pub(crate) key: FlowKey,
    pub(crate) hash: FlowHash,
    /// Where the flow was found ahead of time.
    pub(crate) slot: Option<Slot>,
    pub(crate) direction: Direction,
    /// Of the server that sends a SYN/ACK, with its port and without; stale for all others.
    pub(crate) server_hashes: [u64; 2],
    pub(crate) segment: Segment,
    /// Payload of a reset; stale for all others.
    pub(crate) note: ResetNote,
    pub(crate) receipt: Receipt,
}

impl Staged {
    /// A place in a batch, before anything was staged there.
    pub(crate) fn blank() -> Self {
        let end = Endpoint::default();
        Self {
            key: FlowKey { low: end, high: end, scope: 0 },
            hash: FlowHash(0),
            slot: None,
            direction: Direction::FromLow,
            server_hashes: [0; 2],
            segment: Segment::blank(),
            note: ResetNote::EMPTY,
            receipt: Receipt::default(),
        }
    }
}

/// Huge pages, where the kernel has them.
struct HugePages;

impl Pages for HugePages {
    fn prepare<T>(&mut self, memory: &mut [MaybeUninit<T>]) {
        if let Err(error) = xdp::prefer_huge_pages(memory) {
            tracing::debug!("no huge pages under the flow table: {error}");
        }
    }
}

/// The flows of one worker and the resets it watches.
#[derive(Debug)]
pub(crate) struct Shard {
    table: FlowTable,
    watches: WatchPool,
    clock: ClockStep,
    /// In control mode: packets of a direction before any may be left out.
    first_packets: Option<u8>,
    /// The last packets, if they are kept.
    trail: Option<Trail>,
}

impl Shard {
    pub(crate) fn new(table: &TableOptions, watches: usize) -> Self {
        let table = FlowTable::on_pages(table, &mut HugePages);
        let watches = WatchPool::new(watches);
        Self { table, watches, clock: ClockStep::new(), first_packets: None, trail: None }
    }

    /// Keeps the last packets of connections, if it shall.
    pub(crate) fn keeping(mut self, options: &EvidenceOptions) -> Self {
        self.trail = Trail::new(options);
        self
    }

    /// Whether packets are kept, so that it has to be shown each.
    #[inline(always)]
    pub(crate) const fn keeps_packets(&self) -> bool {
        self.trail.is_some()
    }

    /// Of connections only a ration is seen: the first so many packets of a direction at least.
    pub(crate) const fn rationed(mut self, first_packets: Option<u8>) -> Self {
        self.first_packets = first_packets;
        self
    }

    pub(crate) const fn table(&self) -> &FlowTable {
        &self.table
    }

    pub(crate) fn memory_bytes(&self) -> [(&'static str, usize); 3] {
        let records = self.table.records();
        let on_huge_pages = xdp::bytes_on_huge_pages(records).unwrap_or(0);
        // But for its edges.
        let name = if on_huge_pages > size_of_val(records) / 8 * 7 {
            "flow table on huge pages"
        } else {
            "flow table"
        };
        [
            (name, self.table.memory_bytes()),
            ("reset watches", self.watches.memory_bytes()),
            ("kept packets", self.trail.as_ref().map_or(0, Trail::memory_bytes)),
        ]
    }

    /// The short road of a plain segment; false if it has to go the whole one, [`Shard::take`].
    #[inline(always)]
    pub(crate) fn take_plain(&mut self, short: &Short, outbox: &mut Outbox) -> bool {
        let Some(slot) = short.slot else { return false };
        let is_taken = match self.table.established(short.hash, slot, short.time) {
            Some(record) => short.is_taken_by(record),
            None => self.take_plain_of_others(short, slot),
        };
        if is_taken {
            self.note_time(short.time, outbox);
        }
        is_taken
    }

    /// The same for flows that are not established: one-sided, or met in mid-stream a moment ago.
    #[inline(never)]
    fn take_plain_of_others(&mut self, short: &Short, slot: Slot) -> bool {
        let is_taken = self.table.is_still(slot, short.hash, short.time)
            && short.is_taken_by(self.table.record_mut(slot));
        if is_taken {
            self.table.refresh(slot, short.time);
        }
        is_taken
    }

    /// The road of a plain segment that completes a handshake and does nothing else; false if it has to
    /// go the whole one, [`Shard::take`]. Every connection has one.
    pub(crate) fn take_handshake_end(
        &mut self,
        short: &Short,
        key: impl FnOnce() -> Option<FlowKey>,
        outbox: &mut Outbox,
    ) -> bool {
        let Short { hash, time, direction, plain, .. } = short;
        let is_his = |&slot: &Slot| {
            // Whoever keeps packets is shown the whole segment.
            !self.keeps_packets()
                && self.table.is_still(slot, *hash, *time)
                && self.table.record(slot).takes_handshake_end(*direction, plain)
        };
        let Some(slot) = short.slot.filter(is_his) else { return false };
        let Some(key) = key() else { return false };
        self.note_time(*time, outbox);
        let record = self.table.record_mut(slot);
        let change = record.observe_handshake_end(*direction, plain, time.tick());
        let deed = Deed { table: &self.table, slot, key: &key, hash: *hash, time: *time };
        deed.tell(change, false, [None; 2], outbox);
        self.table.refresh(slot, *time);
        true
    }

    /// What the time of every segment does: it tells how fine the clock is, and ends watches.
    #[inline(always)]
    fn note_time(&mut self, time: Timestamp, outbox: &mut Outbox) {
        self.clock.observe(time);
        // To the packet, not to the batch: what comes after a watch is over must not be seen by it.
        let trail = &mut self.trail;
        self.watches.expire(time, &mut self.table, |watch| finish(watch, trail, outbox));
    }

    /// Keeps the bytes of a plain segment.
    #[inline(always)]
    pub(crate) fn keep_plain(&mut self, short: &Short, raw: Raw<'_>) {
        let Short { hash, time, direction, .. } = *short;
        if let Some(trail) = &mut self.trail {
            trail.push_plain(&Kept { hash, time, direction, raw });
        }
    }

    /// Keeps the bytes of any segment, before its record takes it in.
    #[inline(never)]
    fn keep(&mut self, slot: Option<Slot>, staged: &Staged, raw: Raw<'_>) {
        let Some(trail) = &mut self.trail else { return };
        let Staged { hash, direction, segment, .. } = *staged;
        let packet = Kept { hash, time: segment.time, direction, raw };
        let record = slot.map(|slot| self.table.record(slot));
        let is_early = record.is_none_or(|record| record.side(direction).packets < EARLY_MAX);
        trail.push(&packet, &segment, is_early);
        if let Some(record) = record.filter(|record| record.is_watched()) {
            self.watches.trails(record).for_each(|link| trail.follow(link, &packet));
        }
    }

    /// The road of one segment: find its flow, judge it if it is a reset, let the flow remember.
    /// `raw` is its frame, for a shard that keeps packets.
    pub(crate) fn take(&mut self, staged: &Staged, raw: Option<Raw<'_>>, outbox: &mut Outbox) {
        let Staged { segment, direction, .. } = staged;
        self.note_time(segment.time, outbox);
        let slot = self.table.place(staged.hash, staged.slot, segment.time);
        if let Some(raw) = raw {
            self.keep(slot, staged, raw);
        }
        // Earlier resets of the flow see this segment before it starts a watch of its own.
        if let Some(record) = slot.map(|slot| self.table.record(slot)).filter(|r| r.is_watched()) {
            self.watches.observe(record, *direction, segment);
        }
        if segment.flags.rst() {
            self.judge(slot, staged, outbox);
        }
        let Some(slot) = slot else { return };
        let record = self.table.record(slot);
        let is_new = record.last_activity().is_none() && !record.is_over();
        let others = match outbox.wants_notes() {
            true => [first_fin(record, staged), answered(record, staged)],
            false => [None; 2],
        };
        let is_answer = segment.flags.syn() && segment.flags.ack();
        let is_strained = is_answer && was_asked_twice(record, staged);
        let ports = [staged.key.low.port, staged.key.high.port];
        let change = self.table.record_mut(slot).observe(*direction, segment, ports);
        let midstream = is_new && !change.opened && !segment.flags.rst();
        let (key, hash, time) = (&staged.key, staged.hash, segment.time);
        let deed = Deed { table: &self.table, slot, key, hash, time };
        deed.tell(change, midstream, others, outbox);
        if is_answer {
            self.learn_host(slot, staged, is_strained, outbox);
        }
        self.table.refresh(slot, segment.time);
    }

    /// Tells what is due and forgets what is old.
    pub(crate) fn advance(&mut self, now: Timestamp, outbox: &mut Outbox) {
        let trail = &mut self.trail;
        self.watches.expire(now, &mut self.table, |watch| finish(watch, trail, outbox));
        self.table.sweep(now);
    }

    /// Tells everything that is still watched: nothing will follow.
    pub(crate) fn finish(&mut self, outbox: &mut Outbox) {
        outbox.be_patient();
        // The end of what there is to see: nothing contradicted the reset until then.
        let trail = &mut self.trail;
        self.watches.expire_all(&mut self.table, |watch| finish(watch, trail, outbox));
    }

    fn judge(&mut self, slot: Option<Slot>, staged: &Staged, outbox: &mut Outbox) {
        let mut before = slot.map_or_else(FlowRecord::empty, |slot| *self.table.record(slot));
        if before.has_pending_syn() && is_refusal(&staged.segment) {
            // It answers a SYN that was not taken in, so the old connection says nothing of it.
            before = FlowRecord::empty();
        }
        if before.last_activity().is_none() && !before.is_over() {
            // Nobody has a role yet: let the record settle it from the reset's own ports, as it
            // will when it takes the reset in.
            before.guess_roles(ports_of_roles(staged));
        }
        let sight = self.sight(&before, &staged.segment);
        if sight == Sight::Thinned {
            before.forget_unseen();
        }
        let mut watch =
            Watch::new(staged.key, staged.direction, staged.segment, before).of_sight(sight);
        watch.note = staged.note;
        watch.receipt = pack(staged.receipt);
        watch.clock_step = self.clock.ticks();
        let (on_port, on_address) = self.hosts_of(&before, staged);
        watch.accepted_s = on_port.map(|host| host.last_accept_s());
        watch.host = on_port.or(on_address.map(HostBaseline::of_another_port));
        if let Some(earlier) = self.watches.latest(&before) {
            watch.ordinal = earlier.ordinal.saturating_add(1);
            // A new SYN since then began another connection.
            let same_connection = earlier.aftermath.retry.is_none();
            watch.earlier = same_connection.then(|| earlier_reset(earlier, staged.direction));
            let same_way = |earlier: &EarlierReset| earlier.direction == staged.direction;
            watch.aftermath.told = watch.earlier.filter(same_way).map(|earlier| earlier.highest);
        }
        if watch.ordinal >= WATCHES_PER_FLOW {
            outbox.window().counts.resets_beyond_share += 1;
            return;
        }
        outbox.provisional(&watch);
        if let Some(trail) = self.trail.as_mut().filter(|_| may_be_primary(&watch)) {
            watch.trail = trail.keep(staged.hash);
            outbox.window().counts.trails_refused += u64::from(watch.trail == 0);
        }
        let place = slot.map(|slot| (slot, &mut self.table));
        if self.watches.start(&watch, place).is_none() {
            outbox.window().counts.unwatched += 1;
            let (packets, judged) = taken(&watch, &mut self.trail);
            outbox.finish(&watch, false, packets, judged);
        }
    }

    /// How much of the connection was seen; packets in tunnels are never left out.
    fn sight(&self, before: &FlowRecord, reset: &Segment) -> Sight {
        match self.first_packets {
            Some(first) if reset.tunnel.is_none() => before.sight(first, reset.time.tick()),
            _ => Sight::Whole,
        }
    }

    /// What the server's other connections look like: on the same port, and on any.
    fn hosts_of(
        &self,
        before: &FlowRecord,
        staged: &Staged,
    ) -> (Option<HostBaseline>, Option<HostBaseline>) {
        let server = staged.key.sender(before.client().opposite());
        let [with_port, address] = self.table.host_hashes(server);
        let hosts = self.table.hosts();
        (hosts.find(with_port).copied(), hosts.find(address).copied())
    }

    /// SYN/ACKs teach what a server's answers look like.
    fn learn_host(&mut self, slot: Slot, staged: &Staged, is_strained: bool, outbox: &mut Outbox) {
        let record = self.table.record(slot);
        let server = record.client().opposite();
        if staged.direction != server || record.is_over() {
            return;
        }
        let span = record.round_trip(server).filter(|_| record.round_trip_has_handshake(server));
        let [with_port, address] = staged.server_hashes;
        // The same SYN/ACK again, from the host or from the tap, confirms nothing.
        let is_repeated = record.side(server).packets > 1;
        let hosts = self.table.hosts_mut();
        if is_repeated {
            if is_strained {
                hosts.strain(with_port);
            }
            return;
        }
        hosts.confirm(address, &staged.segment, span);
        let other_look = hosts.confirm(with_port, &staged.segment, span);
        if is_strained {
            hosts.strain(with_port);
        }
        if let Some(before) = other_look.filter(|_| outbox.wants_notes()) {
            let Segment { hop_limit, time, .. } = staged.segment;
            let now = Look { hop_limit, stack: Stack::of(&staged.segment) };
            outbox.note(Note {
                time,
                flow: staged.hash.0,
                client: staged.key.sender(server.opposite()),
                server: staged.key.sender(server),
                what: Happening::NewLook { before, now },
            });
        }
    }
}

/// Tells a reset whose watch ran its course, with its packets.
fn finish(watch: &Watch, trail: &mut Option<Trail>, outbox: &mut Outbox) {
    let (packets, judged) = taken(watch, trail);
    outbox.finish(watch, true, packets, judged);
}

/// The packets that were kept for a watch, and which of them is the reset.
fn taken<'t>(watch: &Watch, trail: &'t mut Option<Trail>) -> (&'t [Head], u8) {
    trail.as_mut().map_or((&[], 0), |trail| trail.take(watch.trail))
}

/// Echoes of an earlier reset are shown by what that one is shown by.
fn may_be_primary(watch: &Watch) -> bool {
    watch.earlier.is_none_or(|earlier| earlier.had_no_effect)
}

/// Whether this SYN/ACK ends a handshake in which one side had to ask again.
fn was_asked_twice(before: &FlowRecord, staged: &Staged) -> bool {
    let server = before.side(staged.direction);
    let answered_again = server.has(Side::SYN)
        && staged.segment.time.tick().since(server.last) >= SYN_ACK_AGAIN_AFTER;
    before.retransmissions(staged.direction.opposite()) > 0 || answered_again
}

/// The first FIN of a connection, with the silence that it ends.
fn first_fin(before: &FlowRecord, staged: &Staged) -> Option<Happening> {
    let is_open = || {
        [Direction::FromLow, Direction::FromHigh]
            .iter()
            .all(|&side| !before.side(side).has(Side::FIN))
    };
    if !staged.segment.flags.fin() || before.is_over() || !is_open() {
        return None;
    }
    Some(Happening::FirstFin {
        by_client: staged.direction == before.client(),
        silence: before.silence(staged.segment.time)?,
    })
}

/// The server's first data, from where, and from where its SYN/ACK was.
fn answered(before: &FlowRecord, staged: &Staged) -> Option<Happening> {
    let server = before.client().opposite();
    let side = before.side(server);
    let is_first = staged.direction == server && side.packets > 0 && !side.has(Side::DATA);
    (is_first && staged.segment.payload_len > 0 && !staged.segment.flags.rst()).then_some(
        Happening::Answered {
            syn_ack_hop_limit: before.syn_hop_limit(server),
            data_hop_limit: staged.segment.hop_limit,
        },
    )
}

/// The ports that roles are guessed by; who refuses a SYN was called, whatever its port.
fn ports_of_roles(staged: &Staged) -> [u16; 2] {
    match staged.direction {
        _ if !is_refusal(&staged.segment) => [staged.key.low.port, staged.key.high.port],
        Direction::FromLow => [0, 1],
        Direction::FromHigh => [1, 0],
    }
}

/// The shape in which a SYN is refused (RFC 9293, section 3.10.7.1).
fn is_refusal(reset: &Segment) -> bool {
    reset.flags.ack() && reset.seq == SeqNumber(0)
}

/// The reset before, as the next one sees it.
fn earlier_reset(earlier: &Watch, direction: Direction) -> EarlierReset {
    let after = &earlier.aftermath;
    let other_side =
        if earlier.direction == direction { after.receiver_packets } else { after.sender_packets };
    let highest = earlier
        .earlier
        .filter(|before| before.direction == earlier.direction)
        .map(|before| before.highest)
        .filter(|highest| highest.distance_from(earlier.reset.seq) > 0)
        .unwrap_or(earlier.reset.seq);
    EarlierReset {
        direction: earlier.direction,
        reset: earlier.reset,
        highest,
        answered_between: other_side,
        had_no_effect: after.alive.is_some() || after.receiver_went_on,
    }
}

/// A SYN/ACK again sooner than that is a copy of the first (Linux repeats it after 1 s).
const SYN_ACK_AGAIN_AFTER: Ticks = Ticks::from_ms(500);
