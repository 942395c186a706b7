//! Captures that are cut, garbled or none: what stands before the damage is lent, and said why.

use proptest::collection::vec;
use proptest::prelude::*;

use super::writer::{ClassicWriter, PcapngWriter, gzipped, zstd_compressed};
use super::*;
use crate::capture::walk::FRAME_LEN_MAX;

fn classic() -> ClassicWriter {
    let mut writer = ClassicWriter::new(false, false, 1);
    writer.frame(1_000, b"first frame");
    writer.frame(2_000, b"second frame");
    writer
}

fn pcapng() -> PcapngWriter {
    let mut writer = PcapngWriter::new(false);
    writer.interface(1, 0, None, None);
    writer.enhanced(0, 1, b"first frame");
    writer
}

/// Some thousand frames that do not compress to nothing.
fn long_capture() -> Vec<u8> {
    let mut writer = ClassicWriter::new(false, true, 1);
    let mut noise = 1_u64;
    for _ in 0..20_000 {
        noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        writer.frame(noise >> 32, &noise.to_be_bytes());
    }
    writer.bytes
}

#[track_caller]
fn assert_problem(capture: &[u8], frames: usize, expected: &str) {
    let (seen, problem) = read(capture);
    let problem = problem.expect("there is a problem");
    assert!(problem.contains(expected), "{problem} does not say: {expected}");
    assert!(problem.ends_with(&format!("({frames} frames read before)")), "{problem}");
    assert_eq!(seen.len(), frames);
}

#[test]
fn what_is_no_capture_is_said_to_be_none() {
    assert_problem(b"", 0, "0.pcap: is empty");
    assert_problem(b"y", 0, "is not a capture: begins with [79]");
    assert_problem(b"GET / HTTP/1.1", 0, "is not a capture: begins with [47, 45, 54, 20]");
    assert_problem(b"BZh91AY&SY", 0, "bzip2; decompress it first");
    assert_problem(b"snoop\0\0\0\0\0\0\x02", 0, "editcap -F pcapng");
    assert_problem(&gzipped(b"hello"), 0, "is not a capture: begins with [68, 65, 6c, 6c]");
    assert_problem(&gzipped(b""), 0, "is empty");
}

#[test]
fn a_cut_capture_gives_its_whole_frames() {
    let whole = classic().bytes;
    assert_problem(&whole[..23], 0, "cut off at byte 0: 23 bytes left where 24 are needed");
    assert_problem(&whole[..30], 0, "cut off at byte 24: 6 bytes left where 16 are needed");
    assert_problem(&whole[..whole.len() - 1], 1, "byte 51: 27 bytes left where 28 are needed");
    let whole = pcapng().bytes;
    assert_problem(&whole[..whole.len() - 1], 0, "cut off at byte 60: 43 bytes left where 44");
    assert_problem(&whole[..20], 0, "cut off at byte 0: 20 bytes left where 28 are needed");
    let mut skipping = pcapng();
    skipping.block(0x0bad, &[0; 100]);
    let len = skipping.bytes.len();
    assert_problem(&skipping.bytes[..len - 50], 1, "cut off at byte");
    assert_problem(&skipping.bytes[..len - 4], 1, "cut off at byte");
}

#[test]
fn lengths_that_cannot_be_are_damage() {
    let mut writer = classic();
    writer.frame_of_lengths(3_000, (FRAME_LEN_MAX + 1, FRAME_LEN_MAX + 1), b"absurd");
    assert_problem(&writer.bytes, 2, "damaged at byte 79: frame claims 262145 captured bytes");

    let mut writer = pcapng();
    let start = writer.bytes.len();
    writer.enhanced(0, 2, b"second frame");
    let whole = writer.bytes;
    let garbled = |at: usize, value: u8| {
        let mut bytes = whole.clone();
        bytes[start + at] = value;
        bytes
    };
    assert_problem(&garbled(4, 8), 1, "block 0x00000006 claims a length of 8 bytes");
    assert_problem(&garbled(7, 1), 1, "block 0x00000006 claims a length of 16777260 bytes");
    assert_problem(&garbled(8, 3), 1, "frame of interface 3, but only 1 described");
    assert_problem(&garbled(20, 13), 1, "block 0x00000006 claims a length of 44 bytes");
    assert_problem(&garbled(23, 1), 1, "frame claims 16777228 captured bytes, over 262144");
    assert_problem(&garbled(40, 48), 1, "block lengths differ, 44 in front and 48 behind");
}

