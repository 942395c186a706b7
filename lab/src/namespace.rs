//! A host: one anonymous network namespace.
//!
//! The namespace has no name in `/run/netns`. It is held by one descriptor of this process (and by the sockets
//! and threads inside it), so the kernel removes it, with its interfaces, when the process ends in whatever way.

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use nix::sched::{CloneFlags, setns, unshare};

use crate::Error;

/// A network namespace that lives no longer than this process.
#[derive(Debug)]
pub struct Namespace {
    name: String,
    file: File,
}

impl Namespace {
    /// Makes an empty namespace; `name` is only used in messages.
    ///
    /// Fails without `CAP_SYS_ADMIN`.
    pub(crate) fn create(name: &str) -> Result<Self, Error> {
        let failed = |source| Error::Namespace { name: name.to_owned(), source };
        let file = thread::scope(|scope| {
            // A namespace belongs to a thread: a thread of its own moves there and leaves a descriptor behind.
            let maker = scope.spawn(|| {
                unshare(CloneFlags::CLONE_NEWNET)?;
                File::open("/proc/thread-self/ns/net").map_err(io_errno)
            });
            maker.join().expect("the maker of a namespace does not panic")
        });
        Ok(Self { name: name.to_owned(), file: file.map_err(failed)? })
    }

    /// Name of the host, for messages: `rs-<pid>-<host>`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A path that can be opened and given to `setns`, or to `ip link set … netns <path>`.
    ///
    /// It is valid as long as the lab lives.
    pub fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/fd/{}", std::process::id(), self.file.as_raw_fd()))
    }

    /// Runs `job` on a thread inside the namespace and waits for it.
    ///
    /// Sockets opened by `job` stay in the namespace and may be used from every thread; children it starts live there.
    pub fn run<T, F>(&self, job: F) -> Result<T, Error>
    where
        T: Send,
        F: FnOnce() -> Result<T, Error> + Send,
    {
        thread::scope(|scope| {
            let visitor = scope.spawn(|| {
                setns(&self.file, CloneFlags::CLONE_NEWNET)
                    .map_err(|source| Error::Namespace { name: self.name.clone(), source })?;
                job()
            });
            visitor.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Runs a program inside the namespace, feeds it `input` and returns what it printed.
    pub(crate) fn tool(
        &self,
        program: &'static str,
        arguments: &[&str],
        input: &str,
    ) -> Result<String, Error> {
        self.run(|| {
            let missing = |source| Error::ToolMissing { program, source };
            let mut child = Command::new(program)
                .args(arguments)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .map_err(missing)?;
            let mut stdin = child.stdin.take().expect("standard input is piped");
            // A tool that gave up early closes its input; its exit status tells, not this write.
            let _ = stdin.write_all(input.as_bytes());
            drop(stdin);
            let output = child.wait_with_output().map_err(missing)?;
            if !output.status.success() {
                return Err(Error::ToolFailed {
                    program,
                    host: self.name.clone(),
                    message: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
                });
            }
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        })
    }

    /// Writes kernel settings; paths are relative to `/proc/sys`, which shows the settings of the reader's namespace.
    pub(crate) fn sysctl(&self, settings: &[(&str, &str)]) -> Result<(), Error> {
        self.run(|| {
            for (path, value) in settings {
                std::fs::write(format!("/proc/sys/{path}"), value).map_err(|source| {
                    Error::Sysctl {
                        path: (*path).to_owned(),
                        value: (*value).to_owned(),
                        host: self.name.clone(),
                        source,
                    }
                })?;
            }
            Ok(())
        })
    }
}

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

fn io_errno(error: std::io::Error) -> nix::Error {
    nix::Error::from_raw(error.raw_os_error().unwrap_or(libc::EIO))
}
