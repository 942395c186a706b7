//! What is written is read.

use proptest::collection::vec;
use proptest::prelude::*;
use wire::LinkType;

use super::writer::{ClassicWriter, PcapngWriter, gzipped, zstd_compressed};
use super::*;

const T: u64 = 1_700_000_000_123_456_789;

fn classic_of(frames: u64) -> Vec<u8> {
    let mut writer = ClassicWriter::new(false, true, 1);
    (0..frames).for_each(|index| writer.frame(T + index, &index.to_be_bytes()));
    writer.bytes
}

#[test]
fn every_classic_variant_is_read() {
    for big in [false, true] {
        for (nanoseconds, expected) in [(false, T / 1_000 * 1_000), (true, T)] {
            let mut writer = ClassicWriter::new(big, nanoseconds, 101);
            writer.frame(T, b"first");
            writer.frame(T, b"");
            let seen = read_clean(&writer.bytes);
            assert_eq!(seen.len(), 2);
            assert_eq!((seen[0].time_ns, &seen[0].bytes[..]), (expected, &b"first"[..]));
            assert_eq!((seen[0].link, seen[0].frame), (Some(LinkType::RawIp), 1));
            assert_eq!((seen[1].bytes.len(), seen[1].frame), (0, 2));
        }
        let mut modified = ClassicWriter::modified(big, 1);
        modified.frame(T, b"frame");
        modified.frame(T, b"next");
        let seen = read_clean(&modified.bytes);
        assert_eq!((&seen[0].bytes[..], &seen[1].bytes[..]), (&b"frame"[..], &b"next"[..]));
    }
}

#[test]
fn before_version_2_4_the_lengths_may_be_swapped() {
    let mut writer = ClassicWriter::with_version(true, false, (2, 2), 1);
    writer.frame_of_lengths(T, (1_500, 5), b"first");
    writer.frame_of_lengths(T, (4, 60), b"next");
    let seen = read_clean(&writer.bytes);
    assert_eq!((&seen[0].bytes[..], &seen[1].bytes[..]), (&b"first"[..], &b"next"[..]));
}

#[test]
fn a_frame_check_sequence_length_does_not_hide_the_link_type() {
    let mut writer = ClassicWriter::new(false, false, 0x5400_0001);
    writer.frame(T, b"frame");
    assert_eq!(read_clean(&writer.bytes)[0].link, Some(LinkType::Ethernet));
}

#[test]
fn a_frame_of_a_link_type_that_is_not_read_is_lent_all_the_same() {
    let mut writer = ClassicWriter::new(false, false, 147);
    writer.frame(T, b"frame");
    let seen = read_clean(&writer.bytes);
    assert_eq!((seen[0].link, &seen[0].bytes[..]), (None, &b"frame"[..]));
}

#[test]
fn interfaces_of_a_section_have_their_own_links_and_clocks() {
    for big in [false, true] {
        let mut writer = PcapngWriter::new(big);
        writer.interface(1, 0, None, None);
        writer.interface(101, 65_535, Some(9), Some(-1));
        writer.interface(113, 0, Some(0x80 | 30), None);
        writer.enhanced(0, T / 1_000, b"micro");
        writer.enhanced_with_comment(1, T + 1_000_000_000, b"nano");
        writer.obsolete(2, 5 << 30, b"binary");
        let seen = read_clean(&writer.bytes);
        let times: Vec<_> = seen.iter().map(|seen| seen.time_ns).collect();
        assert_eq!(times, [T / 1_000 * 1_000, T, 5_000_000_000]);
        let links: Vec<_> = seen.iter().map(|seen| (seen.link, seen.port)).collect();
        assert_eq!(links[0], (Some(LinkType::Ethernet), 0));
        assert_eq!(links[1], (Some(LinkType::RawIp), 0));
        assert_eq!(links[2], (Some(LinkType::LinuxSll), 0));
        assert_eq!(seen[2].bytes, b"binary");
    }
}

#[test]
fn a_simple_packet_ends_at_the_snapshot_length_and_has_the_last_time() {
    let mut writer = PcapngWriter::new(false);
    writer.interface(1, 6, None, None);
    writer.enhanced(0, 77, b"stamp");
    writer.simple(1_500, b"cut to");
    writer.simple(3, b"all");
    let seen = read_clean(&writer.bytes);
    assert_eq!((&seen[1].bytes[..], seen[1].time_ns), (&b"cut to"[..], 77_000));
    assert_eq!((&seen[2].bytes[..], seen[2].time_ns), (&b"all"[..], 77_000));
}

#[test]
fn a_new_section_forgets_interfaces_and_may_turn_the_byte_order() {
    let mut writer = PcapngWriter::new(false);
    writer.interface(1, 0, None, None);
    writer.enhanced(0, 1, b"little");
    writer.section(true);
    writer.interface(101, 0, Some(9), None);
    writer.enhanced(0, 1, b"big");
    let seen = read_clean(&writer.bytes);
    assert_eq!((seen[0].time_ns, seen[0].link), (1_000, Some(LinkType::Ethernet)));
    assert_eq!((seen[1].time_ns, seen[1].link), (1, Some(LinkType::RawIp)));
    assert_eq!((seen[1].frame, &seen[1].bytes[..]), (2, &b"big"[..]));
}

