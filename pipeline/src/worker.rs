//! The loop that every packet goes through, live or replayed.

use std::sync::atomic::{AtomicBool, Ordering};

use flowtable::{FlowKey, KeyScope, Plain, ResetNote, Segment, Timestamp};
use wire::{LinkType, parse};

use crate::batch::{Batch, Seen};
use crate::handover::Handover;
use crate::names::NameReader;
use crate::outbox::Outbox;
use crate::shard::{Shard, Staged};
use crate::source::{Frame, Received, Source, SourceError};
use crate::tap::Sampler;
use crate::trail::Raw;

/// One core's pipeline: its source, its shard, its window. Shares nothing.
pub(crate) struct Worker<S> {
    source: S,
    shard: Shard,
    outbox: Outbox,
    handover: Handover,
    names: NameReader,
    tap: Sampler,
    batch: Batch,
    key_scope: KeyScope,
    now: Timestamp,
    handed_over: Timestamp,
}

impl<S: Source> Worker<S> {
    pub(crate) fn new(
        source: S,
        shard: Shard,
        outbox: Outbox,
        handover: Handover,
        names: NameReader,
        key_scope: KeyScope,
    ) -> Self {
        Self {
            source,
            batch: Batch::new(shard.keeps_packets()),
            shard,
            outbox,
            handover,
            names,
            tap: Sampler::new(),
            key_scope,
            now: Timestamp(0),
            handed_over: Timestamp(0),
        }
    }

