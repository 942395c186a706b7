//! A network with firewalls and proxies, made with a seed: its connections, resets and lines.

use std::collections::HashMap;
use std::net::IpAddr;

use events::{Endpoint, Event, UtcTime, community_id};

use crate::lines::{Connection, Kind, Line, Said, Writer};
use crate::random::Random;

/// Something that comes to the join, and when.
pub(crate) struct Arrival {
    pub(crate) at_ns: u64,
    pub(crate) what: What,
}

pub(crate) enum What {
    Event(Box<Event>),
    Line { peer: &'static str, text: String },
}

/// All that happens, and the truth about each line.
pub(crate) struct World {
    pub(crate) arrivals: Vec<Arrival>,
    /// The event that a line speaks of; nothing for those that speak of a connection without a reset.
    pub(crate) truth: HashMap<String, Option<String>>,
    /// Lines that speak of an event.
    pub(crate) lines: usize,
    pub(crate) decoys: usize,
    pub(crate) garbage: usize,
    random: Random,
    number: u64,
}

const SECOND: i64 = 1_000_000_000;

/// Clocks that are right, a little and far off, and in a zone that nobody told.
pub(crate) const WRITERS: [Writer; 9] = [
    Writer { kind: Kind::PanOs, name: "fw-edge-1", ahead_ns: 300_000_000 },
    Writer { kind: Kind::PanOs, name: "fw-edge-2", ahead_ns: -73 * SECOND },
    Writer { kind: Kind::PanOs, name: "fw-zone", ahead_ns: 2 * 3600 * SECOND + SECOND },
    Writer { kind: Kind::Fortigate, name: "fgt-1", ahead_ns: 5 * SECOND },
    Writer { kind: Kind::Fortigate, name: "fgt-2", ahead_ns: 0 },
    Writer { kind: Kind::Asa, name: "asa-1", ahead_ns: 17 * SECOND },
    Writer { kind: Kind::Asa, name: "asa-zone", ahead_ns: -5 * 3600 * SECOND },
    Writer { kind: Kind::Haproxy, name: "lb-1", ahead_ns: -2 * SECOND },
    Writer { kind: Kind::HaproxyTcp, name: "lb-2", ahead_ns: 40_000_000 },
];

const START_NS: u64 = 1_700_000_000_000_000_000;

impl World {
    /// `flows` resets, each with its line; then the decoys.
    pub(crate) fn new(seed: u64, flows: usize, models: &[Event]) -> Self {
        let mut world = Self { random: Random::new(seed), ..Self::empty() };
        for flow in 0..flows {
            world.flow(flow, &models[flow % models.len()], WRITERS[flow % WRITERS.len()]);
        }
        world.arrivals.sort_by_key(|arrival| arrival.at_ns);
        world
    }

    /// Nothing has happened.
    pub(crate) fn empty() -> Self {
        Self {
            arrivals: Vec::new(),
            truth: HashMap::new(),
            lines: 0,
            decoys: 0,
            garbage: 0,
            random: Random::new(0),
            number: 0,
        }
    }

    fn flow(&mut self, flow: usize, model: &Event, writer: Writer) {
        let connection = self.connection(flow, writer);
        let event = self.event(flow, model, connection, writer);
        let told_ns = event.ts.0 + self.seconds(4, 36);
        let logged_ns = connection.ended_ns + self.seconds(1, 90);
        let id = event.id.clone();
        let claimed = event.claimed;
        self.arrivals.push(Arrival { at_ns: told_ns, what: What::Event(Box::new(event)) });
        let said = match claimed {
            events::Side::Client => Said::ByClient,
            events::Side::Server => Said::ByServer,
        };
        self.write(writer, connection, said, logged_ns, Some(&id));
        self.decoys_of(connection, writer, flow);
        if flow % 20 == 7 {
            self.garbage(writer, logged_ns);
        }
    }

    /// Connections that look like this one and were not reset.
    fn decoys_of(&mut self, real: Connection, writer: Writer, flow: usize) {
        let lasted = real.ended_ns - real.begun_ns;
        let mut decoy = real;
        match flow % 4 {
            // The same addresses again, soon after or before.
            0 => {
                let apart = lasted + self.seconds(8, 200);
                decoy.begun_ns = if flow.is_multiple_of(8) {
                    real.begun_ns + apart
                } else {
                    real.begun_ns - apart
                };
            }
            // The same server, another client at the same time.
            1 => {
                decoy.client.port = decoy.client.port.wrapping_add(1).max(1025);
                decoy.client_after.port = decoy.client_after.port.wrapping_add(1).max(1025);
            }
            // The same client to another server at the same time.
            2 => {
                decoy.server.port += 1;
                decoy.server_after.port += 1;
                decoy.begun_ns += self.seconds(3, 6);
            }
            _ => return,
        }
        decoy.ended_ns = decoy.begun_ns + lasted;
        let logged_ns = decoy.ended_ns + self.seconds(1, 60);
        let said = if flow.is_multiple_of(3) { Said::Finished } else { Said::ByServer };
        self.write(writer, decoy, said, logged_ns, None);
    }

