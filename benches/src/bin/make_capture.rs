//! Writes a capture of so many packets and flows.
#![forbid(unsafe_code)]
#![allow(clippy::print_stderr, reason = "what was written is told")]

use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;

use anyhow::Context as _;
use benches::{CaptureWriter, Mix, Options, Resets, Start, Traffic};
use clap::Parser;

/// Writes a pcap file of made-up TCP connections, the same for the same arguments.
#[derive(Parser, Debug)]
struct Arguments {
    /// Packets to write, besides those of a warm-up
    #[arg(long, default_value_t = 1_000_000)]
    packets: u64,
    /// Connections that live side by side
    #[arg(long, default_value_t = 100_000)]
    flows: usize,
    /// Percentage of packets that are resets, e.g. 2 or 0.5
    #[arg(long, default_value_t = 2.0)]
    resets: f64,
    /// Which resets: plain (half RST, half RST/ACK) or all (every kind)
    #[arg(long, default_value = "plain")]
    reset_kinds: Resets,
    /// What comes first: cold (nothing), handshakes or midstream (a packet or two of every flow)
    #[arg(long, default_value = "cold")]
    start: Start,
    /// small, imix, elephants, churn, syn-flood, scan, vlan, vxlan or ipv6
    #[arg(long, default_value = "imix")]
    mix: Mix,
    /// Packets a second; a warm-up has a million
    #[arg(long, default_value_t = 1_000_000)]
    rate: u64,
    /// Other numbers, other bytes
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The file
    #[arg(value_name = "OUT.pcap")]
    output: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let name = arguments.output.display();
    let file = File::create(&arguments.output).with_context(|| format!("create {name}"))?;
    let mut traffic = Traffic::new(&Options {
        mix: arguments.mix,
        flows: arguments.flows,
        resets_per_mille: (arguments.resets * 10.0).round() as u64,
        resets: arguments.reset_kinds,
        start: arguments.start,
        rate: arguments.rate,
        seed: arguments.seed,
        ..Options::default()
    });
    let mut frame = Vec::new();
    let write = || {
        let mut capture = CaptureWriter::begin(BufWriter::with_capacity(1 << 20, file))?;
        for _ in 0..traffic.warm_up_len() + arguments.packets {
            let time_ns = traffic.next_frame(&mut frame);
            capture.frame(time_ns, &frame)?;
        }
        capture.finish()
    };
    write().map(drop).with_context(|| format!("write {name}"))?;
    eprintln!("{name}: {} of warm-up, then {}", traffic.warm_up_len(), traffic.composition());
    Ok(())
}
