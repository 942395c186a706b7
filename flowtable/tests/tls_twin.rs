//! Open TLS records against the stream they were cut out of: what is said to be known is right.
#![allow(clippy::unwrap_used, reason = "the lint knows test functions, not their helpers")]

use flowtable::{Direction, FlowRecord, OpenRecord, PayloadClass, Segment, Timestamp};
use proptest::prelude::*;
use wire::{SeqNumber, TcpFlags};

const ACK: u16 = 16;
const PORTS: [u16; 2] = [40_000, 443];
const FIRST: u32 = u32::MAX - 20_000;

/// A stream of records, and for every position how much of a record is still to come there.
fn stream(lens: &[u16]) -> (Vec<u8>, Vec<u16>) {
    let (mut bytes, mut missing) = (Vec::new(), vec![0]);
    for &len in lens {
        let [high, low] = len.to_be_bytes();
        bytes.extend([23, 3, 3, high, low]);
        bytes.resize(bytes.len() + usize::from(len), 0xaa);
        missing.extend((0..len + 5).rev());
    }
    (bytes, missing)
}

fn segment(stream: &[u8], start: usize, end: usize, number: u64) -> Segment {
    let payload = &stream[start..end];
    let payload_len = payload.len() as u32;
    Segment {
        time: Timestamp((1 << 60) + number * 1_000_000),
        seq: SeqNumber(FIRST.wrapping_add(start as u32)),
        payload_len,
        payload: PayloadClass::of(payload, payload_len),
        open_record: OpenRecord::after(payload, payload_len),
        flags: TcpFlags(ACK),
        ip_id: number as u16 + 1,
        ..Segment::blank()
    }
}

proptest! {
    /// In whatever sizes it is cut, and whichever segments are lost, repeated or overtaken.
    #[test]
    fn what_is_known_of_an_open_record_is_right(
        lens in prop::collection::vec(prop_oneof![1..200u16, 1..16_384u16], 1..12),
        cuts in prop::collection::vec((1..4000usize, 0..10u8), 1..60),
    ) {
        let (bytes, missing) = stream(&lens);
        let mut record = FlowRecord::empty();
        let (mut start, mut highest, mut number) = (0, 0, 0);
        let mut held: Option<(usize, usize)> = None;
        for (len, fate) in cuts {
            let end = (start + len).min(bytes.len());
            if start == end {
                break;
            }
            let shown: Vec<(usize, usize)> = match fate {
                // Lost in the capture.
                0 => vec![],
                // Repeated together with the byte before it.
                1 => vec![(start, end), (start.saturating_sub(1), end)],
                // Overtaken by the next.
                2 => { held = Some((start, end)); vec![] }
                _ => [Some((start, end)), held.take()].into_iter().flatten().collect(),
            };
            for (from, to) in shown {
                number += 1;
                record.observe(Direction::FromHigh, &segment(&bytes, from, to, number), PORTS);
                highest = highest.max(to);
                if let Some(known) = record.open_record(Direction::FromHigh).missing() {
                    prop_assert_eq!(known, missing[highest], "at {} of {:?}", highest, lens);
                }
            }
            start = end;
        }
    }

    /// One record a write, each write a segment or more: it is always known.
    #[test]
    fn records_that_begin_with_their_segment_are_always_known(
        lens in prop::collection::vec(1..5000u16, 1..20),
    ) {
        let (bytes, missing) = stream(&lens);
        let mut record = FlowRecord::empty();
        let (mut start, mut number) = (0, 0);
        for len in lens {
            let write_end = start + usize::from(len) + 5;
            while start < write_end {
                let end = (start + 1448).min(write_end);
                number += 1;
                record.observe(Direction::FromHigh, &segment(&bytes, start, end, number), PORTS);
                let known = record.open_record(Direction::FromHigh).missing();
                prop_assert_eq!(known, Some(missing[end]));
                start = end;
            }
        }
    }
}

/// The payload of a segment need not be captured whole, as long as its first header is.
#[test]
fn a_short_snap_length_suffices_for_long_records() {
    let (bytes, _) = stream(&[16_000]);
    let open = OpenRecord::after(&bytes[..60], 1448);
    assert_eq!(open.missing(), Some(16_005 - 1448));
}
