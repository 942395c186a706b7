//! What waits, and what is known of each writer.

use std::collections::BTreeMap;

use events::{Event, UtcTime};

use super::clock::SourceClock;
use super::fit::Instants;
use super::shelf::Key;
use crate::logs::conclude::{Judgement, TapSide};
use crate::logs::session::{LogSession, LogTuple, Matched, Product};

/// Which shelf, and the number there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Place {
    pub(super) is_finished: bool,
    pub(super) number: u64,
}

#[derive(Debug)]
pub(super) struct KnownEvent {
    pub(super) sensor: String,
    pub(super) instants: Instants,
    pub(super) came: UtcTime,
    pub(super) event: Event,
    pub(super) judgements: Vec<Judgement>,
    /// Writers whose session this is already.
    pub(super) claimed: Vec<Claim>,
}

#[derive(Debug)]
pub(super) struct KnownSession {
    pub(super) session: LogSession,
    pub(super) came: UtcTime,
    /// Which of its tuples is joined, and at which sensor.
    pub(super) joined: Vec<(Matched, String)>,
    /// Whether it is counted as one that several resets fitted.
    pub(super) is_ambiguous: bool,
}

#[derive(Debug, Default)]
pub(super) struct Source {
    pub(super) clock: SourceClock,
    pub(super) joined: u64,
    /// When a line of it could not be read, last.
    pub(super) garbled: UtcTime,
    /// Whether its lines come by a way that loses some unseen (UDP): its silence tells nothing.
    pub(super) is_lossy: bool,
    /// How often each sensor was shown each side of it, for sessions whose addresses do not tell.
    pub(super) taps: BTreeMap<String, [u64; 2]>,
}

/// A writer whose session an event is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Claim {
    pub(super) source: String,
    pub(super) product: Product,
}

impl Source {
    /// By this session's addresses, else by what all others showed to the same sensor.
    pub(super) fn tap_side(
        &mut self,
        sensor: &str,
        session: &LogSession,
        tuple: &LogTuple,
    ) -> TapSide {
        let side = TapSide::of(session, tuple);
        if !self.taps.contains_key(sensor) {
            if side == TapSide::Unknown || self.taps.len() >= SENSORS_MAX {
                return side;
            }
            self.taps.insert(sensor.to_owned(), [0; 2]);
        }
        let Some([client, server]) = self.taps.get_mut(sensor) else { return side };
        match side {
            TapSide::Client => {
                *client += 1;
                TapSide::Client
            }
            TapSide::Server => {
                *server += 1;
                TapSide::Server
            }
            // A sensor may have taps on both sides: only what was never otherwise is taken over.
            TapSide::Unknown => match (*client, *server) {
                (SIDES_MIN.., 0) => TapSide::Client,
                (0, SIDES_MIN..) => TapSide::Server,
                _ => TapSide::Unknown,
            },
        }
    }
}

impl KnownEvent {
    /// The next revision.
    pub(super) fn told_anew(&mut self) -> Event {
        let event = &mut self.event;
        event.revision += 1;
        event.corroboration = self.judgements.iter().map(|made| made.item.clone()).collect();
        let best = self.judgements.iter().rev().max_by_key(|made| made.rank);
        event.conclusion = best.and_then(|made| made.conclusion.clone());
        event.clone()
    }
}

pub(super) fn key_of(tuple: &LogTuple) -> Key {
    tuple.server.map_or(Key::Client(tuple.client), |server| Key::pair(tuple.client, server))
}

/// Whether two lines say the same of the same: one was sent twice.
pub(super) fn is_same(one: &LogSession, other: &LogSession) -> bool {
    (&one.source, &one.said, one.ended, one.begun, one.kind, one.product)
        == (&other.source, &other.said, other.ended, other.begun, other.kind, other.product)
        && one.tuples == other.tuples
}

/// Sensors of which it is followed on which side of a writer they are.
const SENSORS_MAX: usize = 256;

/// Sessions whose addresses tell the side, before it is believed of others.
const SIDES_MIN: u64 = 5;
