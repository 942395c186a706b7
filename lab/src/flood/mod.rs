//! Thousands of innocent connections: every reset is an endpoint's, no device is there to blame.
//!
//! Four sites, one after the other, differ in hop counts, delays, kernel settings and the place of the tap. At each, many callers at once
//! open connections that end in all ways honest connections end, and every scenario without a middlebox is played
//! beside them. The truth names *each* reset of the capture: the first of a flow with its cause, later ones with
//! their sender only.

mod ends;

use std::collections::{BTreeMap, HashMap};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};

use crate::damage::{Capture, Frame};
use crate::endpoint::Attempt;
use crate::frame::Seen;
use crate::random::Random;
use crate::scenario::Stage;
use crate::truth::write_csv;
use crate::{Delays, Error, Family, Lab, Options, Placed, Scenario, TapPoint, Truth, record};
use ends::Ending;

/// What a flood shall be.
#[derive(Clone, Debug)]
pub struct Flood {
    /// Flows, at least; rounded up to whole callers.
    pub flows: usize,
    /// Seed of everything.
    pub seed: u64,
    /// Capture to write.
    pub capture: PathBuf,
    /// Truths to write.
    pub truth: PathBuf,
}

/// What a flood was.
#[derive(Clone, Debug, Default)]
pub struct Flooded {
    /// Connections that were opened or tried.
    pub flows: usize,
    /// Frames of the capture.
    pub frames: usize,
    /// Resets in it, by the cause of their flow.
    pub resets: BTreeMap<&'static str, usize>,
    /// Resets of endpoints without a word of a kernel.
    pub unwitnessed: usize,
    /// Recipes that did not work out; their flows are not in the truth.
    pub failures: Vec<String>,
}

/// Connections one caller makes, one after the other.
const FLOWS_PER_CALLER: usize = 25;

/// Where a part of the flood happens.
#[derive(Clone, Copy)]
struct Site {
    routers_behind_firewall: usize,
    /// One-way delays of the two legs.
    client_ms: u64,
    server_ms: u64,
    tap_point: TapPoint,
    /// Kernel settings of both ends.
    settings: &'static [(&'static str, &'static str)],
}

/// An ordinary site, one without time stamps, a far one with another hop limit, one without windows above 64 KiB.
const SITES: [Site; 4] = [
    Site {
        routers_behind_firewall: 2,
        client_ms: 8,
        server_ms: 15,
        tap_point: TapPoint::ClientSide,
        settings: &[],
    },
    Site {
        routers_behind_firewall: 1,
        client_ms: 2,
        server_ms: 6,
        tap_point: TapPoint::ServerSide,
        settings: &[("net/ipv4/tcp_timestamps", "0")],
    },
    Site {
        routers_behind_firewall: 4,
        client_ms: 12,
        server_ms: 30,
        tap_point: TapPoint::ClientSide,
        settings: &[("net/ipv4/ip_default_ttl", "128"), ("net/ipv6/conf/all/hop_limit", "128")],
    },
    Site {
        routers_behind_firewall: 3,
        client_ms: 20,
        server_ms: 3,
        tap_point: TapPoint::ServerSide,
        settings: &[("net/ipv4/tcp_window_scaling", "0"), ("net/ipv4/tcp_sack", "0")],
    },
];

/// Scenarios without a middlebox that need no crowd.
const BESIDE: [Scenario; 14] = [
    Scenario::AcceptQueueOverflow,
    Scenario::ServiceRestart,
    Scenario::UnacceptableSegment,
    Scenario::StrayProbe,
    Scenario::HealthCheck,
    Scenario::SynScan,
    Scenario::ServerHopLimitSet,
    Scenario::KilledWithUnreadData,
    Scenario::ProxiedBackendRefused,
    Scenario::IdleTimeoutEndpoint,
    Scenario::StaleConnection,
    Scenario::Ordinary,
    Scenario::CloseRace,
    Scenario::ConnectCancelled,
];

impl Flood {
    /// Plays the flood; takes a minute or two for 5,000 flows. Needs root like every lab.
    pub fn play(&self) -> Result<Flooded, Error> {
        let mut flooded = Flooded::default();
        let mut whole = Capture { link_type: 1, frames: Vec::new() };
        let mut placed = Vec::new();
        let callers = self.flows.div_ceil(FLOWS_PER_CALLER * SITES.len());
        for (number, site) in (0..).zip(SITES) {
            let part = self.capture.with_extension(format!("site{number}"));
            let outcome = self.play_site(number, site, callers, &part, &mut flooded);
            let frames = outcome.and_then(|truths| {
                let capture = Capture::read(&part)?;
                let before = whole.frames.len();
                place(&truths, &capture.frames, before, &mut placed);
                Ok(capture.frames)
            });
            let _ = std::fs::remove_file(&part);
            whole.frames.extend(frames?);
        }
        flooded.frames = whole.frames.len();
        for row in placed.iter().filter(|row: &&Placed| row.frame.is_some()) {
            *flooded.resets.entry(row.truth.cause).or_default() += 1;
            let first = !row.truth.cause.is_empty();
            flooded.unwitnessed += usize::from(first && row.truth.kernel_reason.is_none());
        }
        whole.write(&self.capture)?;
        let file = self.capture.file_name().unwrap_or_default().to_string_lossy();
        write_csv(&self.truth, &file, &placed)?;
        Ok(flooded)
    }

