//! What a firewall did not log: told where its silence is sure to be one, and nowhere else.

use classifiers::{Effect, Stage};
use collector::logs::{Context, JoinOptions, Joiner, Reader, Reading, Revision, Zone};
use events::{Agreement, Event, UtcTime};

const SECOND: u64 = 1_000_000_000;
const START: u64 = 1_700_000_000 * SECOND;

/// Resets of one path, 20 s apart, and the lines of its firewall.
struct Path {
    joiner: Joiner,
    reader: Reader,
    revisions: Vec<Revision>,
    second: u64,
}

impl Path {
    fn new() -> Self {
        Self {
            joiner: Joiner::new(JoinOptions::default()),
            reader: Reader::new(),
            revisions: Vec::new(),
            second: 0,
        }
    }

    /// The reset number `number`, 4 s after its connection began.
    fn event(number: u16) -> Event {
        let mut event = crate::models()[0].clone();
        event.id = format!("{number:016x}");
        event.ts = UtcTime(START + u64::from(number) * 20 * SECOND);
        event.age_s = Some(4.0);
        event.idle_before_s = None;
        event.capture.midstream = false;
        event.client.ip = format!("10.7.7.{}", 1 + number % 200).parse().unwrap();
        event.client.port = 30_000 + number;
        event.server.ip = "203.0.113.9".parse().unwrap();
        event.server.port = 443;
        event.verdict.stage = Stage::Later;
        event.verdict.effect = Effect::Accepted;
        event
    }

    fn line(event: &Event, firewall: &str) -> String {
        format!(
            "<189>logid=\"0000000013\" type=\"traffic\" devname=\"{firewall}\" eventtime={} srcip={} srcport={} dstip={} \
             dstport={} proto=6 action=\"server-rst\" policyid=7 duration=4 sentbyte=1 rcvdbyte=2",
            event.ts.0, event.client.ip, event.client.port, event.server.ip, event.server.port
        )
    }

    /// Lets time pass until 5 s after this reset, when its event is told.
    fn tell(&mut self, event: &Event) {
        self.pass((event.ts.0 - START) / SECOND + 5);
        let now = self.now();
        self.revisions.extend(self.joiner.event(now, "tap", event));
    }

    fn log(&mut self, line: &str) {
        let received = self.now();
        let context = Context { received, zone: Zone { east_s: 0 }, source: "peer" };
        let reading = self.reader.read(line.as_bytes(), &context);
        let Ok(Reading::Session(session)) = reading else { panic!("{reading:?}") };
        self.revisions.extend(self.joiner.session(received, *session));
    }

    fn pass(&mut self, until: u64) {
        while self.second < until {
            self.second += 1;
            let now = self.now();
            self.revisions.extend(self.joiner.tick(now));
        }
    }

    fn now(&self) -> UtcTime {
        UtcTime(START + self.second * SECOND)
    }

    /// Resets 0 to 23, all logged by `firewall` of each; `silent` is not.
    fn play(&mut self, silent: u16, firewall: impl Fn(u16) -> Option<&'static str>) {
        for number in 0..24 {
            let event = Self::event(number);
            self.tell(&event);
            if let Some(firewall) = firewall(number).filter(|_| number != silent) {
                self.log(&Self::line(&event, firewall));
            }
        }
    }

    /// The last revision of an event, at the end of all waiting.
    fn last(&mut self, number: u16) -> Option<Event> {
        self.pass(2000);
        let id = format!("{number:016x}");
        let mut of_it = self.revisions.iter().filter(|revision| revision.event.id == id);
        of_it.next_back().map(|revision| revision.event.clone())
    }
}

#[test]
fn the_only_session_that_a_firewall_does_not_log_is_told_and_proves_nothing() {
    let mut path = Path::new();
    path.play(12, |_| Some("fgt-1"));
    let event = path.last(12).expect("it is told");
    assert_eq!((event.revision, event.corroboration.len()), (1, 1));
    let item = &event.corroboration[0];
    assert_eq!((item.agreement, item.source.as_str()), (Agreement::Absent, "fgt-1"));
    assert!(item.sentence.contains("logs no end of this connection"), "{}", item.sentence);
    assert!(item.sentence.contains("no proof"), "{}", item.sentence);
    assert_eq!((event.conclusion, item.said.as_str()), (None, "nothing"));
    assert_eq!(event.verdict, Path::event(12).verdict, "the packets' verdict stands");
    assert_eq!(path.joiner.counts().absent, 1);
    let others = path.revisions.iter().filter(|revision| revision.event.id != event.id);
    let mut items = others.flat_map(|revision| &revision.event.corroboration);
    assert!(items.all(|item| item.agreement != Agreement::Absent), "all others are logged");
}

