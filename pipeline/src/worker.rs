//! The loop that every packet goes through, live or replayed.

use std::sync::atomic::{AtomicBool, Ordering};

use flowtable::{FlowKey, KeyScope, ResetNote, Segment, Timestamp};
use wire::parse;

use crate::batch::{Batch, Short};
use crate::handover::Handover;
use crate::names::NameReader;
use crate::outbox::Outbox;
use crate::shard::{Shard, Staged};
use crate::source::{Frame, Received, Source, SourceError};

/// One core's pipeline: its source, its shard, its window. Shares nothing.
pub(crate) struct Worker<S> {
    source: S,
    shard: Shard,
    outbox: Outbox,
    handover: Handover,
    names: NameReader,
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
            shard,
            outbox,
            handover,
            names,
            batch: Batch::new(),
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
        self.outbox.close(self.shard.table().counts());
        (self.source, result)
    }

    /// One turn, the road of a batch: receive, read headers, find flows, judge, remember, tell.
    fn turn(&mut self) -> Result<Received, SourceError> {
        let received = self.source.receive()?;
        if let Received::Frames(frames) = received {
            self.names.begin_turn();
            self.batch.clear();
            for index in 0..frames {
                self.stage(index);
            }
            self.outbox.window().counts.frames(frames, &self.batch.seen);
            self.batch.look_up(self.shard.table());
            for place in 0..self.batch.len {
                self.take(place);
            }
        } else if let Some(clock) = self.source.clock() {
            self.now = self.now.max(clock);
        }
        self.take_handed_over();
        self.shard.advance(self.now, &mut self.outbox);
        self.hand_over_window();
        Ok(received)
    }

    /// Reads the headers of one frame: a plain segment is staged in 64 bytes, any other as a whole.
    #[inline(always)]
    fn stage(&mut self, index: usize) {
        let frame = self.source.frame(index);
        self.batch.seen.frame(frame.bytes.len(), frame.time);
        let window = self.outbox.window();
        if let Some(frames) = window.input_frames.get_mut(usize::from(frame.receipt.input)) {
            *frames += 1;
        }
        // A time from the future must not stop the clock for good.
        if self.now.since_ns(frame.time) > CLOCK_BACK_NS {
            self.now = frame.time;
        }
        self.now = self.now.max(frame.time);
        let table = self.shard.table();
        let plain = Short::of(&frame, index, self.key_scope, table).filter(|short| {
            let plain = &short.plain;
            plain.payload_len == 0 || !self.names.may_want(plain.payload, short.hash, plain.seq)
        });
        match plain {
            Some(short) if self.handover.is_ours(short.hash) => self.batch.push_short(short),
            _ => self.stage_whole(index),
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
            self.batch.push_whole();
        } else if !self.handover.send(place) {
            self.outbox.window().counts.handover_lost += 1;
        }
    }

    /// The road of one staged segment into its flow.
    #[inline(always)]
    fn take(&mut self, place: usize) {
        let short = &self.batch.shorts[place];
        match short.whole {
            None if self.shard.take_plain(short, &mut self.outbox) => {}
            None => self.take_as_whole(place),
            Some(whole) => {
                let staged = &mut self.batch.wholes[usize::from(whole)];
                staged.slot = short.slot;
                self.shard.take(staged, &mut self.outbox);
            }
        }
    }

    /// A plain segment that changes more than a plain one may: a handshake's last, the first data.
    #[inline(never)]
    fn take_as_whole(&mut self, place: usize) {
        let short = &self.batch.shorts[place];
        let staged = &mut self.batch.spare;
        let frame = self.source.frame(usize::from(short.index));
        let shard = &self.shard;
        if whole(&frame, self.key_scope, shard, &mut self.outbox, staged).is_some() {
            staged.slot = short.slot;
            self.shard.take(staged, &mut self.outbox);
        }
    }

    fn take_handed_over(&mut self) {
        let (shard, outbox, now) = (&mut self.shard, &mut self.outbox, &mut self.now);
        self.handover.receive(|staged| {
            *now = (*now).max(staged.segment.time);
            shard.take(staged, outbox);
        });
    }

    /// Once a second of packet time the window goes to the exporter.
    fn hand_over_window(&mut self) {
        let is_set_back = self.now < self.handed_over;
        if is_set_back || self.now.since_ns(self.handed_over) >= WINDOW_NS {
            self.handed_over = self.now;
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

const WINDOW_NS: u64 = 1_000_000_000;
/// Further back than any reordering: the clock was set, or one frame bore a nonsensical time.
const CLOCK_BACK_NS: u64 = 10_000_000_000;
