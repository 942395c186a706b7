//! What is left out is counted, and each line once.

use collector::logs::{Context, JoinOptions, Joiner, Reader, Reading, Zone};
use events::{Event, UtcTime};

const SECOND: u64 = 1_000_000_000;
const START: u64 = 1_700_000_000 * SECOND;

fn reset(number: u16) -> Event {
    let mut event = crate::models()[0].clone();
    event.id = format!("{number:016x}");
    event.ts = UtcTime(START + u64::from(number) * SECOND / 4);
    event.capture.midstream = true;
    event
}

fn log(joiner: &mut Joiner, now: UtcTime, firewall: &str) {
    let event = reset(0);
    let line = format!(
        "<189>logid=\"0000000013\" type=\"traffic\" devname=\"{firewall}\" eventtime={START} srcip={} srcport={} dstip={} \
         dstport={} proto=6 action=\"server-rst\" policyid=7 duration=4 sentbyte=1 rcvdbyte=2",
        event.client.ip, event.client.port, event.server.ip, event.server.port
    );
    let context = Context { received: now, zone: Zone { east_s: 0 }, source: "peer" };
    let reading = Reader::new().read(line.as_bytes(), &context);
    let Ok(Reading::Session(session)) = reading else { panic!("{reading:?}") };
    drop(joiner.session(now, *session));
}

#[test]
fn a_line_that_fits_several_resets_is_counted_once_however_often_it_is_tried() {
    let mut joiner = Joiner::new(JoinOptions::default());
    let at = |second: u64| UtcTime(START + second * SECOND);
    for number in 0..2 {
        assert!(joiner.event(at(5), "tap", &reset(number)).is_empty());
    }
    log(&mut joiner, at(6), "fgt-1");
    for second in 7..400 {
        // Another reset of the same connection lets it be tried anew.
        if second % 100 == 0 {
            let number = 2 + (second / 100) as u16;
            assert!(joiner.event(at(second), "tap", &reset(number)).is_empty());
        }
        assert!(joiner.tick(at(second)).is_empty());
    }
    assert!(joiner.finish().is_empty());
    assert_eq!((joiner.counts().ambiguous, joiner.counts().joined), (1, 0));
}

#[test]
fn writers_beyond_those_that_are_followed_are_counted() {
    let mut joiner = Joiner::new(JoinOptions::default());
    for number in 0..4100 {
        log(&mut joiner, UtcTime(START), &format!("fgt-{number}"));
    }
    assert_eq!(joiner.counts().beyond_sources, 4);
    log(&mut joiner, UtcTime(START + SECOND), "fgt-7");
    assert_eq!(joiner.counts().beyond_sources, 4, "who is known goes on being followed");
}
