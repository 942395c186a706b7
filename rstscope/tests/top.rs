//! `rstscope top` in a real terminal: keys are pressed, the screen is read.
#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use collector::{Listen, Options, Recent, Sensor, Server};
use events::{Event, Status};

/// A terminal of its own, by tmux on a socket of its own; gone when dropped.
struct Terminal {
    socket: String,
}

impl Terminal {
    /// Runs `rstscope top` with `arguments` in 80 columns and 24 lines, and a line of text after it; `None`
    /// without tmux.
    fn run(name: &str, arguments: &str) -> Option<Self> {
        let terminal = Self { socket: format!("rstscope-{name}-{}", std::process::id()) };
        let program = env!("CARGO_BIN_EXE_rstscope");
        let script = format!("'{program}' top {arguments}; echo ended with $?; cat");
        let size = ["-x", "80", "-y", "24"];
        let begin = ["-f", "/dev/null", "new-session", "-d"];
        let started = terminal.tmux(&[&begin[..], &size, &["sh", "-c", &script]].concat());
        if let Err(error) = started {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "tmux is missing: {error}");
            eprintln!("SKIPPED: no tmux here: {error}");
            return None;
        }
        Some(terminal)
    }

    fn tmux(&self, arguments: &[&str]) -> std::io::Result<Output> {
        Command::new("tmux")
            .args(["-L", &self.socket])
            .args(arguments)
            .stdin(Stdio::null())
            .env("TERM", "xterm-256color")
            .env_remove("TMUX")
            .env_remove("NO_COLOR")
            .output()
    }

    fn press(&self, key: &str) {
        let output = self.tmux(&["send-keys", key]).expect("tmux runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn screen(&self) -> String {
        let output = self.tmux(&["capture-pane", "-p"]).expect("tmux runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Waits until the screen is as it should be, and gives it.
    fn shows(&self, what: &str, is_so: impl Fn(&str) -> bool) -> String {
        let begin = Instant::now();
        loop {
            let screen = self.screen();
            if is_so(&screen) {
                return screen;
            }
            assert!(begin.elapsed() < PATIENCE, "no {what} on the screen:\n{screen}");
            // Nobody tells when a screen has changed.
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn shows_text(&self, text: &str) -> String {
        self.shows(text, |screen| screen.contains(text))
    }

    /// The process of the program: the child of the shell in the terminal.
    fn program_pid(&self) -> String {
        let output = self.tmux(&["list-panes", "-F", "#{pane_pid}"]).expect("tmux runs");
        let shell = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let children = std::fs::read_to_string(format!("/proc/{shell}/task/{shell}/children"));
        children.expect("the shell runs").trim().to_owned()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.tmux(&["kill-server"]);
    }
}

fn capture() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../lab/captures/demo.pcap")
}

#[test]
fn keys_lead_from_a_table_to_the_proof_and_the_terminal_is_as_before() {
    let Some(terminal) = Terminal::run("keys", &capture().display().to_string()) else { return };
    let screen = terminal.shows("row", |screen| screen.contains("aborted") && has_rows(screen));
    assert!(screen.contains("ORIGIN") && screen.contains("CAUSE") && screen.contains("SERVER"));
    assert!(screen.lines().all(|line| line.chars().count() <= 80), "{screen}");
    terminal.press("Enter");
    terminal.shows_text("newest first");
    terminal.press("Enter");
    terminal.shows_text("Community ID");
    terminal.press("End");
    terminal.shows_text("What to do");
    terminal.press("Escape");
    terminal.press("Escape");
    terminal.shows_text("ORIGIN");
    terminal.press("?");
    terminal.shows_text("next table");
    terminal.press("q");
    terminal.press("q");
    let screen = terminal.shows_text("ended with 0");
    assert!(!screen.contains("ORIGIN"), "the screen from before is back:\n{screen}");
}

/// Whether a table has a row with a count.
fn has_rows(screen: &str) -> bool {
    let lines = screen.lines().filter(|line| line.matches(['│', '┃']).count() >= 4);
    lines.into_iter().any(|line| line.chars().any(|character| character.is_ascii_digit()))
}

#[test]
fn a_signal_gives_the_terminal_back() {
    let Some(terminal) = Terminal::run("signal", &capture().display().to_string()) else { return };
    terminal.shows_text("ORIGIN");
    let pid = terminal.program_pid();
    let killed = Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs");
    assert!(killed.success());
    let screen = terminal.shows_text("ended with 0");
    assert!(!screen.contains("ORIGIN"), "{screen}");
}

/// The resets of the demo, as `rstscope read` tells them.
fn events() -> Vec<Event> {
    let output = Command::new(env!("CARGO_BIN_EXE_rstscope"))
        .arg("read")
        .arg(capture())
        .args(["--format", "json"])
        .output()
        .expect("the program starts");
    let text = String::from_utf8(output.stdout).expect("the output is text");
    text.lines().map(|line| serde_json::from_str(line).expect("an event")).collect()
}

fn serve(listen: &str) -> Server {
    let listen = Some(Listen::At(listen.parse().expect("an address")));
    let options = Options { listen, ..Options::default() };
    let sensor = Sensor { name: "tap-7".into(), ..Sensor::default() };
    let recent = Arc::new(Recent::new(&options, sensor));
    recent.status(&Status { uptime_s: 61.0, ..Status::default() });
    events().iter().for_each(|event| recent.event(event));
    collector::serve(&options, recent).expect("the port is free").expect("it is not off")
}

#[test]
fn a_sensor_that_goes_away_and_comes_back_is_followed() {
    let server = serve("127.0.0.1:0");
    let address = server.local_addr().to_string();
    let Some(terminal) = Terminal::run("api", &format!("--connect http://{address}")) else {
        return;
    };
    terminal.shows("rows of the sensor", |screen| screen.contains("tap-7") && has_rows(screen));
    terminal.press("Enter");
    terminal.shows_text("newest first");
    terminal.press("Enter");
    terminal.shows_text("Community ID");
    terminal.press("Escape");
    terminal.press("Escape");
    drop(server);
    terminal.shows_text("LOST CONNECTION");
    let server = serve(&address);
    terminal.shows("sensor", |screen| screen.contains("tap-7") && !screen.contains("LOST"));
    drop(server);
}

#[test]
fn without_a_terminal_it_says_what_to_do() {
    let output = Command::new(env!("CARGO_BIN_EXE_rstscope"))
        .arg("top")
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("rstscope read FILE") && text.contains("/api/v1/snapshot"), "{text}");
}

/// A screen that is not there by then never will be.
const PATIENCE: Duration = Duration::from_secs(30);