#[test]
fn a_line_that_comes_late_takes_it_back() {
    let mut path = Path::new();
    path.play(12, |_| Some("fgt-1"));
    path.pass(12 * 20 + 600);
    let told = path
        .revisions
        .iter()
        .any(|revision| revision.event.revision == 1 && revision.event.id.ends_with("0c"));
    assert!(told, "it was told");
    path.log(&Path::line(&Path::event(12), "fgt-1"));
    let event = path.last(12).unwrap();
    assert_eq!((event.revision, event.corroboration.len()), (2, 1));
    assert_ne!(event.corroboration[0].agreement, Agreement::Absent);
}

/// Whether silence about reset 12 is told, after `play` has played.
fn is_told(play: impl FnOnce(&mut Path)) -> bool {
    let mut path = Path::new();
    play(&mut path);
    let _ = path.last(12);
    path.joiner.counts().absent > 0
}

#[test]
fn silence_that_may_have_another_reason_is_not_told() {
    assert!(is_told(|path| path.play(12, |_| Some("fgt-1"))), "by itself it is");
    let never = [
        (
            "it does not live any more",
            is_told(|path| path.play(12, |n| (n < 12).then_some("fgt-1"))),
        ),
        (
            "it does not log this path before",
            is_told(|path| path.play(12, |n| (n > 12).then_some("fgt-1"))),
        ),
        (
            "it logs every other session",
            is_told(|path| path.play(12, |n| (n % 2 == 1).then_some("fgt-1"))),
        ),
        (
            "a second one took over",
            is_told(|path| path.play(12, |n| Some(if n % 2 == 0 { "fgt-1" } else { "fgt-2" }))),
        ),
        (
            "it paused",
            is_told(|path| path.play(12, |n| (!(11..14).contains(&n)).then_some("fgt-1"))),
        ),
        ("nobody logs", is_told(|path| path.play(12, |_| None))),
    ];
    for (why, is_told) in never {
        assert!(!is_told, "{why}");
    }
}

#[test]
fn what_was_lost_or_not_read_may_have_been_the_line() {
    let disturbed = |disturb: fn(&mut Path)| {
        is_told(|path| {
            for number in 0..24 {
                let event = Path::event(number);
                path.tell(&event);
                match number {
                    12 => disturb(path),
                    _ => path.log(&Path::line(&event, "fgt-1")),
                }
            }
        })
    };
    assert!(disturbed(|_| ()), "by itself it is told");
    assert!(!disturbed(|path| path.joiner.lost(path.now())));
    assert!(!disturbed(|path| path.joiner.garbled(path.now(), "fgt-1")));
    assert!(!disturbed(|path| path.joiner.garbled(path.now(), "relay")), "anybody's");
    one_is_not_held_against_another();
    assert!(!disturbed(|path| path.joiner.lossy("fgt-1")), "its lines come by UDP");
    // A line with these addresses that fits no reset: another connection of the same ports.
    assert!(!disturbed(|path| {
        let mut other = Path::event(12);
        other.ts.0 -= 300 * SECOND;
        path.log(&Path::line(&other, "fgt-1"));
    }));
}

/// A line of one writer that cannot be read is not held against another one.
fn one_is_not_held_against_another() {
    assert!(is_told(|path| {
        path.log(&Path::line(&Path::event(99), "fgt-2"));
        path.play(12, |_| Some("fgt-1"));
        path.joiner.garbled(path.now(), "fgt-2");
    }));
}

#[test]
fn what_a_sensor_tells_after_an_outage_is_not_held_against_a_writer() {
    let mut path = Path::new();
    path.play(12, |_| Some("fgt-1"));
    let mut late = Path::event(12);
    late.id = "late".to_owned();
    late.client.port = 40_000;
    let now = path.now();
    path.revisions.extend(path.joiner.event(now, "tap", &late));
    path.pass(2000);
    assert!(path.revisions.iter().all(|revision| revision.event.id != "late"));
}

#[test]
fn of_other_paths_and_of_resets_that_end_nothing_no_silence_is_told() {
    let changed = |change: fn(&mut Event)| {
        is_told(|path| {
            for number in 0..24 {
                let mut event = Path::event(number);
                if number == 12 {
                    change(&mut event);
                    path.tell(&event);
                } else {
                    path.tell(&event);
                    path.log(&Path::line(&event, "fgt-1"));
                }
            }
        })
    };
    assert!(changed(|_| ()), "by itself it is told");
    assert!(!changed(|event| event.server.port = 80));
    assert!(!changed(|event| event.client.ip = "10.7.8.1".parse().unwrap()));
    assert!(!changed(|event| event.verdict.stage = Stage::PostSyn));
    assert!(!changed(|event| event.verdict.effect = Effect::Ignored));
}