    /// Turns until the source ends or `stop` is set; gives the source back.
    ///
    /// # Errors
    /// The source cannot go on. What was found until then has been handed over.
    pub(crate) fn run(mut self, stop: &AtomicBool) -> (S, Result<(), SourceError>) {
        let mut result = Ok(());
        while !stop.load(Ordering::Relaxed) {
            match self.turn() {
                Ok(Received::End) => break,
                Ok(_) => {}
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
        }
        self.take_handed_over();
        self.shard.finish(&mut self.outbox);
        self.outbox.window().counts.handover_lost += self.handover.left_behind();
        self.tap.tell(self.now, true, self.outbox.window());
        self.outbox.close(self.shard.table().counts());
        (self.source, result)
    }

    /// One turn, the road of a batch: receive, read headers, find flows, judge, remember, tell.
    fn turn(&mut self) -> Result<Received, SourceError> {
        let received = self.source.receive()?;
        if let Received::Frames(frames) = received {
            self.names.begin_turn();
            self.stage(frames);
            if self.source.is_of_two_ports() {
                self.batch.untangle();
            }
            self.batch.look_up(self.shard.table());
            match self.shard.keeps_packets() {
                true => self.take::<KEEP_FRAMES>(),
                false => self.take::<KEEP_NOTHING>(),
            }
        } else if let Some(clock) = self.source.clock() {
            self.now = now_after(self.now, clock);
        }
        self.take_handed_over();
        self.shard.advance(self.now, &mut self.outbox);
        // Workers that share captures hand over where all of them do: behind a batch.
        if received == Received::Idle || !self.outbox.keeps_order() {
            self.hand_over_window();
        }
        Ok(received)
    }

    /// Reads the headers of a batch: plain segments are staged in 64 bytes, all others as a whole.
    ///
    /// Each pass over the batch is a function of its own: together they need more registers than
    /// there are.
    #[inline(never)]
    fn stage(&mut self, frames: usize) {
        self.batch.clear();
        let mut seen = Seen::from_input(self.source.frame(0).receipt.input);
        for index in 0..frames {
            let frame = self.source.frame(index);
            seen.frame(&frame);
            let (names, handover, tap) = (&self.names, &self.handover, &self.tap);
            let is_short = |plain: &Plain, hash| {
                let is_named =
                    plain.payload_len > 0 && names.may_want(plain.payload, hash, plain.seq);
                !is_named && handover.is_ours(hash) && !tap.wants(hash.0)
            };
            let table = self.shard.table();
            if !self.batch.stage_plain(&frame, index, self.key_scope, table, is_short) {
                self.stage_whole(index);
            }
        }
        self.note_seen(frames, &seen);
    }

    /// Counts the frames of a batch, and sets the clock by them.
    fn note_seen(&mut self, frames: usize, seen: &Seen) {
        let (first, last) = (self.source.frame(0), self.source.frame(frames - 1));
        let window = self.outbox.window();
        window.counts.frames(frames, seen.bytes, first.time, seen.latest);
        self.now = now_after(self.now.max(seen.latest), last.time);
        let mut count = |input: u16, frames: u64| {
            if let Some(sum) = window.input_frames.get_mut(usize::from(input)) {
                *sum += frames;
            }
        };
        if seen.is_mixed() {
            (0..frames).for_each(|index| count(self.source.frame(index).receipt.input, 1));
        } else {
            count(seen.input, frames as u64);
        }
    }

    /// Stages everything there is to know of a segment.
    #[inline(never)]
    fn stage_whole(&mut self, index: usize) {
        let Some(place) = self.batch.next_whole() else { return };
        let frame = self.source.frame(index);
        let shard = &self.shard;
        let Some(payload) = whole(&frame, self.key_scope, shard, &mut self.outbox, place) else {
            return;
        };
        if self.names.is_wanted(&place.segment, place.hash) {
            let (table, counts) = (shard.table(), &mut self.outbox.window().counts.names);
            if let Some(name) = self.names.read(payload, place, table, counts) {
                self.outbox.name(name);
            }
        }
        if self.handover.is_ours(place.hash) {
            self.batch.push_whole(index, self.shard.table());
        } else if !self.handover.send(place, raw(&frame)) {
            self.outbox.window().counts.handover_lost += 1;
        }
    }

    /// The road of each staged segment into its flow, in the order they came. `KEEP` says which bytes
    /// of it are kept: a constant, so that keeping none costs nothing.
    #[inline(never)]
    fn take<const KEEP: u8>(&mut self) {
        for place in 0..self.batch.len() {
            let short = &self.batch.shorts[place];
            match short.whole {
                None if self.shard.take_plain(short, &mut self.outbox) => {
                    if KEEP == KEEP_FRAMES {
                        let frame = self.source.frame(usize::from(short.index));
                        self.shard.keep_plain(short, raw(&frame));
                    }
                }
                None => self.take_as_whole(place),
                Some(whole) => {
                    let staged = &mut self.batch.wholes[usize::from(whole)];
                    staged.slot = short.slot;
                    if self.tap.wants(staged.hash.0) {
                        self.tap.see(staged);
                    }
                    let frame;
                    let raw = match KEEP {
                        KEEP_FRAMES => {
                            frame = self.source.frame(usize::from(short.index));
                            Some(raw(&frame))
                        }
                        KEEP_RECEIVED => Some(self.batch.heads[usize::from(whole)].raw()),
                        _ => None,
                    };
                    self.shard.take(staged, raw, &mut self.outbox);
                }
            }
        }
    }

    /// A plain segment that changes more than a plain one may: a handshake's last, the first data.
    #[inline(never)]
    fn take_as_whole(&mut self, place: usize) {
        let short = &self.batch.shorts[place];
        let staged = &mut self.batch.spare;
        let frame = self.source.frame(usize::from(short.index));
        // Few need the key, and 64 bytes do not hold it.
        let key = || FlowKey::of_common(frame.bytes, self.key_scope);
        if self.shard.take_handshake_end(short, key, &mut self.outbox) {
            return;
        }
        let shard = &self.shard;
        if whole(&frame, self.key_scope, shard, &mut self.outbox, staged).is_some() {
            staged.slot = short.slot;
            let raw = self.shard.keeps_packets().then(|| raw(&frame));
            self.shard.take(staged, raw, &mut self.outbox);
        }
    }

    /// Takes in what other workers have received, batch by batch like frames of its own.
    fn take_handed_over(&mut self) {
        let mut left = self.handover.waiting_max();
        while left > 0 {
            self.batch.clear();
            let mut is_of_two_ports = false;
            while let Some((place, head)) = self.batch.next_received()
                && self.handover.receive(place, head)
            {
                self.now = now_after(self.now, place.segment.time);
                is_of_two_ports |= place.segment.port.0 != 0;
                self.batch.push_whole(0, self.shard.table());
            }
            if self.batch.len() == 0 {
                break;
            }
            left = left.saturating_sub(self.batch.len());
            if is_of_two_ports {
                self.batch.untangle();
            }
            self.batch.look_up(self.shard.table());
            match self.shard.keeps_packets() {
                true => self.take::<KEEP_RECEIVED>(),
                false => self.take::<KEEP_NOTHING>(),
            }
        }
    }

    /// Once a second of packet time the window goes to the exporter.
    fn hand_over_window(&mut self) {
        let is_set_back = self.now < self.handed_over;
        if is_set_back || self.now.since_ns(self.handed_over) >= WINDOW_NS {
            self.handed_over = self.now;
            self.tap.tell(self.now, false, self.outbox.window());
            self.outbox.hand_over(self.shard.table().counts());
        }
    }
}

/// Reads all headers of a frame into `place`, and gives its payload; `None` if there is no segment
/// in it, which is counted by reason.
fn whole<'b>(
    frame: &Frame<'b>,
    scope: KeyScope,
    shard: &Shard,
    outbox: &mut Outbox,
    place: &mut Staged,
) -> Option<&'b [u8]> {
    let counts = &mut outbox.window().counts;
    let Some(link) = frame.link else {
        counts.unknown_link += 1;
        return None;
    };
    let packet = match parse(link, frame.bytes) {
        Ok(packet) => packet,
        Err(skip) => {
            counts.skips[skip as usize] += 1;
            return None;
        }
    };
    let (key, direction) = FlowKey::of(&packet, scope);
    place.segment = Segment::of(&packet, frame.time, frame.port);
    if place.segment.flags.rst() {
        place.note = ResetNote::of(packet.payload);
    }
    place.hash = shard.table().hash(&key);
    (place.key, place.direction, place.receipt) = (key, direction, frame.receipt);
    // Another worker's table would misread it.
    place.slot = None;
    Some(packet.payload)
}

/// The bytes of a frame, for whoever keeps them.
#[inline(always)]
fn raw<'b>(frame: &Frame<'b>) -> Raw<'b> {
    // Nothing comes out of a frame of an unknown link.
    let link = frame.link.unwrap_or(LinkType::Ethernet);
    Raw { link, len: frame.bytes.len() as u32, bytes: frame.bytes }
}

/// Packet time after a frame.
#[inline(always)]
pub(crate) fn now_after(now: Timestamp, frame: Timestamp) -> Timestamp {
    // A time from the future must not stop the clock for good.
    if now.since_ns(frame) > CLOCK_BACK_NS { frame } else { now.max(frame) }
}

const WINDOW_NS: u64 = 1_000_000_000;
/// Further back than any reordering: the clock was set, or one frame bore a nonsensical time.
const CLOCK_BACK_NS: u64 = 10_000_000_000;
/// Which bytes of packets are kept: none, those of the frames at hand, those that came with the segments.
const KEEP_NOTHING: u8 = 0;
const KEEP_FRAMES: u8 = 1;
const KEEP_RECEIVED: u8 = 2;
