//! Live runs on veth pairs in network namespaces of their own.
#![allow(clippy::print_stdout, reason = "modes are worth reading")]
#![allow(clippy::print_stderr, reason = "a test that was skipped says so")]

use std::io;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use events::{Event, EventStatus, Report, Start, Status};
use nix::sched::{CloneFlags, unshare};
use pipeline::{RunOptions, Sink};

use super::Kept;

pub(crate) const SENDING: &str = "rs-a";
pub(crate) const WATCHED: &str = "rs-b";
/// How long anything may take before a test gives up; no test waits so long unless it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// Runs `test` on a thread in a new namespace with a veth pair of so many queues.
pub(crate) fn with_veth(queues: u32, test: impl FnOnce() + Send + 'static) {
    if let Some(why) = why_not() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "SKIPPED in CI: {why}");
        eprintln!("SKIPPED: {why}");
        return;
    }
    let thread = std::thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        let queues = format!("numrxqueues {queues} numtxqueues {queues}");
        add_veth([SENDING, WATCHED], &queues);
        test();
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// A pair of interfaces without addresses, so that nothing is sent but what tests send.
pub(crate) fn add_veth([one, other]: [&str; 2], queues: &str) {
    ip(&format!("link add {one} {queues} type veth peer name {other} {queues}"));
    for end in [one, other] {
        ip(&format!("link set {end} addrgenmode none up"));
    }
}

fn why_not() -> Option<String> {
    if !nix::unistd::Uid::effective().is_root() {
        return Some("network namespaces and AF_XDP need root".to_owned());
    }
    let tools =
        [("ip", "-V", "iproute2"), ("tc", "-V", "iproute2"), ("ethtool", "--version", "ethtool")];
    let is_missing = |tool: &str, version: &str| Command::new(tool).arg(version).output().is_err();
    let missing = tools.into_iter().find(|(tool, version, _)| is_missing(tool, version));
    missing.map(|(tool, _, package)| format!("{tool} ({package}) is not installed"))
}

pub(crate) fn ip(arguments: &str) -> String {
    tool("ip", arguments)
}

pub(crate) fn tool(tool: &str, arguments: &str) -> String {
    let output = Command::new(tool).args(arguments.split_ascii_whitespace()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{tool} {arguments}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < PATIENCE, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) fn run_options() -> RunOptions {
    let mut options = RunOptions::taps(&[WATCHED.to_owned()]);
    // One worker may have to share a core with the sender and with other tests.
    (options.pin, options.lock_memory) = (false, false);
    options.options = super::options();
    options
}

/// What a live run has told so far, for the thread that injects.
#[derive(Default)]
pub(crate) struct Watched {
    pub(crate) started: AtomicBool,
    pub(crate) finals: AtomicU64,
    pub(crate) packets: AtomicU64,
    pub(crate) stop: AtomicBool,
    /// What was said last.
    pub(crate) status: Mutex<Status>,
}

struct LiveSink<'w> {
    watched: &'w Watched,
    kept: Mutex<Kept>,
}

impl Sink for LiveSink<'_> {
    fn start(&mut self, start: &Start) -> io::Result<()> {
        for input in &start.inputs {
            println!("MODE {} queue {:?}: {}", input.name, input.queue, input.mode);
            assert!(input.mode.contains("copy"), "{input:?}");
        }
        self.watched.started.store(true, Ordering::Relaxed);
        self.kept.get_mut().unwrap().start(start)
    }

    fn emit(&mut self, event: &Event) -> io::Result<()> {
        let is_final = u64::from(event.status == EventStatus::Final);
        self.watched.finals.fetch_add(is_final, Ordering::Relaxed);
        self.kept.get_mut().unwrap().emit(event)
    }

    fn status(&mut self, status: &Status) -> io::Result<()> {
        self.watched.packets.store(status.packets, Ordering::Relaxed);
        *self.watched.status.lock().unwrap() = status.clone();
        Ok(())
    }
}

/// Watches while `inject` goes on in another thread of the namespace.
pub(crate) fn watch(
    options: &RunOptions,
    inject: impl FnOnce(&Watched) + Send,
) -> (Kept, Result<Report, String>) {
    let watched = Watched::default();
    let mut sink = LiveSink { watched: &watched, kept: Mutex::default() };
    let outcome = std::thread::scope(|scope| {
        let injector = scope.spawn(|| {
            wait_until("the start", || watched.started.load(Ordering::Relaxed));
            // The run ends whatever becomes of the injector.
            let injected =
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| inject(&watched)));
            watched.stop.store(true, Ordering::Relaxed);
            injected
        });
        let outcome = pipeline::run(options, &watched.stop, &mut sink);
        let outcome = outcome.map_err(|error| error.to_string());
        watched.started.store(true, Ordering::Relaxed);
        if let Err(panic) = injector.join().unwrap() {
            std::panic::resume_unwind(panic);
        }
        outcome
    });
    (sink.kept.into_inner().unwrap(), outcome)
}
