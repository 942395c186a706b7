//! What a verdict says beside which packet.

use std::fmt::Write as _;

use wire::Packet;

use super::frame::headers;
use super::{Evidence, EvidencePacket};
use crate::event::{Event, Side};
use crate::explain::headline;
use crate::sentence::{sentence, span_text, thousands};

/// Comments of a capture file.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Comments {
    /// On the whole.
    pub(super) section: String,
    /// On each packet; "" for most.
    pub(super) packets: Vec<String>,
}

impl Comments {
    /// Those of `evidence`, of whose reset `event` tells.
    pub(super) fn of(evidence: &Evidence, event: &Event) -> Self {
        let mut comments = Self { section: section(evidence, event), packets: unnamed(evidence) };
        let Some(judged) = evidence.packets.iter().position(|packet| packet.is_judged) else {
            return comments;
        };
        let (before, after) = evidence.packets.split_at(judged);
        let mut say = |index: usize, text: &str| {
            let comment = &mut comments.packets[index];
            if !comment.is_empty() {
                comment.push('\n');
            }
            comment.push_str(text);
        };
        say(judged, &reasons(event));
        if let Some(index) = last_from(before, event.claimed)
            && let Some(text) = own_packets(event)
        {
            say(index, &text);
        }
        if let Some(index) = answered(before, &evidence.packets[judged], event.claimed) {
            say(index, "The reset acknowledges exactly what this packet ends with.");
        }
        if let (Some(index), Some(idle_s)) = (judged.checked_sub(1), event.idle_before_s)
            && idle_s >= WORTH_SAYING_S
        {
            say(index, &format!("After this nothing for {}.", span_text(idle_s)));
        }
        if after.len() > 1 {
            say(judged + 1, "Came after the reset.");
        }
        comments
    }

    /// Those of evidence whose event is not at hand.
    pub(super) fn without_event(evidence: &Evidence) -> Self {
        let mut packets = unnamed(evidence);
        for (comment, packet) in packets.iter_mut().zip(&evidence.packets) {
            if packet.is_judged {
                "The reset that was judged.".clone_into(comment);
            }
        }
        Self { section: format!("Event {}. {}", evidence.event, left_out(evidence)), packets }
    }
}

fn unnamed(evidence: &Evidence) -> Vec<String> {
    vec![String::new(); evidence.packets.len()]
}

fn section(evidence: &Evidence, event: &Event) -> String {
    format!(
        "{}\nClient {} to server {}, Community ID {}, event {}. {}",
        headline(event),
        event.client,
        event.server,
        event.community_id,
        event.id,
        left_out(evidence)
    )
}

/// What whoever opens the file must not take for the wire's doing.
fn left_out(evidence: &Evidence) -> String {
    let omitted = match evidence.omitted {
        Some(0) => "Every packet before the reset was kept".to_owned(),
        Some(1) => "One packet before the reset was not kept".to_owned(),
        Some(count) => format!("{} packets before the reset were not kept", thousands(count)),
        None => "How many packets before the reset were not kept is not known".to_owned(),
    };
    let is_cut = |packet: &EvidencePacket| (packet.bytes.len() as u64) < u64::from(packet.len);
    let cut = if evidence.packets.iter().any(is_cut) {
        " Packets were cut behind their headers by the sensor, not on the wire."
    } else {
        ""
    };
    format!("{omitted}.{cut}")
}

/// The verdict with its reasons, the strongest first.
fn reasons(event: &Event) -> String {
    let mut text = headline(event);
    let mut weighed: Vec<_> = event.verdict.evidence.iter().collect();
    weighed.sort_by(|a, b| b.decibans.abs().total_cmp(&a.decibans.abs()));
    for item in weighed.iter().take(REASONS_MAX) {
        let number = item.e.as_deref().map_or_else(String::new, |number| format!(" {number}"));
        let weight = match item.decibans {
            0.0 => "seen".to_owned(),
            decibans => format!("{decibans:+.0} dB"),
        };
        let _ = write!(text, "\n{weight}{number}: {}.", sentence(item));
    }
    if weighed.len() > REASONS_MAX {
        let _ = write!(text, "\nand {} more", weighed.len() - REASONS_MAX);
    }
    text
}

/// What the named sender's own packets looked like.
fn own_packets(event: &Event) -> Option<String> {
    let peer = event.peer.as_ref()?;
    let mut text = format!(
        "The {}'s own packets: hop limit {} (the reset: {})",
        event.claimed.name(),
        peer.ttl,
        event.rst.ttl
    );
    if let (Some(id), Some(rst)) = (peer.ip_id, event.rst.ip_id) {
        let _ = write!(text, ", IP ID {id} (the reset: {rst})");
    }
    let _ = write!(text, ", window {} (the reset: {})", peer.window, event.rst.window);
    let _ = write!(text, ", n={}.", thousands(peer.packets));
    Some(text)
}

/// The last packet that bears the side's address and is no reset, which anybody may have sent.
fn last_from(packets: &[EvidencePacket], side: Side) -> Option<usize> {
    packets.iter().rposition(|packet| {
        let is_reset = headers(&packet.bytes).is_some_and(|packet| packet.tcp.flags.rst());
        packet.from == side && !is_reset
    })
}

/// The packet of the other side that the reset answers: it ends at the number acknowledged.
fn answered(before: &[EvidencePacket], judged: &EvidencePacket, claimed: Side) -> Option<usize> {
    let reset = headers(&judged.bytes).filter(|reset| reset.tcp.flags.ack())?;
    let end = |packet: &Packet<'_>| {
        let controls = u32::from(packet.tcp.flags.syn()) + u32::from(packet.tcp.flags.fin());
        packet.tcp.seq + packet.payload_len + controls
    };
    before.iter().rposition(|packet| {
        packet.from != claimed
            && headers(&packet.bytes)
                .is_some_and(|packet| !packet.tcp.flags.rst() && end(&packet) == reset.tcp.ack)
    })
}

/// More than that is for the proof sheet.
const REASONS_MAX: usize = 12;
/// Shorter silences are in every connection.
const WORTH_SAYING_S: f64 = 1.0;

#[cfg(test)]
mod tests {
    use super::super::frame::tests::frame;
    use super::super::ladder::tests::evidence;
    use super::*;

    #[test]
    fn a_reset_is_nobodys_own_packet() {
        let packets = evidence().packets;
        let (before, judged) = (&packets[..4], &packets[4]);
        assert_eq!(last_from(before, Side::Server), Some(1));
        assert_eq!(answered(before, judged, Side::Server), Some(3));
        // Two resets in front of it, one from either address, which end where the others do.
        let forged = |from, bytes| EvidencePacket { from, bytes, ..judged.clone() };
        let mut before = before.to_vec();
        before.push(forged(Side::Server, frame(false, 0x14, [5001, 1201], 62, 0)));
        before.push(forged(Side::Client, frame(true, 0x14, [1201, 5001], 62, 0)));
        assert_eq!(last_from(&before, Side::Server), Some(1));
        assert_eq!(answered(&before, judged, Side::Server), Some(3));
    }
}
