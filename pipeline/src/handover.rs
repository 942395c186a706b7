//! Segments that arrived at another worker than the one that owns their flow.
//!
//! Where the card cannot be made to send both directions of a connection to one queue, the worker
//! that receives a packet reads it and passes the facts on through a bounded ring to the owner. One
//! ring for each ordered pair of workers, so each has one producer and one consumer. Where packets are
//! kept, their first bytes go through a second ring beside it, in the same order: the owner keeps them.

use flowtable::FlowHash;
use rtrb::{Consumer, Producer, RingBuffer};

use crate::shard::Staged;
use crate::trail::{Head, Raw};

/// One worker's rings.
pub(crate) struct Handover {
    own: usize,
    /// Rings to the other workers, by their index; none to itself.
    to: Vec<Option<Outgoing>>,
    from: Vec<(Consumer<Staged>, Option<Consumer<Head>>)>,
    /// What is on its way into the second ring.
    head: Head,
    /// The ring that is looked at first: each has its turn.
    next: usize,
}

/// The way to another worker: segments, and their bytes if packets are kept.
type Outgoing = (Producer<Staged>, Option<Producer<Head>>);

/// Who gets a flow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sharding {
    /// Whoever received it: the card sends both directions to one queue, or there is one queue.
    ByQueue,
    /// The owner of its hash.
    ByHash,
}

impl Handover {
    /// The ends for `workers` workers; `with_bytes` if packets are kept.
    pub(crate) fn mesh(workers: usize, sharding: Sharding, with_bytes: bool) -> Vec<Self> {
        let mut ends: Vec<Self> = (0..workers)
            .map(|own| Self {
                own,
                to: (0..workers).map(|_| None).collect(),
                from: Vec::new(),
                head: Head::EMPTY,
                next: 0,
            })
            .collect();
        if sharding == Sharding::ByQueue {
            for end in &mut ends {
                end.to.clear();
            }
            return ends;
        }
        for sender in 0..workers {
            for receiver in (0..workers).filter(|&receiver| receiver != sender) {
                let (producer, consumer) = RingBuffer::new(RING_SEGMENTS);
                let (heads_in, heads_out) = match with_bytes {
                    // A little longer: a head is taken out after its segment.
                    true => Some(RingBuffer::new(RING_SEGMENTS + 1)).unzip(),
                    false => (None, None),
                };
                ends[sender].to[receiver] = Some((producer, heads_in));
                ends[receiver].from.push((consumer, heads_out));
            }
        }
        ends
    }

    /// A worker alone.
    pub(crate) const fn alone() -> Self {
        Self { own: 0, to: Vec::new(), from: Vec::new(), head: Head::EMPTY, next: 0 }
    }

    /// Bytes of the rings that end here.
    pub(crate) fn memory_bytes(&self) -> usize {
        let heads = self.from.iter().filter(|(_, heads)| heads.is_some()).count();
        RING_SEGMENTS * (self.from.len() * size_of::<Staged>() + heads * size_of::<Head>())
    }

    /// Whether a flow is this worker's.
    pub(crate) fn is_ours(&self, hash: FlowHash) -> bool {
        self.to.len() < 2 || self.owner(hash) == self.own
    }

    /// Passes a segment to its owner; false if the ring is full, which is a loss. `raw` is its frame.
    pub(crate) fn send(&mut self, staged: &Staged, raw: Raw<'_>) -> bool {
        let owner = self.owner(staged.hash);
        let Some((ring, heads)) = &mut self.to[owner] else { return false };
        if ring.is_abandoned() || ring.is_full() {
            return false;
        }
        if let Some(heads) = heads {
            // First: whoever finds the segment finds its bytes.
            self.head.carry(raw);
            if heads.push(self.head).is_err() {
                return false;
            }
        }
        ring.push(*staged).is_ok()
    }

    /// Most segments that are waiting: one ring's length of each.
    pub(crate) fn waiting_max(&self) -> usize {
        self.from.len() * RING_SEGMENTS
    }

    /// The next segment that has arrived, written to `place`, and its bytes to `head` if they are
    /// kept; false if none has.
    pub(crate) fn receive(&mut self, place: &mut Staged, head: Option<&mut Head>) -> bool {
        let rings = self.from.len();
        for _ in 0..rings {
            let ring = self.next;
            self.next = (ring + 1) % rings;
            let (segments, heads) = &mut self.from[ring];
            if let Ok(staged) = segments.pop() {
                *place = staged;
                if let (Some(head), Some(Ok(bytes))) = (head, heads.as_mut().map(Consumer::pop)) {
                    *head = bytes;
                }
                return true;
            }
        }
        false
    }

    /// Segments that nobody will take any more.
    pub(crate) fn left_behind(&self) -> u64 {
        self.from.iter().map(|(ring, _)| ring.slots() as u64).sum()
    }

    /// The upper half of the hash picks the worker; the table's sets use the lower bits.
    fn owner(&self, hash: FlowHash) -> usize {
        (((hash.0 >> 32) * self.to.len() as u64) >> 32) as usize
    }
}

impl std::fmt::Debug for Handover {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Handover of worker {} of {}", self.own, self.to.len().max(1))
    }
}

/// Segments a ring holds: 64 batches.
const RING_SEGMENTS: usize = 4_096;
