//! Lines that nobody meant: cut, spliced, flipped. Reading and joining them takes what comes and never panics.

use collector::logs::{Context, JoinOptions, Joiner, Reader, Reading, Zone};
use events::UtcTime;

use crate::random::Random;
use crate::world::{What, World};

/// One line of each product and message that the world does not write.
const MORE: [&str; 9] = [
    "<14>1 2023-11-14T22:13:20.000Z srx-1 RT_FLOW - RT_FLOW_SESSION_CLOSE [junos@2636.1.1.1.2.26 reason=\"TCP SERVER \
     RST\" source-address=\"10.1.2.3\" source-port=\"40000\" destination-address=\"203.0.113.9\" \
     destination-port=\"443\" nat-source-address=\"198.51.100.7\" nat-source-port=\"61000\" \
     nat-destination-address=\"203.0.113.9\" nat-destination-port=\"443\" protocol-id=\"6\" policy-name=\"out\" \
     elapsed-time=\"20\"]",
    "rstscope_nginx client=10.1.2.3 client_port=40000 server=203.0.113.9 server_port=443 pid=1 connection=4 requests=1 \
     status=499 bytes=150 msec=1700000005.127 request_time=3.100 upstream=\"-\" host=web-1",
    "2023/11/14 22:13:25 [error] 123#7: *45 recv() failed (104: Connection reset by peer) while reading, client: x",
    "[2023-11-14T22:13:20.443Z] \"GET / HTTP/1.1\" 503 UC up - \"-\" 0 95 3100 - \"-\" \"curl\" \"id\" \"a:9080\" \
     \"10.2.0.8:9080\" inbound|9080|| 10.2.0.7:51000 10.2.0.7:9080 10.1.2.3:40000 x default",
    "<1>Nov 14 2023 22:13:20 a : %ASA-6-106015: Deny TCP (no connection) from 10.1.2.3/4 to 1.2.3.4/5 flags RST  on \
     interface x",
    "<1>Nov 14 2023 22:13:20 a : %ASA-4-106023: Deny tcp src o:1.2.3.4/5 dst i:1.2.3.4/6 by access-group \"x\" [0, 0]",
    "<1>%FTD-1-430003: AccessControlRuleAction: Block, SrcIP: 10.1.2.3, DstIP: 1.2.3.4, SrcPort: 4, DstPort: 5, \
     Protocol: tcp, ConnectionDuration: 18446744073709551615",
    "logid=1 type=\"utm\" subtype=ips proto=6 action=reset srcip=::1 srcport=1 dstip=::2 dstport=2 \
     eventtime=18446744073709551615 attack=x",
    "1,2023/11/14 22:13:24,1,THREAT,vulnerability,1,2023/11/14 22:13:24,10.1.2.3,203.0.113.9,0.0.0.0,0.0.0.0,r,,,a,v,u,t,\
     i,o,f,x,1,1,40000,443,0,0,0x0,tcp,reset-both,\"u,\"\"r\",T(1),any,critical,client-to-server",
];

/// Numbers and letters that parsers stumble over.
const PIECES: [&str; 16] = [
    "\"",
    "=",
    ",",
    ":",
    "/",
    "[",
    "]",
    " ",
    "\\",
    "\0",
    "ß",
    "\u{feff}",
    "99999999999999999999",
    "-1",
    "2024-02-30",
    "\n",
];

#[test]
fn no_line_makes_reading_or_joining_panic() {
    let world = World::new(13, 60, &crate::models());
    let mut lines: Vec<String> = MORE.iter().map(|line| (*line).to_owned()).collect();
    let mut joiner =
        Joiner::new(JoinOptions { events: 64, sessions: 64, ..JoinOptions::default() });
    for arrival in &world.arrivals {
        match &arrival.what {
            What::Line { text, .. } => lines.push(text.clone()),
            What::Event(event) => drop(joiner.event(UtcTime(arrival.at_ns), "tap", event)),
        }
    }
    let mut random = Random::new(17);
    let mut reader = Reader::new();
    let (mut sessions, mut garbage) = (0, 0);
    for round in 0..40_000_u64 {
        let line = mutated(&lines, &mut random);
        let zone = Zone { east_s: random.below(100_000) as i32 - 50_000 };
        let received = UtcTime(1_700_000_000_000_000_000 + round * 10_000_000);
        let context = Context { received, zone, source: "x" };
        match reader.read(&line, &context) {
            Ok(Reading::Session(session)) => {
                sessions += 1;
                drop(joiner.session(received, *session));
            }
            Ok(Reading::Other(_)) => {}
            Err(said) => {
                garbage += 1;
                assert!(!said.why.is_empty());
            }
        }
        if round % 100 == 0 {
            drop(joiner.tick(received));
        }
    }
    drop(joiner.tick(UtcTime(u64::MAX)));
    drop(joiner.finish());
    assert!(sessions > 1000 && garbage > 1000, "{sessions} sessions, {garbage} garbage");
}

fn mutated(lines: &[String], random: &mut Random) -> Vec<u8> {
    let pick = |random: &mut Random| &lines[random.below(lines.len() as u64) as usize];
    let mut line = pick(random).clone().into_bytes();
    for _ in 0..random.below(4) {
        let at = random.below(line.len() as u64 + 1) as usize;
        match random.below(5) {
            0 => line.truncate(at),
            1 => {
                let piece = PIECES[random.below(PIECES.len() as u64) as usize];
                line.splice(at..at, piece.bytes());
            }
            2 => {
                if let Some(byte) = line.get_mut(at) {
                    *byte = random.below(256) as u8;
                }
            }
            3 => {
                let other = pick(random).as_bytes();
                let from = random.below(other.len() as u64) as usize;
                line.truncate(at);
                line.extend_from_slice(&other[from..]);
            }
            _ => {
                let to = line.len().min(at + random.below(12) as usize);
                line.drain(at..to);
            }
        }
    }
    line
}
