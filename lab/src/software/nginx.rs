//! nginx: its keep-alive timer, its resets of stalled requests, and its processes.

use std::fmt::Write as _;
use std::time::Duration;

use crate::scenario::Stage;
use crate::software::caller::{Caller, Seems, together};
use crate::software::program::{Folder, Program};
use crate::software::spread;
use crate::{Error, Truth};

/// A running nginx with its workers.
pub(super) struct Nginx {
    pub(super) program: Program,
    pub(super) folder: Folder,
}

impl Nginx {
    /// Starts nginx with two workers and one server for each of `servers`, on ports 0, 1, … of the stage.
    pub(super) fn start(stage: &Stage<'_>, servers: &[&str]) -> Result<Self, Error> {
        let folder = Folder::create()?;
        let configuration = configuration(stage, &folder, servers);
        let path = folder.write("nginx.conf", &configuration)?;
        let prefix = folder.file("");
        let arguments = ["-p", &prefix.to_string_lossy(), "-c", &path.to_string_lossy()];
        let program = Program::start(stage.topology().server(), &folder, "nginx", &arguments)?;
        for index in 0..servers.len() {
            let address = stage.server_address(u16::try_from(index).expect("a few servers"));
            program.await_listener(stage.topology().server(), address)?;
        }
        Ok(Self { program, folder })
    }
}

/// The configuration: everything nginx writes stays in `folder`.
pub(super) fn configuration(stage: &Stage<'_>, folder: &Folder, servers: &[&str]) -> String {
    let mut text = String::from(
        "daemon off;\nuser root;\nworker_processes 2;\nerror_log stderr notice;\n\
         events { worker_connections 512; }\nhttp {\n access_log off;\n default_type text/plain;\n",
    );
    let _ = writeln!(text, " root {};", folder.file("").display());
    for part in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        let _ = writeln!(text, " {part}_temp_path {};", folder.file(part).display());
    }
    for (index, server) in servers.iter().enumerate() {
        let address = stage.server_address(u16::try_from(index).expect("a few servers"));
        let _ = writeln!(text, " server {{ listen {address}; {server} }}");
    }
    let pid = folder.file("pid");
    format!("pid {};\n{text}}}\n", pid.display())
}

/// A request without a body that keeps the connection.
pub(super) const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: lab.example\r\n\r\n";
/// The end of every answer of `return 200`.
pub(super) const ANSWER_END: &[u8] = b"all there is\n";
/// An nginx location that answers at once.
pub(super) const ANSWERS: &str = "location / { return 200 'all there is\\n'; }";

/// Flows of each timer.
const FLOWS: usize = 32;

/// The timer of [`keepalive`].
const KEEPALIVE: Duration = Duration::from_secs(7);

/// The server closes idle connections with FIN; whoever asks later meets a reset.
pub(crate) fn keepalive(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let server = format!("keepalive_timeout {}s; {ANSWERS}", KEEPALIVE.as_secs());
    let _nginx = Nginx::start(stage, &[&server])?;
    let idle = spread(&mut stage.random(), FLOWS, KEEPALIVE);
    let truths = together(FLOWS, |number| {
        let mut caller = Caller::call(stage, 0)?;
        let flow = caller.flow;
        if !caller.ask(GET, ANSWER_END) {
            return Err(stage.broken(flow.0, flow.1, "nginx did not answer"));
        }
        std::thread::sleep(idle[number]);
        let seemed = caller.seems()?;
        let idle_s = idle[number].as_secs_f64();
        if seemed == Seems::Open && caller.ask(GET, ANSWER_END) {
            caller.finish();
            let done = format!("nginx answered again after {idle_s:.2} s of silence");
            return Ok(vec![stage.truth(flow, "none", "none", done)]);
        }
        if seemed != Seems::Open {
            let _ = caller.say(GET);
        }
        stage.pause(2);
        let done = format!(
            "nginx 1.22 closed with FIN at its keepalive_timeout; the client asked again after {idle_s:.2} s of silence"
        );
        Ok(vec![stage.truth(flow, "server", "data_after_close", done)])
    })?;
    Ok(timed(truths, KEEPALIVE))
}

/// The timer of [`stalled_request`].
const STALL: Duration = Duration::from_secs(6);

/// `reset_timedout_connection`: a request body that stops coming is reset at `client_body_timeout`.
pub(crate) fn stalled_request(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let server = format!(
        "client_body_timeout {}s; reset_timedout_connection on; client_max_body_size 1m; \
         location / {{ proxy_pass http://127.0.0.1:9/; }}",
        STALL.as_secs()
    );
    let _nginx = Nginx::start(stage, &[&server])?;
    let pauses = spread(&mut stage.random(), FLOWS, STALL / 2);
    let truths = together(FLOWS, |number| {
        let mut caller = Caller::call(stage, 0)?;
        let flow = caller.flow;
        caller.say(b"POST / HTTP/1.1\r\nHost: lab.example\r\nContent-Length: 90000\r\n\r\n")?;
        // One in three stalls at once; the others after gaps that the timer lets pass.
        for piece in 0..number % 3 {
            std::thread::sleep(pauses[(number + piece) % FLOWS]);
            caller.say(&[b'.'; 700])?;
        }
        stage.expect_reset(&mut caller.stream, flow)?;
        let done = "nginx 1.22 waited for the rest of a request until client_body_timeout, then closed with SO_LINGER 0 \
                    (reset_timedout_connection)";
        Ok(vec![stage.truth(flow, "server", "idle_timeout_endpoint", done)])
    })?;
    Ok(timed(truths, STALL))
}

/// Notes the timer in all truths.
pub(super) fn timed(mut truths: Vec<Truth>, timer: Duration) -> Vec<Truth> {
    for truth in &mut truths {
        truth.timer = Some(timer);
    }
    truths
}
