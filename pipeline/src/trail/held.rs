//! The packets of findings, in the exporter, until the verdict is told.

use std::collections::VecDeque;

use events::{Event, Evidence, EvidencePacket, SCHEMA, Side, UtcTime, ethernet_headers};
use flowtable::{Direction, FlowRecord, RoleSource, Sight, Watch};
use hashbrown::HashMap;
use wire::LinkType;

use super::{Head, Packets};
use crate::window::Window;

/// Headers of the packets of findings on hold; bounded in bytes, the oldest give way.
#[derive(Debug)]
pub(crate) struct HeldTrails {
    /// By number, with the bytes that each takes.
    trails: HashMap<u64, (Vec<Packet>, usize)>,
    /// Numbers, the oldest first; some are gone.
    ages: VecDeque<u64>,
    last: u64,
    bytes: usize,
    payload_max: usize,
    dropped: u64,
}

/// A packet without what is not told of it.
#[derive(Debug)]
struct Packet {
    time: u64,
    direction: Direction,
    len: u32,
    bytes: Vec<u8>,
    is_judged: bool,
}

impl HeldTrails {
    pub(crate) fn new(payload_max: usize) -> Self {
        let (trails, ages) = (HashMap::new(), VecDeque::new());
        Self { trails, ages, last: 0, bytes: 0, payload_max, dropped: 0 }
    }

    /// Bytes held at most, if packets are kept.
    pub(crate) const fn memory_bytes(is_kept: bool) -> usize {
        if is_kept { HELD_BYTES_MAX } else { 0 }
    }

    /// Trails that gave way.
    pub(crate) const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Takes the packets of all findings out of a window; each finding bears the number of its own then.
    pub(crate) fn take_in(&mut self, window: &mut Window) {
        let packets = &window.packets;
        for finding in &mut window.findings {
            let Packets { start, len, judged } = finding.packets;
            let (start, len) = (start as usize, usize::from(len));
            if let Some(heads @ [_, ..]) = packets.get(start..start + len) {
                finding.trail = self.hold(heads, judged);
            }
        }
    }

    fn hold(&mut self, heads: &[Head], judged: u8) -> u64 {
        let packet = |(index, head): (usize, &Head)| {
            let Head { time, direction, link, len, .. } = *head;
            let (bytes, len) = ethernet_headers(link, head.bytes(), len, self.payload_max)?;
            let is_judged = index == usize::from(judged);
            Some(Packet { time: time.0, direction, len, bytes, is_judged })
        };
        let trail: Vec<Packet> = heads.iter().enumerate().filter_map(packet).collect();
        let bytes = trail.iter().map(|packet| packet.bytes.len() + PACKET_BYTES).sum::<usize>();
        self.last += 1;
        self.bytes += bytes;
        self.trails.insert(self.last, (trail, bytes));
        self.ages.push_back(self.last);
        while self.bytes > HELD_BYTES_MAX
            && let Some(oldest) = self.ages.pop_front()
        {
            self.dropped += u64::from(self.release(oldest).is_some());
        }
        self.last
    }

    /// The evidence of a finding of which `event` tells; `None` if no packet of it was kept.
    pub(crate) fn evidence(
        &mut self,
        trail: u64,
        watch: &Watch,
        event: &Event,
    ) -> Option<Evidence> {
        let mut trail = self.release(trail)?;
        let client = watch.before.client();
        trail.drain(..beginning(&trail, &watch.before));
        // Records do not count resets among the packets of a side.
        let before = trail.iter().take_while(|packet| !packet.is_judged);
        let before = before.filter(|packet| !packet.is_reset()).count() as u64;
        let packets = trail.into_iter().map(|packet| EvidencePacket {
            ts: UtcTime(packet.time),
            from: if packet.direction == client { Side::Client } else { Side::Server },
            len: packet.len,
            bytes: packet.bytes,
            is_judged: packet.is_judged,
        });
        Some(Evidence {
            schema: SCHEMA,
            event: event.id.clone(),
            ts: event.ts,
            client: event.client,
            server: event.server,
            interface: event.interface.clone().or_else(|| event.file.clone()),
            packets: packets.collect(),
            omitted: seen(&watch.before, watch.sight).map(|seen| seen.saturating_sub(before)),
        })
    }

    /// Forgets a finding's packets: it is not told.
    pub(crate) fn forget(&mut self, trail: u64) {
        self.release(trail);
    }

    fn release(&mut self, trail: u64) -> Option<Vec<Packet>> {
        let (packets, bytes) = self.trails.remove(&trail)?;
        self.bytes -= bytes;
        // Told in about the order they came: those in front are gone first.
        while self.ages.front().is_some_and(|oldest| !self.trails.contains_key(oldest)) {
            self.ages.pop_front();
        }
        Some(packets)
    }
}

impl Packet {
    /// Its headers; `None` if they were not kept.
    fn headers(&self) -> Option<wire::Packet<'_>> {
        wire::parse(LinkType::Ethernet, &self.bytes).ok()
    }

    fn is_reset(&self) -> bool {
        self.headers().is_some_and(|packet| packet.tcp.flags.rst())
    }
}

/// Where the connection of a reset begins among packets of its 4-tuple, which may have carried others
/// before: at its SYN, or, where that was not kept, in the second in which it was opened.
fn beginning(trail: &[Packet], record: &FlowRecord) -> usize {
    let client = record.client();
    let before = trail.iter().take_while(|packet| !packet.is_judged).count();
    let is_own_syn = |packet: &Packet| {
        packet.direction == client
            && packet.headers().is_some_and(|packet| {
                let flags = packet.tcp.flags;
                // Any other SYN was not believed.
                flags.syn() && !flags.ack() && packet.tcp.seq == record.initial(client)
            })
    };
    match trail[..before].iter().rposition(is_own_syn) {
        // With those that were sent again.
        Some(last) => {
            last - trail[..last].iter().rev().take_while(|packet| is_own_syn(packet)).count()
        }
        None if record.is_reused() => {
            let opened = u64::from(record.opened_s()) * 1_000_000_000;
            trail[..before].iter().take_while(|packet| packet.time < opened).count()
        }
        None => 0,
    }
}

/// Packets of the connection that came before, resets apart; `None` where they were not counted.
fn seen(before: &FlowRecord, sight: Sight) -> Option<u64> {
    let sides = [Direction::FromLow, Direction::FromHigh].map(|side| before.side(side).packets);
    // What passed before the first packet seen nobody counted, unless that was the beginning.
    let is_whole = sight == Sight::Whole && before.role_source() != RoleSource::Port;
    let is_counted = is_whole && !sides.contains(&u8::MAX);
    is_counted.then(|| sides.iter().map(|&packets| u64::from(packets)).sum())
}

/// 12,000 resets with sixteen packets each.
const HELD_BYTES_MAX: usize = 24 << 20;
/// What a packet takes besides its bytes.
const PACKET_BYTES: usize = size_of::<Packet>();
