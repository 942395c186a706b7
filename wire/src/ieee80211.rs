//! 802.11 data frames, plain and behind radiotap (IEEE 802.11-2020, section 9.2; radiotap.org).

use crate::field::{be16, bound, skip, take};
use crate::walk::Layer;
use crate::{Path, Skip};

/// Words of presence bits a radiotap header may have: one per antenna and a few more.
const PRESENCE_WORDS_MAX: usize = 16;
/// Radiotap flag: the header is padded to four bytes before the payload.
const FLAG_DATA_PAD: u8 = 0x20;

/// Opens an 802.11 frame.
pub(crate) fn open<'b>(bytes: &'b [u8], path: &mut Path) -> Result<Layer<'b>, Skip> {
    open_padded(bytes, false, path)
}

/// Opens a radiotap header and the frame behind it.
pub(crate) fn open_radiotap<'b>(bytes: &'b [u8], path: &mut Path) -> Result<Layer<'b>, Skip> {
    let (header, _) = take::<8>(bytes)?;
    let header_len = usize::from(u16::from_le_bytes([header[2], header[3]]));
    if header[0] != 0 || header_len < 8 {
        return Err(Skip::BadLength);
    }
    let (radiotap, frame) = bytes.split_at_checked(header_len).ok_or(Skip::Truncated)?;
    let flags = radiotap_flags(radiotap).unwrap_or(0);
    open_padded(frame, flags & FLAG_DATA_PAD != 0, path)
}

/// The flags field, if present: the second field, behind all presence words and an eight-byte
/// clock that is aligned to eight.
fn radiotap_flags(radiotap: &[u8]) -> Option<u8> {
    let presence = radiotap.get(4..)?.first_chunk().map(|word| u32::from_le_bytes(*word))?;
    if presence & 2 == 0 {
        return None;
    }
    let words = radiotap.get(4..)?.chunks_exact(4);
    let more = words.take(PRESENCE_WORDS_MAX).take_while(|word| word[3] & 0x80 != 0).count();
    let mut at = 4 + 4 * (more + 1);
    if presence & 1 != 0 {
        at = at.next_multiple_of(8) + 8;
    }
    radiotap.get(at).copied()
}

/// Opens a data frame: its header grows by a fourth address, QoS and HT control.
fn open_padded<'b>(bytes: &'b [u8], is_padded: bool, path: &mut Path) -> Result<Layer<'b>, Skip> {
    let ([control, flags], _) = take::<2>(bytes)?;
    let subtype = control >> 4;
    // Version 0, type data, and not one of the subtypes without data.
    if control & 0x0f != 0x08 || subtype & 0x4 != 0 {
        return Err(Skip::NotIp);
    }
    let (header, _) = take::<24>(bytes)?;
    let has_four_addresses = flags & 0x03 == 0x03;
    let has_qos = subtype & 0x8 != 0;
    let qos_at = if has_four_addresses { 30 } else { 24 };
    let has_ht_control = has_qos && flags & 0x80 != 0;
    let header_len = qos_at + if has_qos { 2 } else { 0 } + if has_ht_control { 4 } else { 0 };
    path.source_mac = match flags & 0x03 {
        0x02 => header[16..].first_chunk().copied(),
        0x03 => skip(bytes, 24)?.first_chunk().copied(),
        _ => header[10..].first_chunk().copied(),
    };
    if flags & 0x40 != 0 {
        return Err(Skip::Encrypted);
    }
    if header[22] & 0x0f != 0 {
        return Err(Skip::LaterFragment);
    }
    let is_aggregate = has_qos && bytes.get(qos_at).is_some_and(|qos| qos & 0x80 != 0);
    let padded_len = if is_padded { header_len.next_multiple_of(4) } else { header_len };
    let body = skip(bytes, padded_len)?;
    if is_aggregate {
        return open_first_subframe(body, path);
    }
    Ok(Layer::Llc(body))
}

/// Opens the first subframe of an A-MSDU: two addresses, a length, LLC. The later ones are other
/// packets; one frame gives one.
fn open_first_subframe<'b>(bytes: &'b [u8], path: &mut Path) -> Result<Layer<'b>, Skip> {
    let ([_, _, _, _, _, _, source @ .., high, low], rest) = take::<14>(bytes)?;
    path.source_mac = Some(*source);
    Ok(Layer::Llc(bound(rest, usize::from(be16(*high, *low)))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LinkType, frames, parse};

    const SNAP: [u8; 8] = [0xaa, 0xaa, 3, 0, 0, 0, 8, 0];
    const ADDRESSES: [u8; 18] = [1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3];

    fn frame(control: u8, flags: u8, after: &[u8]) -> Vec<u8> {
        let packet = frames::ipv4(6, &frames::tcp(&[], b"x"));
        let start = [control, flags, 0, 0];
        let checksum = [9, 9, 9, 9];
        [&start[..], &ADDRESSES, &[0, 0], after, &SNAP, &packet, &checksum].concat()
    }

    #[test]
    fn addresses_follow_the_direction() {
        let cases: [(u8, u8, &[u8], u8); 6] = [
            (0x08, 0x01, &[], 2),
            (0x08, 0x02, &[], 3),
            (0x08, 0x00, &[], 2),
            (0x08, 0x03, &[4; 6], 4),
            (0x88, 0x01, &[0, 0], 2),
            (0x88, 0x81, &[0, 0, 0, 0, 0, 0], 2),
        ];
        for (control, flags, after, source) in cases {
            let frame = frame(control, flags, after);
            let packet = parse(LinkType::Ieee80211, &frame).unwrap();
            assert_eq!(packet.path.source_mac, Some([source; 6]));
            assert_eq!(packet.payload, b"x");
        }
    }

    #[test]
    fn the_first_subframe_of_an_aggregate_is_read() {
        let subframe = [&[0x80, 0][..], &[7; 6], &[8; 6], &[0, 49]].concat();
        let frame = frame(0x88, 0x01, &subframe);
        let packet = parse(LinkType::Ieee80211, &frame).unwrap();
        assert_eq!(packet.path.source_mac, Some([8; 6]));
        assert_eq!(packet.payload, b"x");
    }

    #[test]
    fn beacons_null_data_and_protected_frames_are_told_apart() {
        let skip_of =
            |control, flags| parse(LinkType::Ieee80211, &frame(control, flags, &[])).unwrap_err();
        assert_eq!(skip_of(0x80, 0), Skip::NotIp);
        assert_eq!(skip_of(0x48, 1), Skip::NotIp);
        assert_eq!(skip_of(0x08, 0x41), Skip::Encrypted);
    }

    #[test]
    fn radiotap_is_stepped_over_and_its_padding_too() {
        let plain = [&[0, 0, 8, 0, 0, 0, 0, 0][..], &frame(0x88, 1, &[0, 0])].concat();
        assert_eq!(parse(LinkType::Radiotap, &plain).unwrap().payload, b"x");
        // Two presence words, a clock aligned to eight, then the flags: padded data.
        let mut header = vec![0, 0, 25, 0, 3, 0, 0, 0x80, 0, 0, 0, 0];
        header.extend([0; 4 + 8]);
        header.push(FLAG_DATA_PAD);
        let padded = [&header[..], &frame(0x88, 1, &[0, 0, 0, 0])].concat();
        assert_eq!(parse(LinkType::Radiotap, &padded).unwrap().payload, b"x");
        let short = [0, 0, 7, 0, 0, 0, 0, 0];
        assert_eq!(parse(LinkType::Radiotap, &short).unwrap_err(), Skip::BadLength);
    }
}