#[test]
fn headers_that_cannot_be_are_damage() {
    let mut archaic = classic().bytes;
    archaic[4] = 1;
    assert_problem(&archaic, 0, "pcap version 1.4 at byte 0 is not known");
    let mut future = pcapng().bytes;
    future[12] = 2;
    assert_problem(&future, 0, "pcapng version 2.0 at byte 0 is not known");
    let mut orderless = pcapng().bytes;
    orderless[8] = 0;
    assert_problem(&orderless, 0, "section header without byte-order magic");
    let mut writer = PcapngWriter::new(true);
    writer.simple(4, b"lone");
    assert_problem(&writer.bytes, 0, "frame of interface 0, but only 0 described");
}

#[test]
fn a_cut_compressed_capture_gives_what_came_out_of_it() {
    let whole = long_capture();
    for (name, compressed) in [("gzip", gzipped(&whole)), ("zstd", zstd_compressed(&whole))] {
        let (seen, problem) = read(&compressed[..compressed.len() * 3 / 4]);
        let problem = problem.unwrap();
        assert!(problem.contains(&format!("damaged {name} data, readable up to")), "{problem}");
        assert!(seen.len() > 10_000, "{name} gave {} frames", seen.len());
        assert_eq!(seen[..], read_clean(&whole)[..seen.len()]);
    }
}

#[test]
fn a_garbled_compressed_capture_gives_what_came_before() {
    let whole = long_capture();
    for mut compressed in [gzipped(&whole), zstd_compressed(&whole)] {
        let start = compressed.len() * 3 / 4;
        // A stretch, as one wrong byte may stay unnoticed until the checksum at the end. Even so,
        // garbage that inflates well is first noticed as a frame that cannot be.
        compressed[start..start + 2_000].fill(0xff);
        let (seen, problem) = read(&compressed);
        assert!(problem.unwrap().contains("damaged"));
        assert_eq!(seen[..8_000], read_clean(&whole)[..8_000]);
    }
}

#[test]
fn an_input_that_never_ends_is_refused_at_once() {
    for endless in [b'y', 0x1f] {
        let mut source = CaptureSource::with_capacity(1);
        let opened = Opened { source: Box::new(io::repeat(endless)), len: None, file: None };
        source.add("standard input".into(), Ok(opened), BUFFER_LEN_USUAL);
        assert_eq!(source.receive().unwrap(), Received::End);
        assert_eq!(source.problems().len(), 1);
        assert_eq!(source.bytes_total(), None);
    }
}

proptest! {
    #[test]
    fn any_bytes_end_without_panic(
        front in prop::sample::select(vec![
            &b""[..],
            &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3],
            &[0x28, 0xb5, 0x2f, 0xfd],
            &[0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0],
            &[0x0a, 0x0d, 0x0d, 0x0a, 28, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a, 1, 0],
        ]),
        bytes in vec(prop_oneof![Just(0), any::<u8>()], 0..2_000),
    ) {
        let (seen, _) = read(&[front, &bytes].concat());
        prop_assert!(seen.len() <= bytes.len() / 12 + 1);
    }

    #[test]
    fn a_garbled_capture_ends_without_panic(
        pcapng_file: bool,
        faults in vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        step in 1_usize..500,
    ) {
        let mut bytes = if pcapng_file {
            let mut writer = pcapng();
            writer.obsolete(0, 2, b"obsolete");
            writer.block(5, b"statistics..");
            writer.simple(6, b"simple");
            writer.section(true);
            writer.interface(1, 0, Some(0x9f), Some(-9));
            writer.enhanced_with_comment(0, u64::MAX, b"big");
            writer.bytes
        } else {
            classic().bytes
        };
        for (index, value) in faults {
            let at = index.index(bytes.len());
            bytes[at] = value;
        }
        let mut source = source_of(&[bytes], step, 64);
        prop_assert!(drain(&mut source).len() <= 16);
        prop_assert!(source.problems().len() <= 1);
    }

    #[test]
    fn a_cut_capture_is_the_front_of_the_whole(cut in any::<prop::sample::Index>()) {
        let whole = classic().bytes;
        let (seen, problem) = read(&whole[..cut.index(whole.len())]);
        prop_assert_eq!(&seen[..], &read_clean(&whole)[..seen.len()]);
        let at_a_boundary = [24, 51].contains(&cut.index(whole.len()));
        prop_assert_eq!(problem.is_none(), at_a_boundary);
    }
}
