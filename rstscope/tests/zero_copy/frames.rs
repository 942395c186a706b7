//! What is sent: a capture, frame by frame, and segments that bear a forged reset inside.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::machine::Machine;

/// A frame and when it was seen, since the first.
#[derive(Clone)]
pub(crate) struct Frame {
    pub(crate) after: Duration,
    pub(crate) bytes: Vec<u8>,
}

/// The frames of a classic capture with nanoseconds, up to `end` after the first.
pub(crate) fn of_capture(path: &Path, end: Duration) -> Vec<Frame> {
    let file = fs::read(path).expect("the capture");
    assert_eq!(word(&file, 0), MAGIC_NANOSECONDS, "a classic capture with nanoseconds");
    let mut frames = Vec::new();
    let (mut at, mut first) = (24, None);
    while at < file.len() {
        let seen = Duration::new(word(&file, at).into(), word(&file, at + 4));
        let (begin, len) = (at + 16, word(&file, at + 8) as usize);
        at = begin + len;
        let after = seen.saturating_sub(*first.get_or_insert(seen));
        if after <= end {
            frames.push(Frame { after, bytes: file[begin..at].to_vec() });
        }
    }
    frames
}

/// Writes them as a capture again.
pub(crate) fn write(frames: &[Frame], path: &Path) {
    let mut file = Vec::new();
    let words =
        |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>();
    file.extend(words(&[MAGIC_NANOSECONDS, 0x0004_0002, 0, 0, 65535, 1]));
    for Frame { after, bytes } in frames {
        let seconds = EPOCH_S + u32::try_from(after.as_secs()).expect("a short capture");
        let len = u32::try_from(bytes.len()).expect("a frame");
        file.extend(words(&[seconds, after.subsec_nanos(), len, len]));
        file.extend_from_slice(bytes);
    }
    fs::write(path, file).expect("the capture that is sent");
}

/// Sends them as far apart as they were seen.
pub(crate) fn play(frames: &[Frame], machine: &Machine) {
    let start = Instant::now();
    for frame in frames {
        thread::sleep(frame.after.saturating_sub(start.elapsed()));
        machine.send(&frame.bytes);
    }
}

/// A connection whose segments carry, 1,024 bytes into each frame, a whole frame with a reset of the
/// same connection: what a card shows as a packet of its own if it cuts frames there.
pub(crate) fn innocents(after: Duration, count: u32) -> Vec<Frame> {
    let segment = |from_client, flags, sequence, acknowledged, payload: &[u8]| {
        let (from, to) = if from_client { (CLIENT, SERVER) } else { (SERVER, CLIENT) };
        tcp(from, to, flags, sequence, acknowledged, payload)
    };
    let mut frames = vec![
        segment(true, SYN, 1000, 0, &[]),
        segment(false, SYN | ACK, 5000, 1001, &[]),
        segment(true, ACK, 1001, 5001, &[]),
    ];
    let payload_len = 1400;
    for number in 0..count {
        let sequence = 5001 + number * payload_len;
        let next = sequence + payload_len;
        // What the client would expect next from the server.
        let forged = segment(false, RST | ACK, next, 1001, &[]);
        let mut payload = vec![0x20; payload_len as usize];
        let place = SPLIT - HEADERS_LEN;
        payload[place..place + forged.len()].copy_from_slice(&forged);
        frames.push(segment(false, ACK, sequence, 1001, &payload));
        frames.push(segment(true, ACK, 1001, next, &[]));
    }
    let spaced = |(number, bytes)| Frame { after: after + SPACING * number, bytes };
    (0..).zip(frames).map(spaced).collect()
}

/// A TCP segment in IPv4 in Ethernet, checksums and all.
fn tcp(
    from: Side,
    to: Side,
    flags: u8,
    sequence: u32,
    acknowledged: u32,
    payload: &[u8],
) -> Vec<u8> {
    let total_len = u16::try_from(40 + payload.len()).expect("a short segment");
    let mut ip = vec![0x45, 0, 0, 0, 0, 0, 0x40, 0, from.hop_limit, 6, 0, 0];
    ip[2..4].copy_from_slice(&total_len.to_be_bytes());
    ip.extend([from.address, to.address].concat());
    let sum = checksum(&ip, 0);
    ip[10..12].copy_from_slice(&sum.to_be_bytes());
    let mut segment = [from.port.to_be_bytes(), to.port.to_be_bytes()].concat();
    segment.extend(sequence.to_be_bytes());
    segment.extend(acknowledged.to_be_bytes());
    segment.extend([0x50, flags, 0xfa, 0xf0, 0, 0, 0, 0]);
    segment.extend_from_slice(payload);
    // The pseudo header: both addresses, protocol and length.
    let pseudo = [&ip[12..20], &[0, 6], &(total_len - 20).to_be_bytes()].concat();
    let sum = checksum(&segment, !checksum(&pseudo, 0));
    segment[16..18].copy_from_slice(&sum.to_be_bytes());
    [&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0][..], &ip, &segment].concat()
}

/// The Internet checksum (RFC 1071) of `bytes`, on top of a sum that is not yet turned.
fn checksum(bytes: &[u8], before: u16) -> u16 {
    let words =
        bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)));
    let sum = words.sum::<u32>() + u32::from(before);
    let folded = (sum & 0xffff) + (sum >> 16);
    !((folded + (folded >> 16)) as u16)
}

/// One end of the innocents' connection.
#[derive(Clone, Copy)]
struct Side {
    address: [u8; 4],
    port: u16,
    hop_limit: u8,
}

const CLIENT: Side = Side { address: [192, 0, 2, 77], port: 40077, hop_limit: 64 };
const SERVER: Side = Side { address: [198, 51, 100, 77], port: 443, hop_limit: 61 };

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;
const HEADERS_LEN: usize = 14 + 20 + 20;
/// Where igb cuts with frames of 2,048 bytes: the largest multiple of 1 KiB beside the headroom.
const SPLIT: usize = 1024;
const SPACING: Duration = Duration::from_millis(2);
const MAGIC_NANOSECONDS: u32 = 0xa1b2_3c4d;
const EPOCH_S: u32 = 1_700_000_000;
