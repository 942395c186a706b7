//! Real connections through a router that translates addresses, seen on both of its sides, and the lines that
//! firewalls in its place write: every line joins to the reset of its own connection.

use std::collections::HashMap;
use std::path::Path;

use collector::logs::JoinOptions;
use events::{Endpoint, Event, EventStatus};

use crate::lines::{Connection, Kind, Line, Said, Writer};
use crate::world::{Arrival, WRITERS, What, World};
use crate::{play, real, right_joins};

const SECOND: u64 = 1_000_000_000;

/// A connection as the router had it.
struct Flow {
    number: u64,
    connection: Connection,
    kind: String,
}

impl Flow {
    /// Its ends as they are seen on this side of the router.
    fn ends(&self, side: &str) -> (Endpoint, Endpoint) {
        let c = &self.connection;
        if side == "inside" { (c.client, c.server) } else { (c.client_after, c.server_after) }
    }

    fn is_of(&self, event: &Event, side: &str) -> bool {
        let c = &self.connection;
        let lived = c.begun_ns - SECOND / 2..c.ended_ns + SECOND / 2;
        self.ends(side) == (event.client, event.server) && lived.contains(&event.ts.0)
    }
}

#[test]
fn lines_about_real_connections_behind_nat_join_rightly_on_both_sides_of_it() {
    if real::is_missing(&["unshare", "nsenter", "python3", "ip", "tcpdump", "nft"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    real::play("nat.py", &[folder.path()]);
    let flows = flows_of(&folder.path().join("flows.csv"));
    assert_eq!(flows.len(), 96);
    let moved = |flow: &&Flow| {
        let c = &flow.connection;
        (c.client, c.server) != (c.client_after, c.server_after)
    };
    assert!(flows.iter().filter(moved).count() >= 80, "the router translates most");
    for side in ["inside", "outside"] {
        let capture = folder.path().join(side).with_extension("pcap");
        let events = real::events_of(&capture).into_iter();
        let events: Vec<Event> = events
            .filter(|event| event.is_primary() && event.status == EventStatus::Final)
            .collect();
        let world = world_of(&flows, &events, side);
        let made = play(&world, JoinOptions::default(), true);
        let right = right_joins(&world, &made);
        println!(
            "{side}: {} resets, {} lines of them, {} of connections that ended well: {right} joined, none wrongly; {:?}",
            events.len(),
            world.lines,
            world.decoys,
            made.joiner.counts()
        );
        assert_eq!((world.lines, world.decoys), (80, 16), "{side}");
        assert!(right >= 76, "{side}: {right} of 80");
    }
}

/// Events as the sensor on this side tells them, and a line of each connection, by one of three firewalls whose
/// clocks are off.
fn world_of(flows: &[Flow], events: &[Event], side: &str) -> World {
    let firewalls: Vec<Writer> = ["fw-edge-2", "fgt-1", "asa-zone"]
        .map(|name| *WRITERS.iter().find(|writer| writer.name == name).unwrap())
        .into();
    let mut world = World::empty();
    for event in events {
        let at_ns = event.ts.0 + 5 * SECOND;
        world.arrivals.push(Arrival { at_ns, what: What::Event(Box::new(event.clone())) });
    }
    for flow in flows {
        let writer = firewalls[flow.number as usize % firewalls.len()];
        let (said, is_reset) = match flow.kind.as_str() {
            "client" => (Said::ByClient, true),
            "finished" => (Said::Finished, false),
            _ => (Said::ByServer, true),
        };
        let of_it: Vec<&Event> = events.iter().filter(|event| flow.is_of(event, side)).collect();
        assert_eq!(of_it.len(), usize::from(is_reset), "{side}: {} {}", flow.number, flow.kind);
        let truth = of_it.first().map(|event| event.id.clone());
        let connection = flow.connection;
        let line = Line { writer, connection, said, number: flow.number, lag_s: flow.number % 3 };
        let mut tell = |at_ns, text| {
            world.arrivals.push(Arrival { at_ns, what: What::Line { peer: writer.name, text } });
        };
        if writer.kind == Kind::Asa {
            tell(connection.begun_ns + SECOND / 2, line.asa_built());
        }
        tell(connection.ended_ns + 4 * SECOND, line.text());
        *(if is_reset { &mut world.lines } else { &mut world.decoys }) += 1;
        world.truth.insert(line.text(), truth);
    }
    world.arrivals.sort_by_key(|arrival| arrival.at_ns);
    world
}

fn flows_of(path: &Path) -> Vec<Flow> {
    let mut rows = csv::ReaderBuilder::new().has_headers(false).from_path(path).unwrap();
    let end = |text: &str| {
        let address: std::net::SocketAddr = text.parse().unwrap();
        Endpoint { ip: address.ip(), port: address.port() }
    };
    let flow = |row: csv::StringRecord| Flow {
        number: row[0].parse().unwrap(),
        connection: Connection {
            client: end(&row[1]),
            server: end(&row[2]),
            client_after: end(&row[3]),
            server_after: end(&row[4]),
            begun_ns: row[5].parse().unwrap(),
            ended_ns: row[6].parse().unwrap(),
        },
        kind: row[7].to_owned(),
    };
    let flows: Vec<Flow> = rows.records().map(|row| flow(row.unwrap())).collect();
    let numbers: HashMap<u64, ()> = flows.iter().map(|flow| (flow.number, ())).collect();
    assert_eq!(numbers.len(), flows.len(), "each is there once");
    flows
}
