//! Screens of real resets, as they are drawn, and the way through them by keys.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use collector::{Options, Recent, Sensor};
use events::{Event, QueueStatus, Status, TapFault, TapFaultKind};
use pipeline::Sink;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::captures::Captures;
use super::feed::{Answer, Ask, Feed};
use super::screen::{Pane, Screen};
use super::view::{self, Look};

struct Into<'r>(&'r Recent);

impl Sink for Into<'_> {
    fn emit(&mut self, event: &Event) -> io::Result<()> {
        self.0.event(event);
        Ok(())
    }
}

/// The ten resets of the demo, as a capture or as if they had come live.
fn demo(is_live: bool) -> Captures {
    let sensor = Sensor { name: "tap-7".into(), version: "1.2.3".into(), interfaces: Vec::new() };
    let options = Options::default();
    let recent =
        if is_live { Recent::new(&options, sensor) } else { Recent::of_captures(&options, sensor) };
    // Tests run in the folder of their crate; the path is on the screen and must not tell where that is.
    let capture = PathBuf::from("../lab/captures/demo.pcap");
    let options = pipeline::Options { seed: Some(7), flows: 1 << 12, ..Default::default() };
    let stop = AtomicBool::new(false);
    let report = pipeline::read(&[capture], &options, None, &stop, &mut Into(&recent))
        .expect("the capture is whole");
    if is_live {
        recent.status(&status(0));
        recent.status(&status(1));
    } else {
        recent.finish(&report);
    }
    Captures::of("demo.pcap".into(), Arc::new(recent))
}

/// Two ports of a tap, of which one is down, after so many seconds.
fn status(second: u64) -> Status {
    let queue = |interface: &str, is_up: bool, packets: u64| QueueStatus {
        interface: interface.into(),
        mode: "native zero-copy".into(),
        is_up,
        packets: packets * second,
        ..QueueStatus::default()
    };
    let mut status = Status {
        uptime_s: 100.0 + second as f64,
        packets: 1_234_567 * second,
        bytes: 123_456_789 * second,
        flows: 38,
        flows_max: 1 << 20,
        losses: [("kernel_receive_dropped".to_owned(), 9)].into(),
        queues: vec![queue("east0", true, 1_234_567), queue("west0", false, 0)],
        ..Status::default()
    };
    status.tap.faults.push(TapFault {
        kind: TapFaultKind::OneSided,
        text: "only one direction comes: verdicts are wrong; mirror both directions".into(),
    });
    status
}

/// A screen of a size and what it is fed by.
struct Play {
    screen: Screen,
    feed: Captures,
    now: Instant,
}

impl Play {
    fn new(is_live: bool, width: u16, height: u16) -> Self {
        let feed = demo(is_live);
        let mut screen = match is_live {
            true => Screen::live("http://127.0.0.1:9477".into()),
            false => Screen::of_captures(feed.name()),
        };
        screen = screen.harmful(true);
        screen.resize(width, height);
        let mut play = Self { screen, feed, now: Instant::now() };
        play.answer();
        play
    }

    /// A second passes, and everything that is asked is answered.
    fn answer(&mut self) {
        self.now += Duration::from_secs(2);
        loop {
            let asks = self.screen.asks(self.now);
            if asks.is_empty() {
                return;
            }
            for ask in asks {
                let told = self.feed.answer(&ask);
                self.screen.take(Answer { ask, told });
            }
        }
    }

    fn press(&mut self, code: KeyCode) {
        self.screen.press(KeyEvent::new(code, KeyModifiers::NONE));
        self.answer();
    }

    fn type_text(&mut self, text: &str) {
        text.chars().for_each(|character| self.press(KeyCode::Char(character)));
    }

    fn drawn(&self) -> String {
        let (width, height) = self.screen.size;
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
        let draw = |frame: &mut ratatui::Frame<'_>| {
            view::draw(frame, &self.screen, Look { colours: true });
        };
        terminal.draw(draw).expect("it is drawn");
        terminal.backend().to_string()
    }
}

#[test]
fn the_screen_of_a_capture() {
    insta::assert_snapshot!("capture_80x24", Play::new(false, 80, 24).drawn());
    insta::assert_snapshot!("capture_120x40", Play::new(false, 120, 40).drawn());
}

