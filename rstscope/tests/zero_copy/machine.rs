//! An emulated machine (`deploy/qemu/boot.sh`) with one network card and a shell at the end of a serial line.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

/// Which kernel is booted, by its folder in the cache of `deploy/qemu/fetch.sh`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kernel {
    /// Drivers of igb and virtio-net have zero copy.
    ZeroCopy,
    /// They refuse it.
    Copying,
}

/// Which card the machine has.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Card {
    /// Intel's gigabit card.
    Igb,
    /// The paravirtual one.
    Virtio,
}

/// A running machine; dropped, it is killed.
pub(crate) struct Machine {
    process: Child,
    shell: BufReader<UnixStream>,
    wire: UnixDatagram,
    folder: TempDir,
}

impl Machine {
    /// Boots it with `program` as `/job/sensor`, and waits for its shell.
    pub(crate) fn boot(kernel: Kernel, card: Card, program: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the machine");
        let path = |name: &str| folder.path().join(name);
        let job = path("job");
        fs::create_dir(&job).expect("the job's folder");
        fs::copy(program, job.join("sensor")).expect("the sensor into the job");
        fs::write(job.join("run"), SHELL).expect("the job");
        make_executable(&job.join("run"));

        let listener = UnixListener::bind(path("shell")).expect("our end of the serial line");
        let wire = UnixDatagram::bind(path("wire")).expect("our end of the wire");
        wire.set_write_timeout(Some(PATIENCE)).expect("a patient wire");
        let netdev = format!(
            "dgram,id=frames,local.type=unix,local.path={},remote.type=unix,remote.path={}",
            path("card").display(),
            path("wire").display()
        );
        let console = fs::File::create(path("boot.log")).expect("a file for what QEMU says");
        let process = Command::new(boot_script())
            .args([kernel.name(), card.name()])
            .arg(&job)
            .args(["-serial", &format!("file:{}", path("console").display())])
            .args(["-serial", &format!("unix:{}", path("shell").display()), "-netdev", &netdev])
            // One processor, one queue: two queues would deliver in an order of their own.
            .env("CPUS", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(console)
            .spawn()
            .expect("deploy/qemu/boot.sh starts");
        let mut process = Killed(Some(process));
        let shell = accept(&listener, &mut process, folder.path());
        shell.set_read_timeout(Some(PATIENCE)).expect("a patient shell");
        wire.connect(path("card")).expect("QEMU's end of the wire");
        let mut machine = Self {
            process: process.0.take().expect("it was started"),
            shell: BufReader::new(shell),
            wire,
            folder,
        };
        machine.until("ready");
        machine
    }

    /// Runs a line of shell inside; returns its exit code and what it printed.
    pub(crate) fn run(&mut self, line: &str) -> (i32, String) {
        self.shell
            .get_mut()
            .write_all(format!("{line}\n").as_bytes())
            .expect("a line to the shell");
        let (text, code) = self.until("done ");
        (code.trim().parse().expect("an exit code"), text)
    }

    /// The same for a line that must succeed.
    pub(crate) fn must(&mut self, line: &str) -> String {
        let (code, text) = self.run(line);
        assert_eq!(code, 0, "{line}: {text}");
        text
    }

    /// Sends one frame to the card; waits where the card is slow, so that none is lost on the way.
    pub(crate) fn send(&self, frame: &[u8]) {
        self.wire.send(frame).expect("QEMU takes the frame");
    }

    /// Lines of the shell up to one that begins with `end`; what stood before, and the rest of that one.
    fn until(&mut self, end: &str) -> (String, String) {
        let mut text = String::new();
        loop {
            let mut line = String::new();
            match self.shell.read_line(&mut line) {
                Ok(len) if len > 0 => {}
                other => panic!(
                    "the machine fell silent ({other:?}); it had said {text:?}\n{}",
                    said(self.folder.path())
                ),
            }
            if let Some(rest) = line.strip_prefix(end) {
                return (text, rest.to_owned());
            }
            text.push_str(&line);
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Both fail only where it has ended by itself.
        let _killed = self.process.kill();
        let _waited = self.process.wait();
    }
}

impl Kernel {
    fn name(self) -> &'static str {
        match self {
            Self::ZeroCopy => "zero-copy",
            Self::Copying => "copying",
        }
    }
}

impl Card {
    fn name(self) -> &'static str {
        match self {
            Self::Igb => "igb",
            Self::Virtio => "virtio",
        }
    }
}

/// A process that is killed unless it was taken out.
struct Killed(Option<Child>);

impl Drop for Killed {
    fn drop(&mut self) {
        if let Some(process) = &mut self.0 {
            let _killed = process.kill();
            let _waited = process.wait();
        }
    }
}

/// Waits for QEMU to open its end of the serial line.
fn accept(listener: &UnixListener, process: &mut Killed, folder: &Path) -> UnixStream {
    listener.set_nonblocking(true).expect("a socket that can be asked");
    let process = process.0.as_mut().expect("it was started");
    for _ in 0..PATIENCE.as_millis() / ACCEPT_RETRY.as_millis() {
        if let Ok((stream, _)) = listener.accept() {
            stream.set_nonblocking(false).expect("a stream that waits");
            return stream;
        }
        let ended = process.try_wait().expect("its state");
        assert!(ended.is_none(), "no machine, {ended:?}\n{}", said(folder));
        thread::sleep(ACCEPT_RETRY);
    }
    panic!("QEMU does not open its serial line\n{}", said(folder));
}

/// What QEMU and the kernel said, for whoever must find out why there is no machine.
fn said(folder: &Path) -> String {
    let read = |name| fs::read(folder.join(name)).unwrap_or_default();
    let (boot, console) = (read("boot.log"), read("console"));
    format!("{}{}", String::from_utf8_lossy(&boot), String::from_utf8_lossy(&console))
}

fn make_executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("an executable job");
}

fn boot_script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/qemu/boot.sh")
}

/// Runs what comes over the serial line, line by line.
const SHELL: &str = "#!/bin/sh
stty -F /dev/ttyS1 raw -echo
exec </dev/ttyS1 >/dev/ttyS1 2>&1
echo ready
while read -r line; do eval \"$line\"; echo \"done $?\"; done
";

/// How long the machine may be silent; no test waits so long unless it fails.
const PATIENCE: Duration = Duration::from_secs(120);
const ACCEPT_RETRY: Duration = Duration::from_millis(20);
