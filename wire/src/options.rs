//! TCP options (IANA "TCP Option Kind Numbers"): the ones that are evidence.

use crate::SeqNumber;
use crate::field::be16;
use crate::packet::{Mptcp, TcpOptions, Timestamps};

/// Why the bytes at hand end where they do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum End {
    /// The header ends here: an option beyond it is malformed.
    Header,
    /// The capture or the fragment ends here: an option beyond it is merely unread.
    Capture,
}

/// What nearly every segment of a connection with timestamps bears: NOP, NOP, timestamps.
const USUAL_START: [u8; 4] = [1, 1, 8, 10];
/// FNV-1a, 32 bits (RFC 9923).
const HASH_START: u32 = 0x811c_9dc5;
/// FNV-1a, 32 bits.
const HASH_PRIME: u32 = 0x0100_0193;
/// The layout of [`USUAL_START`].
const USUAL_LAYOUT: u32 = layout_with(layout_with(layout_with(HASH_START, 1), 1), 8);

/// Reads the options of a header.
#[inline]
pub(crate) fn read(bytes: &[u8], end: End) -> TcpOptions {
    if bytes.is_empty() {
        return TcpOptions::default();
    }
    if let Ok(&[a, b, c, d, v0, v1, v2, v3, e0, e1, e2, e3]) = <&[u8; 12]>::try_from(bytes)
        && [a, b, c, d] == USUAL_START
    {
        let value = u32::from_be_bytes([v0, v1, v2, v3]);
        let echo = u32::from_be_bytes([e0, e1, e2, e3]);
        return TcpOptions {
            timestamps: Some(Timestamps { value, echo }),
            layout: USUAL_LAYOUT,
            ..TcpOptions::default()
        };
    }
    read_any(bytes, end)
}

/// TSval of [`USUAL_START`]; `Some(None)` without options, `None` with any others.
#[inline(always)]
pub(crate) fn usual_timestamp(bytes: &[u8]) -> Option<Option<u32>> {
    if bytes.is_empty() {
        return Some(None);
    }
    let [start @ .., v0, v1, v2, v3, _, _, _, _] = <&[u8; 12]>::try_from(bytes).ok()?;
    (*start == USUAL_START).then(|| Some(u32::from_be_bytes([*v0, *v1, *v2, *v3])))
}

/// Reads options one by one. A known option of the wrong length is passed over, as receivers do;
/// one that runs past the end ends the reading.
#[inline(never)]
fn read_any(mut bytes: &[u8], end: End) -> TcpOptions {
    let mut options = TcpOptions { layout: HASH_START, ..TcpOptions::default() };
    loop {
        match bytes {
            [] => break,
            [0, ..] => {
                options.layout = layout_with(options.layout, 0);
                break;
            }
            [1, rest @ ..] => {
                options.layout = layout_with(options.layout, 1);
                bytes = rest;
            }
            [_, len, ..] if *len < 2 => {
                options.malformed = true;
                break;
            }
            [kind, len, ..] => {
                let Some((option, rest)) = bytes.split_at_checked(usize::from(*len)) else {
                    options.malformed |= end == End::Header;
                    break;
                };
                options.layout = layout_with(options.layout, *kind);
                keep(&mut options, option);
                bytes = rest;
            }
            [_] => {
                options.malformed |= end == End::Header;
                break;
            }
        }
    }
    if options.layout == HASH_START {
        options.layout = 0;
    }
    options
}

/// Keeps what one whole option says.
fn keep(options: &mut TcpOptions, option: &[u8]) {
    match option {
        [2, 4, high, low] => options.mss = Some(be16(*high, *low)),
        [3, 3, shift] => options.window_scale = Some(*shift),
        [4, 2] => options.sack_permitted = true,
        [5, 10 | 18 | 26 | 34, blocks @ ..] => options.sack_right_edge = highest_edge(blocks),
        [8, 10, v0, v1, v2, v3, e0, e1, e2, e3] => {
            options.timestamps = Some(Timestamps {
                value: u32::from_be_bytes([*v0, *v1, *v2, *v3]),
                echo: u32::from_be_bytes([*e0, *e1, *e2, *e3]),
            });
        }
        [19, 18, ..] => options.md5 = true,
        [29, 4..=40, ..] => options.ao = true,
        [30, 3..=40, first, rest @ ..] => keep_mptcp(options, *first, rest),
        // The first form is a request for a cookie (RFC 7413, section 4.1.1).
        [34, 2 | 6..=18, ..] | [254, 4..=40, 0xf9, 0x89, ..] => options.fast_open = true,
        [2 | 3 | 4 | 5 | 8 | 19 | 29 | 30 | 34, ..] => options.malformed = true,
        _ => {}
    }
}

/// The right edge that lies furthest ahead; the first block is the most recent, not the highest
/// (RFC 2018, section 4).
fn highest_edge(blocks: &[u8]) -> Option<SeqNumber> {
    let edges = blocks.chunks_exact(8).filter_map(|block| block.last_chunk::<4>());
    edges
        .map(|edge| SeqNumber(u32::from_be_bytes(*edge)))
        .reduce(|highest, edge| if highest.is_before(edge) { edge } else { highest })
}

