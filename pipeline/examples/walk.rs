//! Only walks captures, as a worker does: what every reader of them pays before it looks at a byte.
//!
//! ```sh
//! cargo run --release -p pipeline --example walk -- FILE...
//! ```
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "a program of its own")]

use std::path::PathBuf;

use nix::time::{ClockId, clock_gettime};
use pipeline::{CaptureSource, Received, Source, SourceError};

fn main() -> Result<(), SourceError> {
    let paths: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let mut source = CaptureSource::open(&paths);
    let (mut frames, mut bytes, mut times) = (0_u64, 0_u64, 0_u64);
    loop {
        match source.receive()? {
            Received::Frames(lent) => {
                for frame in (0..lent).map(|index| source.frame(index)) {
                    bytes += frame.bytes.len() as u64;
                    times ^= frame.time.0;
                }
                frames += lent as u64;
            }
            Received::Idle => {}
            Received::End => break,
        }
    }
    for problem in source.problems() {
        println!("{problem}");
    }
    let used = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID);
    let used_s = used.map_or(0.0, |used| used.tv_sec() as f64 + used.tv_nsec() as f64 / 1e9);
    println!(
        "{frames} frames, {bytes} bytes, times {times:x}: {used_s:.3} s of processor time, {:.1} million frames a second of it",
        frames as f64 / used_s / 1e6
    );
    Ok(())
}