#[test]
fn unknown_blocks_are_stepped_over_however_long_and_journal_entries_numbered() {
    let mut writer = PcapngWriter::new(true);
    writer.interface(1, 0, None, None);
    writer.block(0x0bad, &vec![0xaa; 3 * BUFFER_LEN_MAX]);
    writer.block(10, &[]);
    writer.enhanced(0, 1, b"first");
    writer.block(9, b"__REALTIME_TIMESTAMP=1\n\0");
    writer.enhanced(0, 2, b"third");
    let seen = read_clean(&writer.bytes);
    assert_eq!(seen.iter().map(|seen| seen.frame).collect::<Vec<_>>(), [1, 3]);
}

#[test]
fn a_block_length_without_its_padding_is_padded() {
    let mut writer = PcapngWriter::new(false);
    writer.interface(1, 0, None, None);
    let start = writer.bytes.len();
    writer.enhanced(0, 1, b"frame");
    let end = writer.bytes.len();
    // 5 bytes were padded to 8: the length that some writers give is 3 less.
    writer.bytes[start + 4] -= 3;
    writer.bytes[end - 4] -= 3;
    writer.enhanced(0, 2, b"next");
    assert_eq!(read_clean(&writer.bytes).len(), 2);
}

#[test]
fn compression_is_recognised_and_members_may_follow_each_other() {
    let plain = classic_of(5_000);
    let expected = read_clean(&plain);
    let (front, back) = plain.split_at(1_001);
    assert_eq!(read_clean(&gzipped(&plain)), expected);
    assert_eq!(read_clean(&[gzipped(front), gzipped(back)].concat()), expected);
    assert_eq!(read_clean(&zstd_compressed(&plain)), expected);
    assert_eq!(read_clean(&[zstd_compressed(front), zstd_compressed(back)].concat()), expected);
    let skippable = [0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 7, 7].to_vec();
    assert_eq!(read_clean(&[skippable, zstd_compressed(&plain)].concat()), expected);
}

#[test]
fn the_longest_frame_grows_a_small_buffer_and_memory_is_given_back() {
    let mut writer = ClassicWriter::new(false, false, 1);
    let longest = vec![0x55; walk::FRAME_LEN_MAX as usize];
    writer.frame(T, b"short");
    writer.frame(T, &longest);
    writer.frame(T, b"short");
    let mut source = source_of(&[writer.bytes], 1_000, 64);
    let seen = drain(&mut source);
    assert_eq!(seen.len(), 3);
    assert_eq!(seen[1].bytes, longest);
    assert!(source.problems().is_empty());
    assert!(source.memory_bytes() < longest.len() / 16);
}

/// What `pcap-parser` finds in a little- or big-endian capture.
fn found_by_pcap_parser(capture: &[u8]) -> Vec<Vec<u8>> {
    use pcap_parser::{Block, PcapBlockOwned, PcapError};
    let mut reader = pcap_parser::create_reader(1 << 20, capture).unwrap();
    let mut frames = Vec::new();
    loop {
        let consumed = match reader.next() {
            Ok((consumed, block)) => {
                match block {
                    PcapBlockOwned::Legacy(record) => frames.push(record.data.to_vec()),
                    PcapBlockOwned::NG(Block::EnhancedPacket(block)) => {
                        frames.push(block.data[..block.caplen as usize].to_vec());
                    }
                    _ => {}
                }
                consumed
            }
            Err(PcapError::Eof) => return frames,
            Err(PcapError::Incomplete(_)) => {
                reader.refill().unwrap();
                continue;
            }
            Err(error) => panic!("pcap-parser: {error:?}"),
        };
        reader.consume(consumed);
    }
}

fn frames_of(seen: Vec<Seen>) -> Vec<Vec<u8>> {
    seen.into_iter().map(|seen| seen.bytes).collect()
}

proptest! {
    #[test]
    fn a_classic_capture_is_read_as_pcap_parser_reads_it(
        big: bool,
        nanoseconds: bool,
        frames in vec(vec(any::<u8>(), 0..200), 1..200),
        step in 1_usize..5_000,
    ) {
        let mut writer = ClassicWriter::new(big, nanoseconds, 1);
        frames.iter().for_each(|frame| writer.frame(T, frame));
        prop_assert_eq!(&found_by_pcap_parser(&writer.bytes), &frames);
        let mut source = source_of(&[writer.bytes], step, 64);
        prop_assert_eq!(&frames_of(drain(&mut source)), &frames);
        prop_assert!(source.problems().is_empty());
    }

    #[test]
    fn a_pcapng_capture_is_read_as_pcap_parser_reads_it(
        big: bool,
        frames in vec((vec(any::<u8>(), 0..200), 0_u32..2, 0_u8..4), 1..200),
        step in 1_usize..5_000,
    ) {
        let mut writer = PcapngWriter::new(big);
        writer.interface(1, 0, None, None);
        writer.interface(1, 0, Some(9), Some(3));
        for (frame, interface, shape) in &frames {
            match shape {
                0 => writer.block(0x7fff_0001, &frame[..frame.len() & !3]),
                1 => writer.enhanced_with_comment(*interface, T, frame),
                _ => writer.enhanced(*interface, T, frame),
            }
        }
        let expected: Vec<_> =
            frames.into_iter().filter(|(_, _, shape)| *shape != 0).map(|(frame, ..)| frame).collect();
        let mut source = source_of(std::slice::from_ref(&writer.bytes), step, 64);
        prop_assert_eq!(&frames_of(drain(&mut source)), &expected);
        prop_assert!(source.problems().is_empty());
        prop_assert_eq!(found_by_pcap_parser(&writer.bytes), expected);
    }
}
