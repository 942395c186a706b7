//! HAProxy: its timers, its health checks, and its ways to say no.

use std::fmt::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use crate::endpoint;
use crate::scenario::Stage;
use crate::software::caller::{Caller, Seems, together};
use crate::software::nginx::timed;
use crate::software::program::{Folder, Program};
use crate::software::spread;
use crate::{Error, Namespace, Truth};

/// A running HAProxy.
pub(super) struct Haproxy {
    program: Program,
    _folder: Folder,
}

impl Haproxy {
    /// Waits until it listens on port `index` of the stage.
    pub(super) fn await_listener(&self, stage: &Stage<'_>, index: u16) -> Result<(), Error> {
        self.program.await_listener(stage.topology().server(), stage.server_address(index))
    }

    /// Starts HAProxy on the server's host; waits until it listens on the ports `0..ports`.
    pub(super) fn start(stage: &Stage<'_>, sections: &str, ports: u16) -> Result<Self, Error> {
        Self::start_on(stage.topology().server(), stage, sections, ports)
    }

    /// Starts HAProxy on `host` with `sections` after the usual defaults.
    pub(super) fn start_on(
        host: &Namespace,
        stage: &Stage<'_>,
        sections: &str,
        ports: u16,
    ) -> Result<Self, Error> {
        let folder = Folder::create()?;
        let text = format!(
            "global\n maxconn 2000\n nbthread 1\ndefaults\n mode tcp\n timeout connect 1s\n timeout client 60s\n \
             timeout server 60s\n{sections}"
        );
        let path = folder.write("haproxy.cfg", &text)?;
        let program =
            Program::start(host, &folder, "haproxy", &["-db", "-f", &path.to_string_lossy()])?;
        for index in 0..ports {
            program.await_listener(host, stage.server_address(index))?;
        }
        Ok(Self { program, _folder: folder })
    }
}

/// The proxy's own backend: loopback of the server's host, on a port that the stage owns.
pub(super) fn backend_address(stage: &Stage<'_>, index: u16) -> SocketAddr {
    let loopback = if stage.is_v6() { "::1" } else { "127.0.0.1" };
    let loopback = loopback.parse().expect("the address of the host itself is well formed");
    SocketAddr::new(loopback, stage.server_address(index).port())
}

/// Connections that a backend of the timers holds.
const BACKLOG: i32 = 64;

/// Answers each line of each connection with a line, until the connections end.
pub(super) fn serve_lines(listener: &TcpListener, connections: usize) -> Result<(), Error> {
    std::thread::scope(|scope| {
        for _ in 0..connections {
            let mut stream = endpoint::accept(listener)?;
            scope.spawn(move || {
                use std::io::{Read as _, Write as _};
                // The proxy ends the connection, or the end of the test does.
                let _ = stream.set_read_timeout(Some(Duration::from_secs(60)));
                let mut buffer = [0; 512];
                while let Ok(len @ 1..) = stream.read(&mut buffer) {
                    if buffer[..len].ends_with(b"\n") && stream.write_all(b"heard\n").is_err() {
                        break;
                    }
                }
            });
        }
        Ok(())
    })
}

/// Flows of each front end of [`idle_timer`].
const FLOWS: usize = 30;

/// The timer of [`idle_timer`].
const IDLE: Duration = Duration::from_secs(9);

/// Ports of its two front ends.
const POLITE: u16 = 0;
const RUDE: u16 = 1;

/// `timeout tunnel` with a polite close and `timeout client` with `option nolinger`.
pub(crate) fn idle_timer(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let backend = backend_address(stage, 8);
    let listener = endpoint::listen_on(stage.topology().server(), backend, BACKLOG)?;
    let idle_s = IDLE.as_secs();
    let mut sections = String::new();
    let rude = format!("timeout client {idle_s}s\n timeout server {idle_s}s\n option nolinger");
    for (index, name, settings) in
        [(POLITE, "polite", format!("timeout tunnel {idle_s}s")), (RUDE, "rude", rude)]
    {
        let address = stage.server_address(index);
        // Writing to a String cannot fail.
        let _ = writeln!(
            sections,
            "listen {name}\n bind {address}\n {settings}\n server only {backend}"
        );
    }
    let _haproxy = Haproxy::start(stage, &sections, 2)?;
    let idle = spread(&mut stage.random(), 2 * FLOWS, IDLE);
    let truths = std::thread::scope(|scope| {
        let backend = scope.spawn(|| serve_lines(&listener, 2 * FLOWS));
        let truths = together(2 * FLOWS, |number| {
            let index = if number < FLOWS { POLITE } else { RUDE };
            idle_flow(stage, index, idle[number])
        });
        backend.join().expect("the backend does not panic")?;
        truths
    })?;
    Ok(timed(truths, IDLE))
}

/// What the kernel says may still be in its pipe for this long.
const WITNESS_DELAY: Duration = Duration::from_millis(60);

/// A connection that the timer spared. `option nolinger` may still add a reset to HAProxy's FIN.
fn survived(stage: &Stage<'_>, flow: (SocketAddr, SocketAddr), done: String) -> Truth {
    stage.pause(1);
    std::thread::sleep(WITNESS_DELAY);
    if stage.kernel_resets_at(flow.0).is_empty() {
        return stage.truth(flow, "none", "none", done);
    }
    let done =
        done + "; the client closed, and HAProxy's answer was FIN and reset (option nolinger)";
    stage.truth(flow, "server", "close_race", done)
}

/// One connection through front end `index`, silent for `idle` after its first exchange.
fn idle_flow(stage: &Stage<'_>, index: u16, idle: Duration) -> Result<Vec<Truth>, Error> {
    let mut caller = Caller::call(stage, index)?;
    let flow = caller.flow;
    if !caller.ask(b"first\n", b"heard\n") {
        return Err(stage.broken(flow.0, flow.1, "the backend did not answer"));
    }
    std::thread::sleep(idle);
    let seemed = caller.seems()?;
    let idle_s = idle.as_secs_f64();
    let truth = match seemed {
        Seems::Open if caller.ask(b"second\n", b"heard\n") => {
            caller.finish();
            let done = format!("HAProxy passed on more after {idle_s:.2} s of silence");
            survived(stage, flow, done)
        }
        // It sends a FIN and, at once, a reset: the client may have noticed either, the timer sent both.
        _ if index == RUDE => {
            let done = "HAProxy's timeout client ran out on a silent connection; option nolinger sent a reset right \
                        after the FIN";
            stage.truth(flow, "server", "idle_timeout_endpoint", done)
        }
        _ => {
            let _ = caller.say(b"too late\n");
            stage.pause(2);
            let done = format!(
                "HAProxy's timeout tunnel closed a silent connection with FIN; the client spoke after {idle_s:.2} s"
            );
            stage.truth(flow, "server", "data_after_close", done)
        }
    };
    Ok(vec![truth])
}
