//! What holds for any bytes at all; shared by the tests and the fuzz target.

use wire::{LinkType, Packet, Skip, parse};

/// Bytes that no header written here begins with, appended as link padding.
const PADDING: [u8; 7] = [0xa5; 7];

/// A stored input: the index of its link type, then the frame.
#[allow(dead_code, reason = "the properties build their frames")]
pub(crate) fn split(input: &[u8]) -> Option<(LinkType, &[u8])> {
    let (index, frame) = input.split_first()?;
    Some((LinkType::ALL[usize::from(*index) % LinkType::ALL.len()], frame))
}

/// Parses a frame and checks what must hold of the outcome.
///
/// # Panics
/// If it does not.
pub(crate) fn check(link: LinkType, frame: &[u8]) -> Result<Packet<'_>, Skip> {
    let outcome = parse(link, frame);
    if let Ok(packet) = &outcome {
        check_packet(frame, packet);
        let padded = [frame, &PADDING].concat();
        let again = parse(link, &padded).expect("padding hides no header");
        assert_eq!(located(&again), located(packet), "padding changed a header of {frame:x?}");
    }
    outcome
}

fn check_packet(frame: &[u8], packet: &Packet<'_>) {
    if !packet.payload.is_empty() {
        let (whole, part) = (frame.as_ptr_range(), packet.payload.as_ptr_range());
        assert!(whole.start <= part.start && part.end <= whole.end, "payload outside {frame:x?}");
    }
    let captured = u32::try_from(packet.payload.len()).expect("frames are short");
    assert!(captured <= packet.payload_len, "more payload than the length says: {frame:x?}");
    // An IP header and a TCP header were somewhere before it.
    assert!(packet.payload.len() + 40 <= frame.len());
    let is_none = packet.tcp.options.layout == 0;
    assert!(!is_none || packet.tcp.options.mss.is_none(), "an option without a kind: {frame:x?}");
    let _ = packet.checksum();
}

/// What the fixed headers say: all of it independent of what follows the packet.
pub(crate) fn located(packet: &Packet<'_>) -> String {
    let tcp = packet.tcp;
    let fixed = (tcp.source_port, tcp.destination_port, tcp.seq, tcp.ack, tcp.flags, tcp.window);
    format!("{:?} {:?} {fixed:?} {}", packet.path, packet.ip, tcp.urgent)
}