    fn play_site(
        &self,
        number: u64,
        site: Site,
        callers: usize,
        part: &Path,
        flooded: &mut Flooded,
    ) -> Result<Vec<Truth>, Error> {
        let lab = Lab::build(&Options {
            seed: Random::new(self.seed.wrapping_mul(4).wrapping_add(number)).next(),
            family: Family::Mixed,
            delays: Delays {
                client_leg: Duration::from_millis(site.client_ms),
                server_leg: Duration::from_millis(site.server_ms),
            },
            tap_point: site.tap_point,
            routers_behind_firewall: site.routers_behind_firewall,
            ..Options::default()
        })?;
        for host in [lab.topology().client(), lab.topology().server()] {
            host.sysctl(site.settings)?;
        }
        let mut scenarios = vec![Scenario::Innocents; callers];
        scenarios.extend(BESIDE);
        let recorder = record(&lab, part)?;
        let truths: Mutex<Vec<Truth>> = Mutex::default();
        let failures: Mutex<Vec<String>> = Mutex::default();
        lab.run_all(&scenarios, |scenario, outcome| match outcome {
            Ok(found) => truths.lock().expect("no player panics").extend(found),
            Err(error) => {
                let failure = format!("site {number}: {}: {error}", scenario.name());
                failures.lock().expect("no player panics").push(failure);
            }
        });
        let truths = truths.into_inner().expect("no player panics");
        flooded.flows += truths.len();
        flooded.failures.extend(failures.into_inner().expect("no player panics"));
        recorder.finish(Vec::new(), &self.truth)?;
        Ok(truths)
    }
}

/// Gives every reset among `frames` its row; `before` frames precede them in the whole capture.
fn place(truths: &[Truth], frames: &[Frame], before: usize, placed: &mut Vec<Placed>) {
    let mut flows: HashMap<(SocketAddr, SocketAddr), (&Truth, bool)> = HashMap::new();
    for truth in truths {
        let key = (truth.client, truth.server);
        // A 4-tuple that was drawn twice cannot be told apart; its resets stay without a cause.
        let met = flows.insert(key, (truth, false));
        if met.is_some() {
            flows.remove(&key);
        }
    }
    for (number, frame) in (before + 1..).zip(frames) {
        let Some(seen) = Seen::parse(&frame.bytes).filter(Seen::is_reset) else { continue };
        let (there, back) = ((seen.source, seen.destination), (seen.destination, seen.source));
        let key = if flows.contains_key(&there) { there } else { back };
        let Some((truth, known)) = flows.get_mut(&key) else {
            placed.push(Placed { truth: nameless(&seen), frame: Some(number) });
            continue;
        };
        let sender = if key == there { "client" } else { "server" };
        let mut truth = (*truth).clone();
        if *known || truth.origin != sender {
            truth.origin = sender;
            truth.cause = "";
            "another reset of this flow; whom it names has sent it"
                .clone_into(&mut truth.description);
        }
        *known = true;
        placed.push(Placed { truth, frame: Some(number) });
    }
    for truth in truths.iter().filter(|truth| truth.origin == "none") {
        placed.push(Placed { truth: truth.clone(), frame: None });
    }
}

/// A reset of a flow that did not work out as planned: nobody can say why, but who it was is in its header.
fn nameless(seen: &Seen<'_>) -> Truth {
    let from_server = seen.source.port() < seen.destination.port();
    let (client, server) =
        if from_server { (seen.destination, seen.source) } else { (seen.source, seen.destination) };
    Truth {
        scenario: Scenario::Innocents.name(),
        client,
        server,
        since: None,
        origin: if from_server { "server" } else { "client" },
        cause: "",
        kernel_reason: None,
        kernel_heard: false,
        rule: None,
        timer: None,
        by_hand: false,
        description: "a flow that did not end as planned; whom the reset names has sent it"
            .to_owned(),
    }
}

/// Hop limits that applications set on their sockets, and DSCP values.
const HOP_LIMITS: [i32; 3] = [128, 255, 64];
const TRAFFIC_CLASSES: [i32; 3] = [0x28, 0xb8, 0x10];

