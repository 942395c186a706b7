//! Watches an interface and prints, once a second, what came and what was lost.
//!
//! ```text
//! receive INTERFACE [seconds=N] [frames=N] [wait] [generic] [copy] [control] [pass] [touch]
//! ```
//!
//! One thread a queue. It spins, unless `wait` makes it sleep in poll(2); `touch` reads the first
//! cache line of every packet, as a parser would.
#![allow(clippy::print_stdout, reason = "printing is what it is for")]

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use xdp::{AttachMode, Attachment, Capture, Options, Others, Queue, Ration, ZeroCopy};

/// What a worker does beside receiving.
#[derive(Clone, Copy, Default)]
struct Work {
    wait: bool,
    touch: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let interface =
        arguments.next().ok_or("usage: receive INTERFACE [seconds=N] [frames=N] ...")?;
    let mut options = Options::new(&interface);
    let mut work = Work::default();
    let mut seconds = u64::MAX;
    for argument in arguments {
        match argument.split_once('=').unwrap_or((&argument, "")) {
            ("seconds", value) => seconds = value.parse()?,
            ("frames", value) => options.frames = value.parse()?,
            ("wait", "") => work.wait = true,
            ("touch", "") => work.touch = true,
            ("generic", "") => options.attach_mode = AttachMode::GenericOnly,
            ("copy", "") => options.zero_copy = ZeroCopy::Never,
            ("control", "") => options.capture = Capture::Control(Ration::of(1 << 20)),
            ("pass", "") => options.others = Others::Pass,
            _ => return Err(format!("unknown argument {argument}").into()),
        }
    }
    run(&options, work, seconds)
}

fn run(options: &Options, work: Work, seconds: u64) -> Result<(), Box<dyn Error>> {
    let (attachment, queues) = Attachment::open(options)?;
    for warning in attachment.warnings() {
        println!("warning: {warning}");
    }
    let stop = Arc::new(AtomicBool::new(false));
    let packets = Arc::new(AtomicU64::new(0));
    let mut workers = Vec::new();
    for queue in queues {
        println!(
            "queue {} of {}: {}, {} KiB of {}",
            queue.id(),
            options.interface,
            queue.mode(),
            queue.memory_bytes() / 1024,
            queue.backing(),
        );
        let (stop, packets) = (Arc::clone(&stop), Arc::clone(&packets));
        workers.push(thread::spawn(move || receive(queue, work, &stop, &packets)));
    }

    let mut before = 0;
    let mut last = Instant::now();
    for _ in 0..seconds {
        thread::sleep(Duration::from_secs(1));
        let now = packets.load(Ordering::Relaxed);
        let rate = (now - before) as f64 / last.elapsed().as_secs_f64();
        (before, last) = (now, Instant::now());
        println!("{:.3} Mpps; {:?}", rate / 1e6, attachment.counters()?);
    }
    stop.store(true, Ordering::Relaxed);
    for worker in workers {
        let queue = worker.join().expect("workers do not panic")?;
        println!("queue {}: {:?}", queue.id(), queue.statistics()?);
    }
    Ok(())
}

/// The receive loop of one queue; gives the queue back when told to stop.
fn receive(
    mut queue: Queue,
    work: Work,
    stop: &AtomicBool,
    packets: &AtomicU64,
) -> Result<Queue, xdp::Error> {
    let mut sum = 0_u64;
    while !stop.load(Ordering::Relaxed) {
        let lent = queue.receive();
        if work.touch {
            for index in 0..lent {
                sum = sum
                    .wrapping_add(queue.frame(index).iter().take(54).map(|b| u64::from(*b)).sum());
            }
        }
        packets.fetch_add(lent as u64, Ordering::Relaxed);
        if lent == 0 && work.wait {
            queue.wait(Duration::from_millis(100))?;
        }
    }
    std::hint::black_box(sum);
    Ok(queue)
}
