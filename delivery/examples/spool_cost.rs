//! What handing over an event costs, and how much disk it takes: events as NDJSON on standard input, as
//! `rstscope read --format json` tells them. Nothing is delivered: the sink's receiver is not there.
//!
//! ```text
//! rstscope read --format json --all *.pcap | cargo run -p delivery --example spool_cost
//! ```
#![allow(clippy::print_stdout, reason = "figures are all it is for")]

use std::error::Error;
use std::io::BufRead as _;
use std::time::Instant;

use delivery::{Delivery, Identity, Options, OtlpOptions, SendOptions, SinkOptions, SpoolOptions};
use events::Event;

fn main() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let send = SendOptions { secondary: true, ..SendOptions::default() };
    // Port 9 is for what is thrown away; nobody listens there.
    let sink = OtlpOptions { url: "http://127.0.0.1:9".into(), send, ..OtlpOptions::default() };
    let spool = SpoolOptions { directory: directory.path().into(), ..SpoolOptions::default() };
    let options = Options { spool, sinks: vec![SinkOptions::Otlp(sink)] };
    let lines: Vec<String> = std::io::stdin().lock().lines().collect::<Result<_, _>>()?;
    let told: Vec<Event> =
        lines.iter().map(|line| serde_json::from_str(line)).collect::<Result<_, _>>()?;
    let json_bytes: usize = lines.iter().map(String::len).sum();
    let delivery = Delivery::start(&options, &Identity::of_this_machine("0"), &[])?;
    let begun = Instant::now();
    for event in &told {
        delivery.emit(event);
    }
    let handed_over = begun.elapsed();
    delivery.stop();
    let spooled = begun.elapsed();
    let spool = delivery.status().spool;
    let each = |span: std::time::Duration| span.as_secs_f64() * 1e6 / told.len() as f64;
    println!("{} events of {} bytes of JSON", told.len(), json_bytes / told.len().max(1));
    println!("not spooled: {}", spool.not_spooled);
    println!(
        "{:.1} us an event to hand over, {:.1} us until all were written",
        each(handed_over),
        each(spooled)
    );
    println!("{} bytes an event on disk", spool.bytes / spool.spooled.max(1));
    Ok(())
}