/// One caller and its server: [`FLOWS_PER_CALLER`] connections, one after the other.
pub(crate) fn innocents(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let mut random = stage.random();
    let listener = stage.listen(0)?;
    // Some applications mark their packets or set a hop limit of their own; what is accepted inherits both.
    if random.below(5) == 0 {
        let value = HOP_LIMITS[random.below(3) as usize];
        let set = if stage.is_v6() {
            setsockopt(&listener, sockopt::Ipv6Ttl, &value)
        } else {
            setsockopt(&listener, sockopt::Ipv4Ttl, &value)
        };
        set.map_err(|source| Error::socket("set the hop limit of a socket", source))?;
    }
    if random.below(5) == 0 {
        let value = TRAFFIC_CLASSES[random.below(3) as usize];
        let set = if stage.is_v6() {
            setsockopt(&listener, sockopt::Ipv6TClass, &value)
        } else {
            setsockopt(&listener, sockopt::Ipv4Tos, &value)
        };
        set.map_err(|source| Error::socket("set the traffic class of a socket", source))?;
    }
    let mut truths = Vec::new();
    let mut spoiled = 0;
    for _ in 0..FLOWS_PER_CALLER {
        std::thread::sleep(Duration::from_millis(random.below(200)));
        // The kernel may give one flow the port of an earlier one, whose echoes are not this one's.
        let since = stage.now();
        match one(stage, &listener, &mut random) {
            Ok(truth) => truths.extend(truth.map(|truth| truth.not_before(since))),
            // A busy machine may spoil a flow; what its resets mean is then not said.
            Err(_) if spoiled < SPOILED_MAX => spoiled += 1,
            Err(error) => return Err(error),
        }
    }
    Ok(truths)
}

/// Flows of one caller that may fail.
const SPOILED_MAX: usize = 3;

/// One connection and its end; `None` if nothing can be said of it.
fn one(
    stage: &Stage<'_>,
    listener: &TcpListener,
    random: &mut Random,
) -> Result<Option<Truth>, Error> {
    match Ending::choose(random) {
        Ending::Refused => {
            let index = 1 + random.below(8) as u16;
            let Attempt { address, .. } = stage.attempt(index)?;
            let flow = (address, stage.server_address(index));
            Ok(Some(stage.truth(flow, "server", "port_closed", "no middlebox: nobody listens")))
        }
        Ending::Cancelled => cancel(stage, listener),
        ending => ending.end(stage, stage.connect(listener, 0)?, random),
    }
}

/// A call that is given up before its SYN/ACK is there; `None` if the handshake was faster.
fn cancel(stage: &Stage<'_>, listener: &TcpListener) -> Result<Option<Truth>, Error> {
    let Attempt { stream, address, .. } = stage.start_connect(0)?;
    drop(stream);
    stage.pause(3);
    let failed = |source| Error::socket("look into an accept queue", source);
    listener.set_nonblocking(true).map_err(failed)?;
    let too_late = listener.accept().is_ok();
    listener.set_nonblocking(false).map_err(failed)?;
    if too_late {
        return Ok(None);
    }
    let done = "no middlebox: connect() was given up before the SYN/ACK came";
    Ok(Some(stage.truth((address, stage.server_address(0)), "client", "connect_cancelled", done)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{ACK, Forged, RST};

    fn frame(source: SocketAddr, destination: SocketAddr, flags: u8) -> Frame {
        let bytes = Forged {
            source_mac: [2; 6],
            destination_mac: [4; 6],
            source,
            destination,
            hop_limit: 60,
            traffic_class: 0,
            identification: 1,
            dont_fragment: true,
            flags,
            seq: 1,
            ack: 2,
            window: 3,
            options: &[],
            payload: &[],
        }
        .frame();
        let wire_len = u32::try_from(bytes.len()).expect("a short frame");
        Frame { time: Duration::from_secs(1), bytes, wire_len }
    }

    #[test]
    fn every_reset_is_named_and_only_the_first_of_a_flow_has_a_cause() {
        let [client, stranger, server] =
            ["192.0.2.1:40000", "192.0.2.1:40001", "192.0.2.2:8080"].map(|a| a.parse().unwrap());
        let planned = Truth {
            origin: "client",
            cause: "fast_close",
            client,
            ..nameless(&Seen::parse(&frame(client, server, RST).bytes).unwrap())
        };
        let frames = [
            frame(client, server, ACK),
            frame(client, server, RST | ACK),
            frame(server, client, RST),
            frame(server, stranger, RST),
        ];
        let mut placed = Vec::new();
        place(&[planned], &frames, 100, &mut placed);
        let rows: Vec<_> =
            placed.iter().map(|row| (row.frame, row.truth.origin, row.truth.cause)).collect();
        let expected = [
            (Some(102), "client", "fast_close"),
            (Some(103), "server", ""),
            (Some(104), "server", ""),
        ];
        assert_eq!(rows, expected);
    }
}
