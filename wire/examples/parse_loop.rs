//! Parses one frame over and over: what callgrind counts instructions in.
//!
//! ```sh
//! cargo build --release -p wire --example parse_loop
//! for packets in 10000 20000; do
//!     valgrind --tool=callgrind --callgrind-out-file=/dev/null \
//!         target/release/examples/parse_loop tagged "$packets"
//! done
//! ```
//!
//! The difference of the two counts, divided by 10000, is the cost of a packet.

use std::hint::black_box;

use wire::{LinkType, parse};

const ADDRESSES: [u8; 12] = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
const IP_4: [u8; 20] = [0x45, 0, 0, 72, 18, 52, 64, 0, 57, 6, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2];
const IP_6: [u8; 8] = [0x60, 0, 0, 0, 0, 52, 6, 57];
const TCP: [u8; 20] = [1, 187, 200, 1, 0, 0, 0, 1, 0, 0, 0, 2, 0x80, 0x18, 2, 0, 0, 0, 0, 0];
const TIMESTAMPS: [u8; 12] = [1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8];
const SYN_OPTIONS: [u8; 20] = [2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7];

/// The frame of a name; all carry a 20-byte payload.
fn frame(name: &str) -> Option<Vec<u8>> {
    let mut plain_tcp = TCP;
    plain_tcp[12] = 0x50;
    let mut plain_ip = IP_4;
    plain_ip[3] = 60;
    let mut syn_tcp = TCP;
    syn_tcp[12] = 0xa0;
    let mut syn_ip = IP_4;
    syn_ip[3] = 80;
    let payload = [0; 20];
    let pieces: &[&[u8]] = match name {
        "plain" => &[&[8, 0], &plain_ip, &plain_tcp, &payload],
        "timestamps" => &[&[8, 0], &IP_4, &TCP, &TIMESTAMPS, &payload],
        "tagged" => &[&[0x81, 0, 0, 7, 8, 0], &IP_4, &TCP, &TIMESTAMPS, &payload],
        "syn" => &[&[8, 0], &syn_ip, &syn_tcp, &SYN_OPTIONS, &payload],
        "ipv6" => &[&[0x86, 0xdd], &IP_6, &[0x20; 32], &TCP, &TIMESTAMPS, &payload],
        _ => return None,
    };
    Some([&[&ADDRESSES[..]][..], pieces].concat().concat())
}

fn main() -> Result<(), String> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_default();
    let packets = arguments.next().and_then(|count| count.parse().ok());
    let (Some(frame), Some(packets)) = (frame(&name), packets) else {
        return Err("usage: parse_loop plain|timestamps|tagged|syn|ipv6 PACKETS".to_owned());
    };
    let mut payload_bytes = 0;
    for _ in 0..packets {
        let packet = parse(LinkType::Ethernet, black_box(&frame));
        payload_bytes += black_box(&packet).as_ref().map_or(0, |packet| packet.payload_len);
    }
    match payload_bytes {
        bytes if bytes == 20 * packets => Ok(()),
        bytes => Err(format!("{bytes} payload bytes in {packets} packets")),
    }
}
