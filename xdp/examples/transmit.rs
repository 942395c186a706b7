//! Sends TCP segments of 64 bytes on an interface as fast as one core can, for `receive`.
//!
//! ```text
//! transmit INTERFACE SECONDS [FLOWS [ack]]
//! ```
//!
//! With a number of flows the kernel makes the packets; without, an AF_XDP socket sends them. They are
//! resets, or with `ack` plain acknowledgments.
#![allow(clippy::print_stdout, reason = "printing is what it is for")]

use std::error::Error;
use std::time::{Duration, Instant};

use xdp::{Flood, Sender};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [interface, seconds, flows @ ..] = arguments.as_slice() else {
        return Err("usage: transmit INTERFACE SECONDS [FLOWS [ack]]".into());
    };
    let (start, length) = (Instant::now(), Duration::from_secs(seconds.parse()?));
    let frame = segment(if flows.get(1).is_some_and(|kind| kind == "ack") { 16 } else { 4 });
    let mut sent = 0;
    if let [flows, ..] = flows {
        let flood = Flood::open(interface, flows.parse()?)?;
        while start.elapsed() < length {
            flood.send(&frame, TIMES)?;
            sent += TIMES as usize;
        }
    } else {
        let batch = [frame.as_slice(); 64];
        let mut sender = Sender::open(interface, 0)?;
        while start.elapsed() < length {
            sent += sender.send(&batch)?;
        }
    }
    println!("{sent} sent, {:.3} Mpps", sent as f64 / start.elapsed().as_secs_f64() / 1e6);
    Ok(())
}

/// Packets a call: a tenth of a second or so.
const TIMES: u32 = 1 << 19;

/// Ethernet, IPv4, TCP with these flags, padded to 64 bytes; documentation addresses (RFC 5737).
fn segment(flags: u8) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0];
    frame.extend_from_slice(&[0x45, 0, 0, 40, 0, 1, 0, 0, 64, 6, 0, 0]);
    frame.extend_from_slice(&[192, 0, 2, 1, 192, 0, 2, 2]);
    frame.extend_from_slice(&[0x30, 0x39, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0]);
    frame.extend_from_slice(&[0x50, flags, 0, 0, 0, 0, 0, 0]);
    frame.resize(64, 0);
    frame
}
