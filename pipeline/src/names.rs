//! Names that clients ask for: read once a connection, a few a turn, beside the road of packets.
//!
//! Only first payloads that begin like a request are looked at. A ClientHello that fills more than
//! one segment (post-quantum key shares are that large) waits for its rest in one of a few places.

use std::hash::{DefaultHasher, Hasher as _};

use flowtable::{FlowHash, FlowTable, NameNote, PayloadClass, PlainName, Segment};
use wire::{Asked, SeqNumber, ServerName};

use crate::shard::Staged;

/// What is kept of the names that clients ask for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum NamesKept {
    /// Nothing: names are not read.
    Off,
    /// A hash with a secret that is drawn at start and never told.
    #[default]
    Hash,
    /// The hash, and the first 64 bytes of the name.
    Plain,
}

/// Reads the names of one worker.
#[derive(Debug)]
pub(crate) struct NameReader {
    kept: NamesKept,
    secret: u64,
    per_turn: usize,
    left: usize,
    places: [Place; PLACES],
    hellos: Box<[[u8; HELLO_MAX]]>,
}

/// What became of the names.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct NameCounts {
    /// First payloads that were not looked at: more than a turn has time for.
    pub(crate) unread: u64,
    /// Requests whose name did not come whole.
    pub(crate) cut: u64,
    /// Names for which no window had room.
    pub(crate) lost: u64,
}

impl NameCounts {
    pub(crate) const fn add(&mut self, other: &Self) {
        self.unread += other.unread;
        self.cut += other.cut;
        self.lost += other.lost;
    }
}

/// A ClientHello that waits for its rest; its bytes are in the row of the same index.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    /// Hash of the flow; 0 if the place is free.
    flow: u64,
    next: SeqNumber,
    len: u16,
}

impl NameReader {
    /// At most `per_turn` payloads are read in a turn; `secret` must be the same for all workers.
    pub(crate) fn new(kept: NamesKept, secret: u64, per_turn: usize) -> Self {
        let rows = if kept == NamesKept::Off { 0 } else { PLACES };
        Self {
            kept,
            secret,
            per_turn,
            left: per_turn,
            places: [Place::default(); PLACES],
            hellos: vec![[0; HELLO_MAX]; rows].into_boxed_slice(),
        }
    }

    /// Bytes held by the reader of one worker.
    pub(crate) const fn memory_bytes() -> usize {
        PLACES * HELLO_MAX + size_of::<Self>()
    }

    pub(crate) const fn begin_turn(&mut self) {
        self.left = self.per_turn;
    }

    /// Whether a segment may tell a name: all that is asked of every segment.
    pub(crate) fn is_wanted(&self, segment: &Segment, hash: FlowHash) -> bool {
        segment.payload_len > 0
            && !segment.flags.rst()
            && self.may_want(segment.payload, hash, segment.seq)
    }

    /// The same of a payload.
    #[inline(always)]
    pub(crate) fn may_want(&self, payload: PayloadClass, hash: FlowHash, seq: SeqNumber) -> bool {
        let asks = matches!(payload, PayloadClass::TlsClientHello | PayloadClass::HttpRequest);
        self.kept != NamesKept::Off && (asks || self.awaits(hash, seq))
    }

    /// The name in a segment that is wanted.
    pub(crate) fn read(
        &mut self,
        payload: &[u8],
        staged: &Staged,
        table: &FlowTable,
        counts: &mut NameCounts,
    ) -> Option<NameNote> {
        let is_rest = self.awaits(staged.hash, staged.segment.seq);
        let is_first = || {
            let slot = table.find(staged.hash)?;
            Some(table.record(slot).first_payload(staged.direction) == PayloadClass::Empty)
        };
        if !is_rest && !is_first().unwrap_or(true) {
            return None;
        }
        if self.left == 0 {
            counts.unread += 1;
            return None;
        }
        self.left -= 1;
        let asked = if is_rest {
            self.continued(payload, staged, counts)
        } else {
            let asked = ServerName::of(payload);
            if asked == Asked::Cut {
                self.wait(payload, staged, counts);
            }
            asked
        };
        match asked {
            Asked::Name(name) => Some(self.note(&name, staged)),
            Asked::Cut | Asked::Nothing => None,
        }
    }

    /// The hello that waited, together with its rest.
    fn continued(&mut self, rest: &[u8], staged: &Staged, counts: &mut NameCounts) -> Asked {
        let index = place_of(staged.hash);
        let place = &mut self.places[index];
        let row = &mut self.hellos[index];
        let len = usize::from(place.len);
        let more = rest.len().min(HELLO_MAX - len);
        row[len..len + more].copy_from_slice(&rest[..more]);
        let asked = ServerName::of(&row[..len + more]);
        let is_whole = more == rest.len() && more == staged.segment.payload_len as usize;
        if asked == Asked::Cut && is_whole && len + more < HELLO_MAX {
            place.len = (len + more) as u16;
            place.next = staged.segment.end();
            return asked;
        }
        counts.cut += u64::from(asked == Asked::Cut);
        *place = Place::default();
        asked
    }

