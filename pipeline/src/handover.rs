//! Segments that arrived at another worker than the one that owns their flow.
//!
//! Where the card cannot be made to send both directions of a connection to one queue, the worker
//! that receives a packet reads it and passes the facts on through a bounded ring to the owner. One
//! ring for each ordered pair of workers, so each has one producer and one consumer.

use flowtable::FlowHash;
use rtrb::{Consumer, Producer, RingBuffer};

use crate::shard::Staged;

/// One worker's rings.
pub(crate) struct Handover {
    own: usize,
    /// Rings to the other workers, by their index; none to itself.
    to: Vec<Option<Producer<Staged>>>,
    from: Vec<Consumer<Staged>>,
    /// The ring that is looked at first: each has its turn.
    next: usize,
}

/// Who gets a flow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sharding {
    /// Whoever received it: the card sends both directions to one queue, or there is one queue.
    ByQueue,
    /// The owner of its hash.
    ByHash,
}

impl Handover {
    /// The ends for `workers` workers.
    pub(crate) fn mesh(workers: usize, sharding: Sharding) -> Vec<Self> {
        let mut ends: Vec<Self> = (0..workers)
            .map(|own| Self {
                own,
                to: (0..workers).map(|_| None).collect(),
                from: Vec::new(),
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
                ends[sender].to[receiver] = Some(producer);
                ends[receiver].from.push(consumer);
            }
        }
        ends
    }

    /// A worker alone.
    pub(crate) const fn alone() -> Self {
        Self { own: 0, to: Vec::new(), from: Vec::new(), next: 0 }
    }

    /// Bytes of the rings that end here.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.from.len() * RING_SEGMENTS * size_of::<Staged>()
    }

    /// Whether a flow is this worker's.
    pub(crate) fn is_ours(&self, hash: FlowHash) -> bool {
        self.to.len() < 2 || self.owner(hash) == self.own
    }

    /// Passes a segment to its owner; false if the ring is full, which is a loss.
    pub(crate) fn send(&mut self, staged: &Staged) -> bool {
        let owner = self.owner(staged.hash);
        match &mut self.to[owner] {
            Some(ring) => !ring.is_abandoned() && ring.push(*staged).is_ok(),
            None => false,
        }
    }

    /// Most segments that are waiting: one ring's length of each.
    pub(crate) fn waiting_max(&self) -> usize {
        self.from.len() * RING_SEGMENTS
    }

    /// The next segment that has arrived, written to `place`; false if none has.
    pub(crate) fn receive(&mut self, place: &mut Staged) -> bool {
        let rings = self.from.len();
        for _ in 0..rings {
            let ring = self.next;
            self.next = (ring + 1) % rings;
            if let Ok(staged) = self.from[ring].pop() {
                *place = staged;
                return true;
            }
        }
        false
    }

    /// Segments that nobody will take any more.
    pub(crate) fn left_behind(&self) -> u64 {
        self.from.iter().map(|ring| ring.slots() as u64).sum()
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
