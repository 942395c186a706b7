//! The kernel as witness: the trace point `tcp:tcp_send_reset` names the reason of every reset a socket layer sends.
//!
//! A tracing instance of our own is used, so no other reader is disturbed. Instances outlive their maker; a small
//! shell waits for the end of this process, however it comes, and removes ours.

use std::fs::{self, File, OpenOptions};
use std::io::Read as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// A reset that a kernel of the lab said it sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelReset {
    /// One address of the flow, as the trace point has it.
    pub source: SocketAddr,
    /// The other address; unspecified, with port 0, if a listening socket sent the reset: the trace point then
    /// shows that socket's own empty peer.
    pub destination: SocketAddr,
    /// State of the socket, `UNKNOWN` if there was none.
    pub state: String,
    /// Reason, without the prefix `SK_RST_REASON_`.
    pub reason: String,
    /// When the kernel said so: time since the machine started.
    pub uptime: Duration,
}

impl KernelReset {
    /// Reads one line of `trace_pipe`; `None` for lines of another kind.
    fn parse(line: &str) -> Option<Self> {
        let (head, fields) = line.split_once("tcp_send_reset:")?;
        let field = |name: &str| {
            fields.split_whitespace().find_map(|field| field.strip_prefix(name)?.strip_prefix('='))
        };
        Some(Self {
            source: field("src")?.parse().ok()?,
            destination: field("dest")?.parse().ok()?,
            state: field("state")?.to_owned(),
            reason: field("reason")?.to_owned(),
            uptime: uptime(head)?,
        })
    }

    /// The reset belongs to the connection between these two. The trace point orders the addresses differently
    /// for resets with and without a socket, so the order is not looked at.
    pub fn is_between(&self, one: SocketAddr, other: SocketAddr) -> bool {
        (self.source, self.destination) == (one, other)
            || (self.source, self.destination) == (other, one)
    }

    fn is_of_listener(&self) -> bool {
        self.destination.port() == 0 && self.destination.ip().is_unspecified()
    }
}

/// The time at the end of the head of a line: `… 12.345678: `, seconds.
fn uptime(head: &str) -> Option<Duration> {
    let seconds = head.trim_end().strip_suffix(':')?.split_whitespace().next_back()?;
    Duration::try_from_secs_f64(seconds.parse().ok()?).ok()
}

/// A running reader of the trace point.
#[derive(Debug)]
pub(crate) struct Witness {
    heard: Arc<Mutex<Vec<KernelReset>>>,
    stop: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
    instance: PathBuf,
    janitor: Option<Child>,
}

const TRACING: &str = "/sys/kernel/tracing";
const PREFIX: &str = "rs-lab-";

/// How often the pipe is read: the kernel wakes a waiting reader only when a share of its buffer is full.
const READ_INTERVAL: Duration = Duration::from_millis(5);

/// Most resets remembered: the trace point reports those of the whole machine, not only of the lab.
const HEARD_MAX: usize = 100_000;

impl Witness {
    /// Starts to listen. The error says in one line why that is not possible here.
    pub(crate) fn start() -> Result<Self, String> {
        mount()?;
        sweep();
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}-{number}", std::process::id());
        let instance = Path::new(TRACING).join("instances").join(name);
        let failed =
            |what: &str, error: std::io::Error| format!("{what} {}: {error}", instance.display());
        fs::create_dir(&instance).map_err(|error| failed("make", error))?;
        let mut witness = Self {
            heard: Arc::default(),
            stop: Arc::default(),
            reader: None,
            instance: instance.clone(),
            janitor: janitor(&instance),
        };
        // The clock of `CLOCK_MONOTONIC`, so that two resets of one flow can be told apart by their time.
        fs::write(instance.join("trace_clock"), "mono")
            .map_err(|error| failed("set trace_clock of", error))?;
        fs::write(instance.join("events/tcp/tcp_send_reset/enable"), "1")
            .map_err(|error| failed("enable tcp:tcp_send_reset in", error))?;
        let pipe = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(instance.join("trace_pipe"))
            .map_err(|error| failed("open trace_pipe of", error))?;
        let (heard, stop) = (Arc::clone(&witness.heard), Arc::clone(&witness.stop));
        let reader = std::thread::Builder::new()
            .name("lab-kernel".to_owned())
            .spawn(move || listen(pipe, &heard, &stop))
            .map_err(|error| failed("start the reader of", error))?;
        witness.reader = Some(reader);
        Ok(witness)
    }

    /// What the kernels said about connections from or to `end`, in the order in which they said it.
    pub(crate) fn at(&self, end: SocketAddr) -> Vec<KernelReset> {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard
            .iter()
            .filter(|reset| end == reset.source || end == reset.destination)
            .cloned()
            .collect()
    }

    /// What the kernels said about the flow between these two, in the order in which they said it; after that,
    /// what a listening socket of one of them said without naming the peer. Another lab with the same seed on the
    /// same machine could be heard there: its listeners have the same addresses.
    pub(crate) fn about(&self, one: SocketAddr, other: SocketAddr) -> Vec<KernelReset> {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let mut named: Vec<_> =
            heard.iter().filter(|reset| reset.is_between(one, other)).cloned().collect();
        // Each processor has a buffer of its own; the pipe may show the later word of another one first.
        named.sort_by_key(|reset| reset.uptime);
        let unnamed = heard.iter().filter(|reset| {
            reset.is_of_listener() && (reset.source == one || reset.source == other)
        });
        named.into_iter().chain(unnamed.cloned()).collect()
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        let _ = fs::remove_dir(&self.instance);
        if let Some(mut janitor) = self.janitor.take() {
            drop(janitor.stdin.take());
            let _ = janitor.wait();
        }
    }
}