    /// Lets a hello wait for its rest; whatever waited at its place has waited long enough.
    fn wait(&mut self, payload: &[u8], staged: &Staged, counts: &mut NameCounts) {
        let is_whole = payload.len() == staged.segment.payload_len as usize;
        if !is_whole || payload.len() >= HELLO_MAX {
            counts.cut += 1;
            return;
        }
        let index = place_of(staged.hash);
        counts.cut += u64::from(self.places[index].flow != 0);
        self.hellos[index][..payload.len()].copy_from_slice(payload);
        self.places[index] =
            Place { flow: staged.hash.0, next: staged.segment.end(), len: payload.len() as u16 };
    }

    fn awaits(&self, hash: FlowHash, seq: SeqNumber) -> bool {
        let place = &self.places[place_of(hash)];
        place.flow == hash.0 && place.flow != 0 && place.next == seq
    }

    fn note(&self, name: &ServerName, staged: &Staged) -> NameNote {
        // SipHash with the secret in front: short names must not be found by trying them.
        let mut hash = DefaultHasher::new();
        hash.write_u64(self.secret);
        hash.write(name.as_bytes());
        let plain = self.kept == NamesKept::Plain;
        NameNote {
            time: staged.segment.time,
            flow: staged.hash.0,
            client: staged.key.sender(staged.direction),
            server: staged.key.sender(staged.direction.opposite()),
            hash: hash.finish(),
            plain: plain.then(|| PlainName::of(name.as_bytes())),
        }
    }
}

const fn place_of(hash: FlowHash) -> usize {
    (hash.0 >> 40) as usize % PLACES
}

/// Hellos that wait at a time; each waits for less than a millisecond.
const PLACES: usize = 32;
/// Two full segments: the key shares of X25519MLKEM768 take 1.2 KB, everything else 600 bytes.
const HELLO_MAX: usize = 3_072;
/// Names that a live worker reads in one turn of 64 frames.
pub(crate) const NAMES_PER_TURN: usize = 8;

#[cfg(test)]
mod tests {
    use flowtable::{FlowHash, FlowTable, PayloadClass, Segment, TableOptions, Timeouts};
    use wire::SeqNumber;

    use super::{NameCounts, NameReader, NamesKept};
    use crate::shard::Staged;

    fn table() -> FlowTable {
        FlowTable::new(&TableOptions {
            flows: 16,
            hosts: 16,
            seed: 7,
            timeouts: Timeouts::default(),
        })
    }

    fn staged(flow: u64, seq: u32, payload: &[u8]) -> Staged {
        let payload_len = payload.len() as u32;
        let segment = Segment {
            seq: SeqNumber(seq),
            payload_len,
            payload: PayloadClass::of(payload, payload_len),
            ..Segment::blank()
        };
        Staged { hash: FlowHash(flow), segment, ..Staged::blank() }
    }

    /// The name read from one segment, as text.
    fn read(
        reader: &mut NameReader,
        counts: &mut NameCounts,
        flow: u64,
        seq: u32,
        payload: &[u8],
    ) -> Option<String> {
        let staged = staged(flow, seq, payload);
        let wanted = reader.is_wanted(&staged.segment, staged.hash);
        let note = wanted.then(|| reader.read(payload, &staged, &table(), counts)).flatten()?;
        Some(note.plain.map_or_else(String::new, |plain| plain.as_str().to_owned()))
    }

    const HELLO: &[u8] = include_bytes!("../../wire/fuzz/corpus/server_name/handmade-hello-13");

    #[test]
    fn a_hello_in_two_segments_is_put_together_and_strays_are_not_taken_for_its_rest() {
        let mut reader = NameReader::new(NamesKept::Plain, 1, 64);
        let mut counts = NameCounts::default();
        let (first, rest) = HELLO.split_at(100);
        assert_eq!(read(&mut reader, &mut counts, 9, 1000, first), None);
        assert_eq!(read(&mut reader, &mut counts, 9, 1300, rest), None, "another place");
        assert_eq!(read(&mut reader, &mut counts, 8, 1100, rest), None, "another flow");
        let name = read(&mut reader, &mut counts, 9, 1100, rest);
        assert_eq!(name.as_deref(), Some("www.example.org"));
        assert_eq!(counts, NameCounts::default());
    }

    #[test]
    fn what_never_comes_whole_and_what_is_beyond_the_budget_is_counted() {
        let mut reader = NameReader::new(NamesKept::Hash, 1, 2);
        let mut counts = NameCounts::default();
        let request = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";
        assert_eq!(read(&mut reader, &mut counts, 1, 0, request).as_deref(), Some(""));
        assert_eq!(read(&mut reader, &mut counts, 2, 0, &[HELLO, &[0; 9]].concat()[..90]), None);
        assert_eq!(read(&mut reader, &mut counts, 3, 0, request), None);
        assert_eq!(counts.unread, 1);
        reader.begin_turn();
        // One extension of 16 KB before any name.
        let head = [&[22, 3, 1, 0x3f, 0xff, 1, 0, 0x3f, 0xf0][..], &[0; 38]].concat();
        let endless = [&head[..], &[0x3f, 0, 0x0a, 0x0a, 0x3e, 0xf0], &[0; 2956]].concat();
        assert_eq!(read(&mut reader, &mut counts, 2, 0, &endless), None);
        assert_eq!(read(&mut reader, &mut counts, 2, 3009, &endless), None);
        assert_eq!(counts.cut, 2, "the one that gave way and the one that is too long");
        let mut off = NameReader::new(NamesKept::Off, 1, 2);
        assert_eq!(read(&mut off, &mut counts, 1, 0, request), None);
    }
}
