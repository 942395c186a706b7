//! The packets of the latest resets, whatever becomes of those that are sent on.

use std::collections::VecDeque;
use std::sync::Arc;

use events::{Evidence, EvidencePacket};

/// Bounded in bytes; the oldest give way.
#[derive(Debug)]
pub(super) struct KeptEvidence {
    evidence: VecDeque<Arc<Evidence>>,
    bytes: usize,
    bytes_max: usize,
}

impl KeptEvidence {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { evidence: VecDeque::new(), bytes: 0, bytes_max }
    }

    /// The packets of an event, if they are still kept.
    pub(super) fn of_event(&self, id: &str) -> Option<Arc<Evidence>> {
        self.evidence.iter().rev().find(|evidence| evidence.event == id).map(Arc::clone)
    }

    pub(super) fn push(&mut self, evidence: Arc<Evidence>) {
        let bytes = bytes_of(&evidence);
        if bytes > self.bytes_max {
            return;
        }
        while self.bytes + bytes > self.bytes_max
            && let Some(oldest) = self.evidence.pop_front()
        {
            self.bytes -= bytes_of(&oldest);
        }
        self.bytes += bytes;
        self.evidence.push_back(evidence);
    }
}

/// What it takes in memory.
fn bytes_of(evidence: &Evidence) -> usize {
    let texts = evidence.event.len() + evidence.interface.as_ref().map_or(0, String::len);
    let packet = |packet: &EvidencePacket| packet.bytes.len() + size_of::<EvidencePacket>();
    size_of::<Evidence>() + texts + evidence.packets.iter().map(packet).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use events::{Endpoint, SCHEMA, Side, UtcTime};

    use super::*;

    fn evidence(id: usize) -> Evidence {
        let end = Endpoint { ip: [10, 0, 0, 1].into(), port: 1 };
        let packet = EvidencePacket {
            ts: UtcTime(0),
            from: Side::Client,
            len: 60,
            bytes: vec![0; 54],
            is_judged: true,
        };
        Evidence {
            schema: SCHEMA,
            event: format!("{id:016x}"),
            ts: UtcTime(0),
            client: end,
            server: end,
            interface: None,
            packets: vec![packet],
            omitted: None,
        }
    }

    #[test]
    fn memory_keeps_the_latest_within_its_bytes() {
        let mut kept = KeptEvidence::new(10 * bytes_of(&evidence(0)));
        (0..100).for_each(|id| kept.push(Arc::new(evidence(id))));
        let is_kept = |id: &usize| kept.of_event(&format!("{id:016x}")).is_some();
        assert!((0..100).filter(is_kept).eq(90..100));
        let mut none = KeptEvidence::new(0);
        none.push(Arc::new(evidence(1)));
        assert!(none.of_event(&format!("{:016x}", 1)).is_none());
    }
}