fn mount() -> Result<(), String> {
    if Path::new(TRACING).join("instances").is_dir() {
        return Ok(());
    }
    let flags = nix::mount::MsFlags::MS_NOSUID | nix::mount::MsFlags::MS_NODEV;
    nix::mount::mount(Some("tracefs"), TRACING, Some("tracefs"), flags, None::<&str>)
        .map_err(|error| format!("mount tracefs on {TRACING}: {error}"))
}

/// Removes instances whose maker is gone and whose janitor was stopped too.
fn sweep() {
    let Ok(entries) = fs::read_dir(Path::new(TRACING).join("instances")) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let maker = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split('-').next());
        if maker.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            let _ = fs::remove_dir(entry.path());
        }
    }
}

/// A shell, in a process group of its own, that reads until we are gone and then removes the instance.
fn janitor(instance: &Path) -> Option<Child> {
    let script = "trap '' INT TERM HUP; read -r _; n=0; \
                  while [ -d \"$1\" ] && [ $n -lt 20 ]; do rmdir \"$1\" 2>/dev/null || sleep 0.1; n=$((n+1)); done";
    Command::new("sh")
        .args(["-c", script, "rs-lab-janitor"])
        .arg(instance)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .ok()
}

fn listen(mut pipe: File, heard: &Mutex<Vec<KernelReset>>, stop: &AtomicBool) {
    let mut pending = String::new();
    let mut buffer = vec![0; 64 << 10];
    while !stop.load(Ordering::Relaxed) {
        match pipe.read(&mut buffer) {
            Ok(len) if len > 0 => {
                pending.push_str(&String::from_utf8_lossy(&buffer[..len]));
                let complete = pending.rfind('\n').map_or(0, |end| end + 1);
                let lines: String = pending.drain(..complete).collect();
                let resets = lines.lines().filter_map(KernelReset::parse);
                let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
                let room = HEARD_MAX.saturating_sub(heard.len());
                heard.extend(resets.take(room));
            }
            _ => std::thread::sleep(READ_INTERVAL),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_trace_point_is_read_in_both_families() {
        let line = "  <idle>-0 [001] ..s1. 12.3: tcp_send_reset: skbaddr=0 skaddr=0 src=192.0.2.1:443 \
                    dest=192.0.2.2:4000 state=UNKNOWN reason=NO_SOCKET";
        let reset = KernelReset::parse(line).unwrap();
        assert_eq!(reset.reason, "NO_SOCKET");
        let [one, other] = ["192.0.2.2:4000", "192.0.2.1:443"].map(|text| text.parse().unwrap());
        assert!(reset.is_between(one, other));
        assert_eq!(reset.uptime, Duration::from_millis(12_300));
        let line = "x 1.5: tcp_send_reset: skbaddr=0 src=[2001:db8::1]:443 dest=[2001:db8::2]:4000 \
                    state=TCP_ESTABLISHED reason=TCP_STATE";
        assert_eq!(KernelReset::parse(line).unwrap().source.port(), 443);
        assert_eq!(KernelReset::parse("CPU:1 [LOST 3 EVENTS]"), None);
    }
}
