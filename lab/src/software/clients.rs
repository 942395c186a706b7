//! Clients that give up, and servers that do not listen to the end: curl, Python's `http.server`, pools of connections.

use std::time::{Duration, Instant};

use crate::endpoint;
use crate::scenario::Stage;
use crate::software::caller::{Caller, together};
use crate::software::nginx::Nginx;
use crate::software::program::{Folder, Program, run};
use crate::{Error, Truth};

/// Calls of each recipe.
const CALLS: u16 = 4;

/// First port of clients that choose their own: above those the kernel gives out.
const OWN_PORT: u16 = 61_100;

/// `curl --max-time` ends a slow transfer in the middle, with more of it in the socket's buffer.
pub(crate) fn curl_gives_up(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let nginx = Nginx::start(stage, &["location / { limit_rate 60k; }"])?;
    nginx.folder.write("film", &"a frame of a film\n".repeat(100_000))?;
    let to = stage.server_address(0);
    let (interface, url) = (stage.client_ip().to_string(), format!("http://{to}/film"));
    let mut truths = Vec::new();
    for number in 0..CALLS {
        let from = std::net::SocketAddr::new(stage.client_ip(), OWN_PORT + number);
        let (port, seconds) = (from.port().to_string(), format!("1.{number}"));
        let arguments = [
            "--silent",
            "--output",
            "/dev/null",
            "--interface",
            &interface,
            "--local-port",
            &port,
            // A slow reader leaves something in the buffer at the moment it gives up.
            "--limit-rate",
            "20k",
            "--max-time",
            &seconds,
            &url,
        ];
        const TIMED_OUT: i32 = 28;
        let output = run(stage.topology().client(), "curl", &arguments)?;
        if output.status.code() != Some(TIMED_OUT) {
            return Err(stage.broken(from, to, format!("curl ended with {}", output.status)));
        }
        let done = "curl --max-time ended a download in the middle, with data of it unread";
        truths.push(stage.truth((from, to), "client", "app_abort", done));
    }
    stage.pause(2);
    // A call that had read everything when its time was up ends with FIN: no reset, no truth.
    let resets = stage.kernel_resets_at(to);
    truths.retain(|truth| {
        resets.is_empty() || resets.iter().any(|reset| reset.source == truth.client)
    });
    Ok(truths)
}

/// Python's `http.server` answers a POST at once and closes without reading its body.
pub(crate) fn python_ignores_body(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let folder = Folder::create()?;
    let to = stage.server_address(0);
    let (port, bind) = (to.port().to_string(), to.ip().to_string());
    let home = folder.file("");
    let arguments =
        ["-m", "http.server", "--bind", &bind, "--directory", &home.to_string_lossy(), &port];
    let host = stage.topology().server();
    let server = Program::start(host, &folder, "python3", &arguments)?;
    server.await_listener(host, to)?;
    let mut truths = Vec::new();
    for _ in 0..CALLS {
        let mut caller = Caller::call(stage, 0)?;
        caller.say(b"POST / HTTP/1.1\r\nHost: lab.example\r\nContent-Length: 40000\r\n\r\n")?;
        // It may have answered 501 and closed before all of the body is there.
        let _ = caller.say(&[b'.'; 40_000]);
        caller.wait_for_end();
        stage.pause(1);
        let done =
            "Python's http.server answered 501 to a POST and closed with the request's body unread";
        truths.push(stage.truth(caller.flow, "server", "app_abort|data_after_close", done));
    }
    Ok(truths)
}

/// The timer of the server in [`keepalive_race`], as Node's and Go's servers have by default or by habit.
const SERVER_IDLE: Duration = Duration::from_secs(5);
/// Connections of its client's pool.
const POOL: usize = 8;

/// A server closes idle connections after 5 s; the client's pool reuses them while the FIN is under way.
pub(crate) fn keepalive_race(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let listener = endpoint::listen_on(stage.topology().server(), stage.server_address(0), 64)?;
    stage.serve_ordinary(&listener, 0, 2)?;
    let mut pairs = Vec::new();
    for _ in 0..POOL {
        pairs.push(std::sync::Mutex::new(Some(stage.connect(&listener, 0)?)));
    }
    let race = stage.one_way() / 2;
    let truths = together(POOL, |number| {
        let pair = pairs[number].lock().expect("no flow panics").take();
        let mut pair = pair.expect("each pair is played once");
        let flow = pair.flow();
        endpoint::exchange(&mut pair.client, &mut pair.server, b"GET /\n", b"a page\n")?;
        // Both clocks start here; the client is a little early, its request a little late.
        let closes = Instant::now() + SERVER_IDLE;
        std::thread::sleep((closes - race).saturating_duration_since(Instant::now()));
        endpoint::say(&mut pair.client, b"GET /again\n")?;
        std::thread::sleep(closes.saturating_duration_since(Instant::now()));
        drop(pair.server);
        let End { reset } = end_of(&mut pair.client);
        let done = "a server closed an idle connection with FIN after 5 s while the client's next request was under way";
        let (origin, cause) = if reset { ("server", "data_after_close") } else { ("none", "none") };
        let mut truth = stage.truth(flow, origin, cause, done);
        truth.timer = Some(SERVER_IDLE);
        Ok(vec![truth])
    })?;
    stage.pause(2);
    Ok(truths)
}

/// Whether a reset ended a connection.
struct End {
    reset: bool,
}

/// After the FIN, the reset for the crossing request shows at the next look.
fn end_of(client: &mut std::net::TcpStream) -> End {
    endpoint::wait_for_end(client);
    std::thread::sleep(Duration::from_millis(100));
    let error = client.take_error().ok().flatten();
    End { reset: error.is_some() }
}
