//! Packets as a ladder: time downwards, the client on the left, the server on the right.

use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wire::{Packet, SeqNumber};

use super::frame::headers;
use super::{Evidence, EvidencePacket};
use crate::event::{Endpoint, Side};
use crate::sentence::thousands;

/// One packet of a ladder.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct LadderRung {
    /// Seconds since the first one.
    pub after_s: f64,
    /// `client` or `server`: whose address it bears.
    pub from: Side,
    /// Control bits as letters.
    pub flags: String,
    /// Sequence number relative to the first of that side.
    pub seq: u32,
    /// Acknowledgment relative to the other side's first; absent without ACK.
    pub ack: Option<u32>,
    /// Payload bytes.
    pub len: u32,
    /// TTL or hop limit.
    pub ttl: u8,
    /// IPv4 identification.
    pub ip_id: Option<u16>,
    /// Window as sent.
    pub window: u16,
    /// Whether it is the reset that was judged.
    pub is_judged: bool,
    /// Packets left out before it, as far as their number is known.
    pub omitted_before: u64,
    /// Whether packets were left out before it, or may have been.
    pub is_gap: bool,
}

impl Evidence {
    /// The packets as rows of a ladder; those whose TCP header was not kept are left out.
    #[must_use]
    pub fn ladder(&self) -> Vec<LadderRung> {
        let first = self.packets.first().map_or(self.ts, |packet| packet.ts);
        let read: Vec<_> = self
            .packets
            .iter()
            .filter_map(|packet| headers(&packet.bytes).map(|headers| (packet, headers)))
            .collect();
        let heads: Vec<(Side, &Packet<'_>)> =
            read.iter().map(|(packet, headers)| (packet.from, headers)).collect();
        let bases = [Side::Client, Side::Server].map(|side| base(&heads, side));
        let gap = gap(&heads);
        let rung = |(index, (packet, headers)): (usize, &(&EvidencePacket, Packet<'_>))| {
            let (own, other) =
                (bases[packet.from as usize], bases[packet.from.opposite() as usize]);
            let tcp = &headers.tcp;
            LadderRung {
                after_s: packet.ts.seconds_since(first),
                from: packet.from,
                flags: format!("{:?}", tcp.flags),
                seq: tcp.seq.0.wrapping_sub(own.0),
                ack: tcp.flags.ack().then_some(tcp.ack.0.wrapping_sub(other.0)),
                len: headers.payload_len,
                ttl: headers.ip.hop_limit,
                ip_id: (!headers.ip.is_v6).then_some(headers.ip.identification),
                window: tcp.window,
                is_judged: packet.is_judged,
                omitted_before: if index == gap { self.omitted.unwrap_or(0) } else { 0 },
                is_gap: index == gap && self.omitted != Some(0),
            }
        };
        read.iter().enumerate().map(rung).collect()
    }
}

/// Where a side's numbers begin: at its first packet, or at what the other side acknowledged before.
/// Resets may bear any number, so they are asked last.
fn base(packets: &[(Side, &Packet<'_>)], side: Side) -> SeqNumber {
    let genuine = packets.iter().filter(|(_, packet)| !packet.tcp.flags.rst());
    let own = genuine.clone().find(|(from, _)| *from == side).map(|(_, packet)| packet.tcp.seq);
    let acked = genuine
        .clone()
        .find(|(from, packet)| *from != side && packet.tcp.flags.ack())
        .map(|(_, packet)| packet.tcp.ack);
    match (own, acked) {
        (Some(own), Some(acked)) if acked.distance_from(own) < 0 => acked,
        (Some(first), _) | (None, Some(first)) => first,
        (None, None) => packets
            .iter()
            .find(|(from, _)| *from == side)
            .map_or(SeqNumber(0), |(_, packet)| packet.tcp.seq),
    }
}

/// Before which packet those that were not kept must have come: the first whose numbers are ahead of
/// all that was seen; else behind the handshake, or before all.
fn gap(packets: &[(Side, &Packet<'_>)]) -> usize {
    let mut next: [Option<SeqNumber>; 2] = [None, None];
    for (index, (side, packet)) in packets.iter().enumerate() {
        let tcp = &packet.tcp;
        if tcp.flags.rst() {
            continue;
        }
        let is_ahead = |known: Option<SeqNumber>, number: SeqNumber| {
            known.is_some_and(|known| number.distance_from(known) > 0)
        };
        let other = next[side.opposite() as usize];
        if is_ahead(next[*side as usize], tcp.seq) || (tcp.flags.ack() && is_ahead(other, tcp.ack))
        {
            return index;
        }
        let controls = u32::from(tcp.flags.syn()) + u32::from(tcp.flags.fin());
        let end = tcp.seq + packet.payload_len + controls;
        let known = next[*side as usize].filter(|known| known.distance_from(end) > 0);
        next[*side as usize] = Some(known.unwrap_or(end));
    }
    let is_opening = |(_, packet): &&(Side, &Packet<'_>)| packet.tcp.flags.syn();
    packets.iter().take_while(is_opening).count()
}

/// The ladder as text, a line a packet; "" without packets. Ends with a line feed.
#[must_use]
pub fn ladder_text(rungs: &[LadderRung], client: Endpoint, server: Endpoint) -> String {
    if rungs.is_empty() {
        return String::new();
    }
    let mut text = format!("{:>13} client {client} {:>10}server {server}\n", "seconds", "");
    for rung in rungs {
        if rung.omitted_before > 0 {
            let plural = if rung.omitted_before == 1 { "" } else { "s" };
            let count = thousands(rung.omitted_before);
            let _ = writeln!(text, "{:>15}  {count} packet{plural} not kept", '\u{22ee}');
        } else if rung.is_gap {
            let _ = writeln!(text, "{:>15}  packets not kept", '\u{22ee}');
        }
        let _ = writeln!(text, "{}", line(rung).trim_end());
    }
    text
}

fn line(rung: &LadderRung) -> String {
    let stroke = if rung.is_judged { '═' } else { '─' };
    let name = flag_names(&rung.flags);
    let rest = LANE.saturating_sub(name.chars().count() + 5);
    let strokes = |count: usize| stroke.to_string().repeat(count);
    let lane = match rung.from {
        Side::Client => format!("{} {name} {}>", strokes(2), strokes(rest)),
        Side::Server => format!("<{} {name} {}", strokes(rest), strokes(2)),
    };
    let mut facts = format!("seq {}", signed(rung.seq));
    if let Some(ack) = rung.ack {
        let _ = write!(facts, " ack {}", signed(ack));
    }
    if rung.len > 0 {
        let _ = write!(facts, " len {}", rung.len);
    }
    let _ = write!(facts, " win {}", rung.window);
    let mut origin = format!("ttl {}", rung.ttl);
    if let Some(id) = rung.ip_id {
        let _ = write!(origin, " id {id}");
    }
    let judged = if rung.is_judged { "  <- judged" } else { "" };
    format!("{:>13.6} |{lane}| {facts:<36} {origin}{judged}", rung.after_s)
}

/// A number that may lie before the first one that was seen.
const fn signed(number: u32) -> i32 {
    number as i32
}

/// `SA` as people say it: `SYN ACK`.
fn flag_names(letters: &str) -> String {
    let names =
        [('S', "SYN"), ('F', "FIN"), ('R', "RST"), ('P', "PSH"), ('A', "ACK"), ('U', "URG")];
    let known = names.iter().filter(|(letter, _)| letters.contains(*letter)).map(|(_, name)| *name);
    known.collect::<Vec<_>>().join(" ")
}

/// Columns between the two sides.
const LANE: usize = 24;

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::evidence::frame::tests::frame;
    use crate::time::UtcTime;

    /// A handshake, a request, and a reset that is not the server's.
    pub(in crate::evidence) fn evidence() -> Evidence {
        let packet = |after_us: u64, from, bytes: Vec<u8>, is_judged| EvidencePacket {
            ts: UtcTime(1_700_000_000_000_000_000 + after_us * 1_000),
            from,
            len: bytes.len() as u32,
            bytes,
            is_judged,
        };
        let request = frame(true, 0x18, [1001, 5001], 64, 200);
        let mut packets = vec![
            packet(0, Side::Client, frame(true, 0x02, [1000, 0], 64, 0), false),
            packet(18_000, Side::Server, frame(false, 0x12, [5000, 1001], 57, 0), false),
            packet(18_100, Side::Client, frame(true, 0x10, [1001, 5001], 64, 0), false),
            packet(18_200, Side::Client, request, false),
            packet(18_500, Side::Server, frame(false, 0x14, [5001, 1201], 62, 0), true),
        ];
        packets[3].bytes.truncate(54);
        Evidence {
            schema: crate::SCHEMA,
            event: "0011223344556677".to_owned(),
            ts: packets[4].ts,
            client: Endpoint { ip: [10, 1, 2, 3].into(), port: 40000 },
            server: Endpoint { ip: [192, 168, 0, 9].into(), port: 443 },
            interface: Some("eth1".to_owned()),
            packets,
            omitted: None,
        }
    }

    #[test]
    fn numbers_are_relative_and_lengths_those_of_the_wire() {
        let rungs = evidence().ladder();
        let numbers: Vec<_> = rungs.iter().map(|rung| (rung.seq, rung.ack, rung.len)).collect();
        let expected =
            [(0, None, 0), (0, Some(1), 0), (1, Some(1), 0), (1, Some(1), 200), (1, Some(201), 0)];
        assert_eq!(numbers, expected);
        assert_eq!((rungs[4].ttl, rungs[4].is_judged, &*rungs[4].flags), (62, true, "RA"));
    }

    #[test]
    fn what_was_left_out_stands_where_the_numbers_jump() {
        let mut evidence = evidence();
        evidence.omitted = Some(7);
        let before =
            |rungs: &[LadderRung]| rungs.iter().position(|rung| rung.omitted_before == 7).unwrap();
        assert_eq!(before(&evidence.ladder()), 2, "no jump: behind the handshake");
        evidence.packets[3].bytes = frame(true, 0x18, [9001, 5001], 64, 0);
        assert_eq!(before(&evidence.ladder()), 3);
        evidence.packets.drain(..4);
        assert_eq!(before(&evidence.ladder()), 0);
    }

    #[test]
    fn a_gap_of_unknown_size_is_a_gap() {
        let mut evidence = evidence();
        for (omitted, gaps, line) in [
            (None, vec![2], "  packets not kept"),
            (Some(1), vec![2], "  1 packet not kept"),
            (Some(0), vec![], ""),
        ] {
            evidence.omitted = omitted;
            let rungs = evidence.ladder();
            let told: Vec<usize> = (0..rungs.len()).filter(|&index| rungs[index].is_gap).collect();
            assert_eq!(told, gaps, "{omitted:?}");
            let text = ladder_text(&rungs, evidence.client, evidence.server);
            let said = text.lines().find(|line| line.contains("not kept")).unwrap_or("");
            assert!(said.ends_with(line) && said.is_empty() == line.is_empty(), "{text}");
        }
    }

    #[test]
    fn a_ladder_reads_downwards() {
        let evidence = evidence();
        let text = ladder_text(&evidence.ladder(), evidence.client, evidence.server);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 7, "with the gap");
        assert!(lines[1].contains("SYN") && lines[1].contains('>'), "{text}");
        assert!(lines[6].contains("<═") && lines[6].ends_with("judged"), "{text}");
        assert_eq!(ladder_text(&[], evidence.client, evidence.server), "");
    }

    #[test]
    fn packets_without_a_tcp_header_are_left_out() {
        let mut evidence = evidence();
        evidence.packets[0].bytes.truncate(20);
        assert_eq!(evidence.ladder().len(), 4);
        evidence.packets.clear();
        assert!(evidence.ladder().is_empty());
    }
}
