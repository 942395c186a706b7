//! Packets and comments as a capture file (draft-ietf-opsawg-pcapng): a section, an Ethernet interface
//! with nanoseconds, and a packet block for each packet. Little endian.

use super::comments::Comments;
use super::{Evidence, EvidencePacket};
use crate::event::Event;

impl Evidence {
    /// The packets as a pcapng file of one section; `event` gives the verdict and its reasons.
    ///
    /// What was not kept of a packet is missing behind its captured length, as with a short snap length:
    /// readers check no checksum over such a packet.
    #[must_use]
    pub fn to_pcapng(&self, event: Option<&Event>) -> Vec<u8> {
        let comments = match event {
            Some(event) => Comments::of(self, event).with_names_of(self, event),
            None => Comments::without_event(self),
        };
        let mut file = Vec::with_capacity(FILE_USUAL);
        section(&mut file, &comments.section);
        interface(&mut file, self.interface.as_deref());
        for (packet, comment) in self.packets.iter().zip(&comments.packets) {
            enhanced_packet(&mut file, packet, comment);
        }
        file
    }
}

fn section(file: &mut Vec<u8>, comment: &str) {
    block(file, SECTION_HEADER, |body| {
        body.extend(BYTE_ORDER.to_le_bytes());
        body.extend([1, 0, 0, 0]);
        // Its length is not given.
        body.extend([0xff; 8]);
        option(body, COMMENT, comment.as_bytes());
        option(body, USER_APPLICATION, concat!("rstscope ", env!("CARGO_PKG_VERSION")).as_bytes());
        end_of_options(body);
    });
}

fn interface(file: &mut Vec<u8>, name: Option<&str>) {
    block(file, INTERFACE_DESCRIPTION, |body| {
        body.extend(ETHERNET.to_le_bytes());
        // Reserved; no snap length.
        body.extend([0; 6]);
        if let Some(name) = name {
            option(body, INTERFACE_NAME, name.as_bytes());
        }
        option(body, TIME_RESOLUTION, &[NANOSECONDS]);
        end_of_options(body);
    });
}

fn enhanced_packet(file: &mut Vec<u8>, packet: &EvidencePacket, comment: &str) {
    let kept = packet.bytes.get(..PACKET_MAX).unwrap_or(&packet.bytes);
    block(file, ENHANCED_PACKET, |body| {
        // The only interface.
        body.extend([0; 4]);
        body.extend(((packet.ts.0 >> 32) as u32).to_le_bytes());
        body.extend((packet.ts.0 as u32).to_le_bytes());
        body.extend((kept.len() as u32).to_le_bytes());
        body.extend(packet.len.max(kept.len() as u32).to_le_bytes());
        padded(body, kept);
        if !comment.is_empty() {
            option(body, COMMENT, comment.as_bytes());
            end_of_options(body);
        }
    });
}

/// A block: its type, its length before and behind its body.
fn block(file: &mut Vec<u8>, kind: u32, fill: impl FnOnce(&mut Vec<u8>)) {
    let start = file.len();
    file.extend(kind.to_le_bytes());
    file.extend([0; 4]);
    fill(file);
    let len = ((file.len() - start + 4) as u32).to_le_bytes();
    file[start + 4..start + 8].copy_from_slice(&len);
    file.extend(len);
}

fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    let value = &value[..end_of_text(value)];
    body.extend(code.to_le_bytes());
    body.extend((value.len() as u16).to_le_bytes());
    padded(body, value);
}

/// Where a value that is too long for an option is cut: before a character.
fn end_of_text(value: &[u8]) -> usize {
    let mut end = value.len().min(OPTION_MAX);
    while end < value.len() && end > 0 && value[end] & 0xc0 == 0x80 {
        end -= 1;
    }
    end
}

fn end_of_options(body: &mut Vec<u8>) {
    body.extend([0; 4]);
}

fn padded(body: &mut Vec<u8>, bytes: &[u8]) {
    body.extend(bytes);
    body.resize(body.len().next_multiple_of(4), 0);
}

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const BYTE_ORDER: u32 = 0x1a2b_3c4d;
const INTERFACE_DESCRIPTION: u32 = 1;
const ENHANCED_PACKET: u32 = 6;
/// LINKTYPE_ETHERNET.
const ETHERNET: u16 = 1;
const COMMENT: u16 = 1;
const USER_APPLICATION: u16 = 4;
const INTERFACE_NAME: u16 = 2;
const TIME_RESOLUTION: u16 = 9;
/// 10^-9 s.
const NANOSECONDS: u8 = 9;
/// An option's length has 16 bits.
const OPTION_MAX: usize = u16::MAX as usize - 3;
/// What any reader takes (the snap length of tcpdump).
const PACKET_MAX: usize = 262_144;
/// Sixteen packets with their comments.
const FILE_USUAL: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::super::ladder::tests::evidence;

    /// Types and bodies of the blocks of a file; panics if their lengths do not fit.
    fn blocks(mut file: &[u8]) -> Vec<(u32, &[u8])> {
        let mut blocks = Vec::new();
        while !file.is_empty() {
            let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
            let len = word(4) as usize;
            assert!(len.is_multiple_of(4) && len <= file.len());
            assert_eq!(word(len - 4) as usize, len, "both lengths agree");
            blocks.push((word(0), &file[8..len - 4]));
            file = &file[len..];
        }
        blocks
    }

    #[test]
    fn every_packet_is_a_block_of_its_own() {
        let evidence = evidence();
        let file = evidence.to_pcapng(None);
        let kinds: Vec<u32> = blocks(&file).iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, [0x0a0d_0d0a, 1, 6, 6, 6, 6, 6]);
        let text = String::from_utf8_lossy(&file);
        assert!(text.contains("eth1") && text.contains("The reset that was judged."));
    }

    #[test]
    fn a_cut_packet_says_how_long_it_was() {
        let evidence = evidence();
        let file = evidence.to_pcapng(None);
        let (_, request) = blocks(&file)[5];
        assert_eq!(request[12..20], [54, 0, 0, 0, 254, 0, 0, 0]);
    }

    #[test]
    fn an_endless_comment_is_cut_before_a_character() {
        let mut evidence = evidence();
        evidence.event = "ä".repeat(60_000);
        let file = evidence.to_pcapng(None);
        assert_eq!(blocks(&file).len(), 7);
    }
}