    fn connection(&mut self, flow: usize, writer: Writer) -> Connection {
        let ip = |net: [u8; 2], host: u64| -> IpAddr {
            [net[0], net[1], (host / 250) as u8, (host % 250 + 1) as u8].into()
        };
        let host = self.random.below(200);
        let end = |ip, port| Endpoint { ip, port };
        let port = 20_000 + (flow as u16) * 17 % 40_000;
        let client = end(ip([10, 1], host), port);
        let server = end(ip([203, 0], self.random.below(8)), 443);
        let is_proxy = matches!(writer.kind, Kind::Haproxy | Kind::HaproxyTcp);
        let source_translated = is_proxy || self.random.below(2) == 0;
        let destination_translated = is_proxy || self.random.below(2) == 0;
        let after_port = 1025 + self.random.below(60_000) as u16;
        let client_after =
            if source_translated { end(ip([198, 51], 3), after_port) } else { client };
        let server_after = match destination_translated {
            true => end(ip([192, 168], self.random.below(8)), 8443),
            false => server,
        };
        let begun_ns = START_NS + flow as u64 * 700_000_000 + self.random.below(900_000_000);
        let ended_ns = begun_ns + 50_000_000 + self.random.below(40_000_000_000);
        Connection { client, client_after, server, server_after, begun_ns, ended_ns }
    }

    /// The reset as a tap on either side saw it, at the end of the connection or a little before it is logged.
    fn event(
        &mut self,
        flow: usize,
        model: &Event,
        connection: Connection,
        writer: Writer,
    ) -> Event {
        let is_before = self.random.below(2) == 0 || writer.kind == Kind::HaproxyTcp;
        let (client, server) = match is_before {
            true => (connection.client, connection.server),
            false => (connection.client_after, connection.server_after),
        };
        let mut event = model.clone();
        event.id = format!("{flow:016x}");
        event.ts = UtcTime(connection.ended_ns);
        let age_s = (connection.ended_ns - connection.begun_ns) as f64 / 1e9;
        event.age_s = Some(age_s);
        event.idle_before_s = event.idle_before_s.map(|idle_s| idle_s.min(age_s / 2.0));
        event.capture.midstream = self.random.below(10) == 0 && writer.kind != Kind::HaproxyTcp;
        (event.client, event.server) = (client, server);
        event.community_id = community_id(client, server, 0);
        event
    }

    fn seconds(&mut self, least: u64, most: u64) -> u64 {
        least * 1_000_000_000 + self.random.below((most - least) * 1_000_000_000)
    }

    fn write(
        &mut self,
        writer: Writer,
        connection: Connection,
        said: Said,
        logged_ns: u64,
        truth: Option<&str>,
    ) {
        self.number += 1;
        let lag_s = self.random.below(9);
        let line = Line { writer, connection, said, number: self.number, lag_s };
        if writer.kind == Kind::Asa && self.random.below(10) > 0 {
            let text = line.asa_built();
            let at_ns = connection.begun_ns + 500_000_000;
            self.arrivals.push(Arrival { at_ns, what: What::Line { peer: writer.name, text } });
        }
        let text = line.text();
        *(if truth.is_some() { &mut self.lines } else { &mut self.decoys }) += 1;
        self.truth.insert(text.clone(), truth.map(str::to_owned));
        // Some senders repeat what they fear was lost.
        for copy in 0..=u64::from(self.random.below(20) == 0) {
            let at_ns = logged_ns + copy * 2_000_000_000;
            let what = What::Line { peer: writer.name, text: text.clone() };
            self.arrivals.push(Arrival { at_ns, what });
        }
    }

    /// A line that was cut, or whose numbers are none.
    fn garbage(&mut self, writer: Writer, at_ns: u64) {
        self.number += 1;
        let text = match writer.kind {
            Kind::PanOs => "<14>Nov 14 22:13:25 fw 1,2023/11/14 22:13:24,001,TRAFFIC,end,1,2023/11/14 22:13:24,10.1.2".to_owned(),
            Kind::Fortigate => format!("<189>logid=\"13\" type=\"traffic\" proto=6 action=\"close\" srcip=10.1.2 n={}", self.number),
            Kind::Asa => "<166>Nov 14 2023 22:13:20 asa : %ASA-6-302014: Teardown TCP connection x".to_owned(),
            _ => "<134>Nov 14 22:13:25 lb haproxy[1]: 10.1.2.3:x [14/Nov/2023:22:13:20.000] a b/c 0/0/1 0 SD".to_owned(),
        };
        self.garbage += 1;
        self.arrivals.push(Arrival { at_ns, what: What::Line { peer: writer.name, text } });
    }
}
