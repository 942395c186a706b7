//! Floors to compare with: the least that any reader of a capture does, and the least that any
//! reader with a flow table does. Nothing is checked that a made capture does not need.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "counts are what it is for")]

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use clap::{Parser, ValueEnum};
use hashbrown::HashMap;

/// Walks a pcap file of this machine's byte order in blocks and counts.
#[derive(Parser, Debug)]
struct Arguments {
    /// What is done with each packet
    #[arg(value_enum)]
    floor: Floor,
    /// The file, as `make_capture` writes it
    #[arg(value_name = "FILE.pcap")]
    capture: PathBuf,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Floor {
    /// Its length is added up
    Walk,
    /// Its connection is found in a hash map, and its flags, packets and bytes are added there
    Flows,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    match arguments.floor {
        Floor::Walk => {
            let (mut packets, mut bytes) = (0_u64, 0_u64);
            walk(&arguments.capture, |frame| {
                packets += 1;
                bytes += frame.len() as u64;
            })?;
            println!("{packets} packets, {bytes} bytes");
        }
        Floor::Flows => {
            let mut flows: HashMap<Key, Flow> = HashMap::with_capacity(FLOWS);
            walk(&arguments.capture, |frame| {
                if let Some((key, flags)) = key(frame) {
                    let flow = flows.entry(key).or_default();
                    flow.flags |= flags;
                    flow.packets += 1;
                    flow.bytes += frame.len() as u64;
                }
            })?;
            let packets: u64 = flows.values().map(|flow| flow.packets).sum();
            let reset = flows.values().filter(|flow| flow.flags & RST != 0).count();
            println!("{packets} packets of {} connections, {reset} of them reset", flows.len());
        }
    }
    Ok(())
}

/// Both ends of a connection, the lower first: address and port.
type Key = [(u32, u16); 2];

#[derive(Default, Debug)]
struct Flow {
    flags: u8,
    packets: u64,
    bytes: u64,
}

/// Connection and flags of a TCP segment in IPv4 in plain Ethernet.
fn key(frame: &[u8]) -> Option<(Key, u8)> {
    let ip = frame.get(14..)?;
    let header_len = usize::from(ip.first()? & 15) * 4;
    let is_tcp = frame[12..14] == [8, 0] && *ip.get(9)? == 6;
    let tcp = ip.get(header_len..).filter(|tcp| is_tcp && tcp.len() >= 20)?;
    let address = |at: usize| ip[at..at + 4].try_into().map(u32::from_be_bytes).ok();
    let port = |at: usize| u16::from_be_bytes([tcp[at], tcp[at + 1]]);
    let (source, target) = ((address(12)?, port(0)), (address(16)?, port(2)));
    Some((if source < target { [source, target] } else { [target, source] }, tcp[13]))
}

/// Hands every frame of a capture to `each`; the blocks stay in the second-level cache.
fn walk(path: &Path, mut each: impl FnMut(&[u8])) -> anyhow::Result<()> {
    let name = path.display();
    let mut file = File::open(path).with_context(|| format!("open {name}"))?;
    let mut header = [0; FILE_HEADER];
    file.read_exact(&mut header).with_context(|| format!("read {name}"))?;
    ensure!(MAGICS.contains(&word(&header, 0)), "{name} is no pcap file of this byte order");
    let mut block = vec![0; BLOCK];
    let mut kept = 0;
    loop {
        let read = fill(&mut file, &mut block[kept..]).with_context(|| format!("read {name}"))?;
        let end = kept + read;
        let mut at = 0;
        while let Some(record) = block[at..end].get(..RECORD_HEADER) {
            let next = at + RECORD_HEADER + word(record, 8) as usize;
            if next > end {
                break;
            }
            each(&block[at + RECORD_HEADER..next]);
            at = next;
        }
        if read == 0 {
            ensure!(at == end, "{name} ends within a record");
            return Ok(());
        }
        ensure!(at > 0, "a record of {name} is longer than {BLOCK} bytes");
        block.copy_within(at..end, 0);
        kept = end - at;
    }
}

/// Reads as much as there is; 0 at the end.
fn fill(file: &mut File, block: &mut [u8]) -> io::Result<usize> {
    loop {
        match file.read(block) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

const RST: u8 = 4;
/// Connections the map has room for from the start.
const FLOWS: usize = 200_000;
const FILE_HEADER: usize = 24;
const RECORD_HEADER: usize = 16;
const BLOCK: usize = 256 * 1024;
/// Microseconds and nanoseconds.
const MAGICS: [u32; 2] = [0xa1b2_c3d4, 0xa1b2_3c4d];
