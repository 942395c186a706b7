//! A real program on a host of the lab, which ends when we do.
//!
//! A supervising shell waits for the end of its standard input, which comes with the end of this process in whatever
//! way, and then kills the program and removes its folder. The program runs as the first process of a PID namespace:
//! with it go all processes it ever started, also those that left its process group (sshd's sessions do).

use std::fs;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::endpoint::PATIENCE;
use crate::{Error, Namespace};

/// A folder for the files of one program.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

/// A running program.
#[derive(Debug)]
pub(super) struct Program {
    name: &'static str,
    supervisor: Child,
    folder: PathBuf,
}

/// Arguments: the folder, then the program and its own arguments.
const SUPERVISE: &str = "trap '' INT TERM HUP; folder=$1; shift; \
    unshare --pid --fork --kill-child=KILL -- \"$@\" </dev/null >\"$folder/log\" 2>&1 & \
    read -r _; kill -KILL $! 2>/dev/null; wait; rm -rf \"$folder\"";

/// Between two looks at a program that is on its way.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);

impl Folder {
    /// Makes an empty folder for temporary files.
    pub(super) fn create() -> Result<Self, Error> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("rs-lab-{}-{number}", std::process::id()));
        match fs::create_dir(&path) {
            Ok(()) => Ok(Self(path)),
            Err(source) => Err(Error::File { path, source }),
        }
    }

    /// The path of a file in the folder.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file and returns its path.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<PathBuf, Error> {
        let path = self.file(name);
        fs::write(&path, text).map_err(|source| Error::File { path: path.clone(), source })?;
        Ok(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // The supervisor removes it as well; whoever comes second finds nothing.
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Program {
    /// Starts `name` on `host`; what it prints goes into the file `log` of `folder`.
    ///
    /// Fails with [`Error::ToolMissing`] if it is not installed.
    pub(super) fn start(
        host: &Namespace,
        folder: &Folder,
        name: &'static str,
        arguments: &[&str],
    ) -> Result<Self, Error> {
        let program = find(name)?;
        host.run(|| {
            let supervisor = Command::new("sh")
                .args(["-c", SUPERVISE, "rs-lab-supervisor"])
                .arg(&folder.0)
                .arg(&program)
                .args(arguments)
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .process_group(0)
                .spawn()
                .map_err(|source| Error::ToolMissing { program: "sh", source })?;
            Ok(Self { name, supervisor, folder: folder.0.clone() })
        })
    }

    /// Waits until something on `host` listens on `address`; fails with the program's own words if nothing does.
    pub(super) fn await_listener(
        &self,
        host: &Namespace,
        address: SocketAddr,
    ) -> Result<(), Error> {
        let looks = PATIENCE.as_millis() / LOOK_INTERVAL.as_millis();
        for _ in 0..looks {
            if host.run(|| Ok(is_listening(address)))? {
                return Ok(());
            }
            std::thread::sleep(LOOK_INTERVAL);
        }
        let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        let message = format!("nothing listens on {address}; it printed: {}", log.trim());
        Err(Error::ToolFailed { program: self.name, host: host.name().to_owned(), message })
    }

    /// The program's first process, if it runs.
    pub(super) fn process(&self) -> Option<Pid> {
        let shell = Pid::from_raw(i32::try_from(self.supervisor.id()).ok()?);
        let keeper = children(shell).into_iter().next()?;
        children(keeper).into_iter().next()
    }

    /// The processes that the program's first process started.
    pub(super) fn workers(&self) -> Vec<Pid> {
        self.process().map(children).unwrap_or_default()
    }

    /// Sends a signal to one of the program's processes.
    pub(super) fn signal(&self, process: Pid, signal: Signal) -> Result<(), Error> {
        kill(process, signal)
            .map_err(|source| Error::socket(format!("send {signal} to {}", self.name), source))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.supervisor.stdin.take());
        let _ = self.supervisor.wait();
    }
}

/// Runs a program on `host` to its end, whatever that is. Fails only if it is not installed.
pub(super) fn run(
    host: &Namespace,
    name: &'static str,
    arguments: &[&str],
) -> Result<std::process::Output, Error> {
    let program = find(name)?;
    host.run(|| {
        Command::new(&program)
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .map_err(|source| Error::ToolMissing { program: name, source })
    })
}

/// Where a program is. Servers live in folders that are not in everybody's `PATH`.
fn find(name: &'static str) -> Result<PathBuf, Error> {
    ["/usr/sbin", "/usr/bin", "/sbin", "/bin"]
        .iter()
        .map(|folder| Path::new(folder).join(name))
        .find(|path| path.is_file())
        .ok_or(Error::ToolMissing { program: name, source: std::io::ErrorKind::NotFound.into() })
}

/// Processes whose parent is `process` (`proc(5)`, `children`).
fn children(process: Pid) -> Vec<Pid> {
    let text = fs::read_to_string(format!("/proc/{process}/task/{process}/children"));
    text.unwrap_or_default()
        .split_whitespace()
        .filter_map(|pid| pid.parse().ok().map(Pid::from_raw))
        .collect()
}

/// Whether a socket of this thread's namespace listens on the port of `address` (`proc(5)`, `/proc/net/tcp`).
fn is_listening(address: SocketAddr) -> bool {
    const LISTEN: &str = "0A";
    let table = if address.is_ipv4() { "tcp" } else { "tcp6" };
    let text = fs::read_to_string(format!("/proc/thread-self/net/{table}")).unwrap_or_default();
    let port = format!(":{:04X}", address.port());
    text.lines().skip(1).any(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let local = fields.next().unwrap_or_default();
        local.ends_with(&port) && fields.nth(1) == Some(LISTEN)
    })
}
