//! The loop that every packet goes through, live or replayed.

use std::sync::atomic::{AtomicBool, Ordering};

use flowtable::{FlowKey, KeyScope, ResetNote, Segment, Timestamp};
use wire::parse;

use crate::handover::Handover;
use crate::names::NameReader;
use crate::outbox::Outbox;
use crate::shard::{Shard, Staged};
use crate::source::{BATCH_MAX, Frame, Received, Source, SourceError};

/// One core's pipeline: its source, its shard, its window. Shares nothing.
pub(crate) struct Worker<S> {
    source: S,
    shard: Shard,
    outbox: Outbox,
    handover: Handover,
    names: NameReader,
    /// Places of a batch, written in place: a segment is 250 bytes, and copies of it showed.
    staged: Box<[Staged]>,
    staged_len: usize,
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
            staged: vec![Staged::blank(); BATCH_MAX].into_boxed_slice(),
            staged_len: 0,
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
            for index in 0..frames {
                self.stage(index);
            }
            // Every look-up's line is under way before the first is needed.
            let staged = &mut self.staged[..std::mem::take(&mut self.staged_len)];
            let table = self.shard.table();
            let sets = staged.iter().fold(0, |sum, staged| sum ^ table.touch_set(staged.hash));
            let records = staged.iter_mut().fold(0, |sum, staged| {
                staged.slot = table.find(staged.hash);
                sum ^ staged.slot.map_or(0, |slot| table.touch_record(slot))
            });
            std::hint::black_box(sets ^ records);
            for staged in staged {
                self.shard.take(staged, &mut self.outbox);
            }
        } else if let Some(clock) = self.source.clock() {
            self.now = self.now.max(clock);
        }
        self.take_handed_over();
        self.shard.advance(self.now, &mut self.outbox);
        self.hand_over_window();
        Ok(received)
    }

    /// Reads the headers of one frame; what is left of it goes to its shard.
    fn stage(&mut self, index: usize) {
        let frame = self.source.frame(index);
        let window = self.outbox.window();
        window.counts.frame(frame.bytes.len(), frame.time);
        if let Some(frames) = window.input_frames.get_mut(usize::from(frame.receipt.input)) {
            *frames += 1;
        }
        // A time from the future must not stop the clock for good.
        if self.now.since_ns(frame.time) > CLOCK_BACK_NS {
            self.now = frame.time;
        }
        self.now = self.now.max(frame.time);
        let Some(link) = frame.link else {
            window.counts.unknown_link += 1;
            return;
        };
        let packet = match parse(link, frame.bytes) {
            Ok(packet) => packet,
            Err(skip) => {
                window.counts.skips[skip as usize] += 1;
                return;
            }
        };
        let (key, direction) = FlowKey::of(&packet, self.key_scope);
        let Frame { time, port, receipt, .. } = frame;
        let place = &mut self.staged[self.staged_len];
        place.segment = Segment::of(&packet, time, port);
        if place.segment.flags.rst() {
            place.note = ResetNote::of(packet.payload);
        }
        place.hash = self.shard.table().hash(&key);
        (place.key, place.direction, place.receipt) = (key, direction, receipt);
        // Another worker's table would misread it.
        place.slot = None;
        if self.names.is_wanted(&place.segment, place.hash) {
            let (table, counts) = (self.shard.table(), &mut self.outbox.window().counts.names);
            if let Some(name) = self.names.read(packet.payload, place, table, counts) {
                self.outbox.name(name);
            }
        }
        if self.handover.is_ours(place.hash) {
            self.staged_len += 1;
        } else if !self.handover.send(place) {
            self.outbox.window().counts.handover_lost += 1;
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

const WINDOW_NS: u64 = 1_000_000_000;
/// Further back than any reordering: the clock was set, or one frame bore a nonsensical time.
const CLOCK_BACK_NS: u64 = 10_000_000_000;