#[test]
fn the_screen_of_a_live_run() {
    for (name, width, height) in [("live_80x24", 80, 24), ("live_120x40", 120, 40)] {
        let mut play = Play::new(true, width, height);
        play.feed.recent().status(&status(2));
        play.answer();
        // Once more in the same second: rates stay.
        play.answer();
        insta::assert_snapshot!(name, play.drawn());
    }
}

#[test]
fn enter_leads_from_a_row_to_its_events_to_the_proof_and_esc_back() {
    let mut play = Play::new(false, 100, 30);
    let overview = play.drawn();
    play.press(KeyCode::Enter);
    insta::assert_snapshot!("list_100x30", play.drawn());
    play.press(KeyCode::Enter);
    insta::assert_snapshot!("sheet_100x30", play.drawn());
    let top = play.drawn();
    play.press(KeyCode::PageDown);
    assert_ne!(play.drawn(), top, "it scrolls");
    play.press(KeyCode::End);
    assert!(!play.drawn().contains("lines more"), "{}", play.drawn());
    play.press(KeyCode::Home);
    assert_eq!(play.drawn(), top);
    play.press(KeyCode::Esc);
    play.press(KeyCode::Esc);
    assert_eq!(play.drawn(), overview);
}

#[test]
fn what_is_chosen_stays_chosen_when_the_order_changes() {
    let mut play = Play::new(false, 100, 30);
    play.press(KeyCode::Left);
    assert_eq!(play.screen.pane, Pane::Cause);
    play.press(KeyCode::Down);
    let rows = play.screen.rows(Pane::Cause);
    let chosen = rows[1].name.clone();
    assert_eq!(play.screen.index(Pane::Cause, &rows), 1);
    play.press(KeyCode::Char('h'));
    let rows = play.screen.rows(Pane::Cause);
    assert!(rows.len() > 2, "the harmless ones are there too");
    assert_eq!(rows[play.screen.index(Pane::Cause, &rows)].name, chosen);
}

#[test]
fn a_filter_is_checked_while_it_is_typed_and_then_counts() {
    let mut play = Play::new(false, 100, 30);
    let all: u64 = play.screen.rows(Pane::Origin).iter().map(|row| row.counts.harmful()).sum();
    play.press(KeyCode::Char('/'));
    play.type_text("origin=middle");
    play.press(KeyCode::Enter);
    assert!(play.drawn().contains("middlebox_to_client"), "the choices are named");
    play.type_text("box");
    play.press(KeyCode::Enter);
    let rows = play.screen.rows(Pane::Origin);
    let filtered: u64 = rows.iter().map(|row| row.counts.harmful()).sum();
    assert!(filtered > 0 && filtered < all);
    assert!(rows.iter().all(|row| row.name.starts_with("middlebox")), "{rows:?}");
    assert!(play.drawn().contains("only origin=middlebox"));
}

#[test]
fn a_pause_asks_nothing_and_a_lost_connection_is_said_and_over_when_it_is_back() {
    let mut play = Play::new(true, 80, 24);
    play.press(KeyCode::Char('p'));
    play.now += Duration::from_secs(60);
    assert_eq!(play.screen.asks(play.now), []);
    play.press(KeyCode::Char('p'));
    let ask = Ask::Snapshot { only: Vec::new() };
    play.screen.take(Answer { ask, told: Err("no answer from there".into()) });
    let drawn = play.drawn();
    assert!(drawn.contains("LOST CONNECTION") && drawn.contains("no answer from there"), "{drawn}");
    play.answer();
    assert!(!play.drawn().contains("LOST CONNECTION"), "it is asked again");
}

#[test]
fn any_size_and_any_key_can_be_drawn() {
    let keys = [
        KeyCode::Enter,
        KeyCode::Down,
        KeyCode::End,
        KeyCode::Char('?'),
        KeyCode::Char('h'),
        KeyCode::Enter,
        KeyCode::PageDown,
        KeyCode::Char('/'),
        KeyCode::Char('ü'),
        KeyCode::Enter,
        KeyCode::Esc,
        KeyCode::Esc,
        KeyCode::Tab,
    ];
    let mut play = Play::new(true, 1, 1);
    for (width, height) in [(1, 1), (3, 2), (20, 5), (39, 10), (80, 6), (300, 100)] {
        play.screen.resize(width, height);
        for key in keys {
            play.press(key);
            play.drawn();
        }
    }
    assert!(!play.screen.is_over());
    play.press(KeyCode::Char('q'));
    assert!(play.screen.is_over());
}