/// Keeps an MPTCP option (RFC 8684, section 3) unless a more telling one was met before: a reset
/// with its reason, then a fast close, then the first of the others.
fn keep_mptcp(options: &mut TcpOptions, first: u8, rest: &[u8]) {
    let said = match (first >> 4, rest) {
        (8, [reason]) => Mptcp::TcpRst { reason: *reason, transient: first & 1 != 0 },
        (7, _) => Mptcp::FastClose,
        (subtype, _) => Mptcp::Other { subtype },
    };
    let weight = |mptcp| match mptcp {
        Mptcp::Other { .. } => 1,
        Mptcp::FastClose => 2,
        Mptcp::TcpRst { .. } => 3,
    };
    if weight(said) > options.mptcp.map_or(0, weight) {
        options.mptcp = Some(said);
    }
}

/// The layout's hash with one more kind.
const fn layout_with(layout: u32, kind: u8) -> u32 {
    (layout ^ kind as u32).wrapping_mul(HASH_PRIME)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_whole(bytes: &[u8]) -> TcpOptions {
        read(bytes, End::Header)
    }

    #[test]
    fn the_options_of_a_linux_syn_are_read() {
        let syn = [2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 7, 0, 0, 0, 9, 1, 3, 3, 7];
        let options = read_whole(&syn);
        assert_eq!((options.mss, options.window_scale), (Some(1460), Some(7)));
        assert_eq!(options.timestamps, Some(Timestamps { value: 7, echo: 9 }));
        assert!(options.sack_permitted && !options.malformed);
        let kinds = [2, 4, 8, 1, 3];
        assert_eq!(options.layout, kinds.into_iter().fold(HASH_START, layout_with));
    }

    #[test]
    fn the_usual_layout_takes_the_short_way_to_the_same_answer() {
        let usual = [1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8];
        assert_eq!(read_whole(&usual), read_any(&usual, End::Header));
        assert_eq!(read_whole(&[]), TcpOptions::default());
        assert_eq!(read_any(&[], End::Header).layout, 0);
    }

    #[test]
    fn the_hash_is_fnv_1a() {
        // The published value for the single byte "a".
        assert_eq!(layout_with(HASH_START, b'a'), 0xe40c_292c);
    }

    #[test]
    fn the_highest_edge_wins_across_the_wrap() {
        let blocks = [5, 18, 0, 0, 0, 1, 0, 0, 0, 9, 0xff, 0, 0, 0, 0xff, 0, 0, 1, 1, 1];
        assert_eq!(read_whole(&blocks).sack_right_edge, Some(SeqNumber(9)));
        let mut swapped = blocks;
        swapped[2..10].copy_from_slice(&blocks[10..18]);
        swapped[10..18].copy_from_slice(&blocks[2..10]);
        assert_eq!(read_whole(&swapped).sack_right_edge, Some(SeqNumber(9)));
    }

    #[test]
    fn signatures_and_fast_open_are_noticed() {
        let md5 = [&[19, 18][..], &[7; 16]].concat();
        assert!(read_whole(&md5).md5);
        assert!(read_whole(&[29, 4, 1, 1]).ao);
        assert!(read_whole(&[34, 2, 1, 1]).fast_open);
        assert!(read_whole(&[254, 4, 0xf9, 0x89]).fast_open);
        assert!(!read_whole(&[254, 4, 0xf9, 0x88]).fast_open);
    }

    #[test]
    fn the_most_telling_mptcp_option_wins() {
        let reset = [30, 4, 0x81, 3];
        let close = [30, 12, 0x70, 0, 1, 2, 3, 4, 5, 6, 7, 8];
        let other = [30, 3, 0x20, 1];
        let expected = Some(Mptcp::TcpRst { reason: 3, transient: true });
        assert_eq!(read_whole(&[&reset[..], &close].concat()).mptcp, expected);
        assert_eq!(read_whole(&[&close[..], &reset].concat()).mptcp, expected);
        assert_eq!(read_whole(&[&other[..], &close].concat()).mptcp, Some(Mptcp::FastClose));
        assert_eq!(read_whole(&other).mptcp, Some(Mptcp::Other { subtype: 2 }));
    }

    #[test]
    fn options_before_a_malformed_one_were_read() {
        for bad in [&[8, 10, 0, 0][..], &[8], &[8, 0, 1, 1], &[8, 1]] {
            let options = read_whole(&[&[2, 4, 5, 0xb4][..], bad].concat());
            assert_eq!(options.mss, Some(1460));
            assert!(options.malformed && options.timestamps.is_none(), "{bad:?}");
        }
        let cut = read(&[2, 4, 5, 0xb4, 8, 10, 0], End::Capture);
        assert!(!cut.malformed && cut.mss.is_some());
        let wrong_len = read_whole(&[2, 3, 5, 3, 3, 7]);
        assert!(wrong_len.malformed && wrong_len.window_scale == Some(7));
    }

    #[test]
    fn nothing_behind_the_end_of_the_list_is_read() {
        let options = read_whole(&[0, 2, 4, 5]);
        assert!(!options.malformed && options.mss.is_none());
        assert_eq!(options.layout, layout_with(HASH_START, 0));
    }
}
