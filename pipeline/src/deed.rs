//! What a segment changed for its connection, told to whoever counts and compares connections.

use flowtable::{Change, FlowHash, FlowKey, FlowTable, Happening, Note, Slot, Timestamp};

use crate::minutes::{Tally, number_of};
use crate::outbox::Outbox;

/// Whose segment changed something, and when.
pub(crate) struct Deed<'s> {
    pub(crate) table: &'s FlowTable,
    pub(crate) slot: Slot,
    pub(crate) key: &'s FlowKey,
    pub(crate) hash: FlowHash,
    pub(crate) time: Timestamp,
}

impl Deed<'_> {
    /// Counts what a segment changed, in all and by server, and tells what other connections are judged
    /// by.
    pub(crate) fn tell(
        &self,
        change: Change,
        midstream: bool,
        others: [Option<Happening>; 2],
        outbox: &mut Outbox,
    ) {
        outbox.window().counts.change(change, midstream);
        if outbox.window().tallies.is_wanted() {
            self.tally(Tally::of(change, midstream), outbox);
        }
        if outbox.wants_notes() {
            self.note(change, others, outbox);
        }
    }

    /// Counts by server what began or ended; nothing for most segments.
    fn tally(&self, tally: Tally, outbox: &mut Outbox) {
        if tally.is_blank() {
            return;
        }
        let client = self.table.record(self.slot).client();
        let server = self.key.sender(client.opposite());
        let (hash, minute) = (self.table.hash(&server).0, number_of(self.time));
        outbox.window().tallies.count(hash, server, minute, tally);
    }

    /// Tells what other connections are judged by; nothing for most segments.
    fn note(&self, change: Change, others: [Option<Happening>; 2], outbox: &mut Outbox) {
        let mut note = |what| {
            let client = self.table.record(self.slot).client();
            outbox.note(Note {
                time: self.time,
                flow: self.hash.0,
                client: self.key.sender(client),
                server: self.key.sender(client.opposite()),
                what,
            });
        };
        if change.established {
            note(Happening::Established);
        }
        others.into_iter().flatten().for_each(&mut note);
        if change.closed_well {
            note(Happening::Closed);
        }
    }
}
