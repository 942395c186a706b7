//! Real servers that tests start, here and in other crates: each ends with its test.
#![allow(dead_code, unreachable_pub, reason = "each test uses its part")]

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// One of the programs that `deploy/prepare.sh test` puts there; without it the test is skipped.
pub fn program(name: &str) -> Option<PathBuf> {
    found(&Path::new("/usr/local/lib/rstscope-test").join(name))
}

/// The same, where Debian puts it.
pub fn found(path: &Path) -> Option<PathBuf> {
    if path.exists() {
        return Some(path.to_owned());
    }
    let why = format!("no {}; \"deploy/prepare.sh test\" gets it", path.display());
    assert!(std::env::var("CI").as_deref() != Ok("true"), "SKIPPED in CI: {why}");
    eprintln!("SKIPPED: {why}");
    None
}

/// Nobody listens there now.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A process that can be killed and started again.
pub struct Process {
    command: Command,
    child: Child,
}

impl Process {
    /// What it says is not wanted.
    pub fn start(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().unwrap();
        Self { command, child }
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// With the same arguments.
    pub fn restart(&mut self) {
        self.child = self.command.spawn().unwrap();
    }

    /// Waits for its end: whether that was good.
    pub fn ends_well(&mut self) -> bool {
        self.child.wait().unwrap().success()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A NATS server by the sample configuration, but for its directory and its port.
pub struct Nats {
    pub process: Process,
    pub port: u16,
}

impl Nats {
    /// `more` is added to its configuration.
    pub fn start(directory: &Path, more: &str) -> Option<Self> {
        let program = program("nats/nats-server")?;
        let port = free_port();
        let sample = include_str!("../../../deploy/config/nats-server.conf");
        assert!(sample.contains("sync_interval: always"));
        let own = sample
            .replace("127.0.0.1:4222", &format!("127.0.0.1:{port}"))
            .replace("/var/lib/nats", directory.join("nats").to_str().unwrap());
        let path = directory.join("nats-server.conf");
        std::fs::write(&path, format!("{own}\n{more}\n")).unwrap();
        let mut command = Command::new(program);
        command.arg("-c").arg(path);
        Some(Self { process: Process::start(command), port })
    }

    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// `kill -9`, and there again.
    pub fn kill_and_restart(&mut self) {
        self.process.kill();
        self.process.restart();
    }
}
