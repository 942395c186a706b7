//! Where one run of a scenario plays: its own addresses, its own ports, its own chain in the firewall.

use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, SystemTime};

use crate::address::Pool;
use crate::endpoint::{self, Attempt, End, PATIENCE};
use crate::lab::Place;
use crate::random::Random;
use crate::scenario::Scenario;
use crate::topology::Topology;
use crate::{Error, KernelReset, Lab, Truth, address};

/// Ports each run has for itself.
pub(crate) const PORTS_PER_RUN: u16 = 16;

/// First port of the servers.
const FIRST_PORT: u64 = 8000;

/// Runs after which ports are used again.
const RUNS: u64 = 1024;

const _: () = assert!(FIRST_PORT + RUNS * PORTS_PER_RUN as u64 <= 32_768, "below ephemeral ports");

/// Listening sockets of ordinary servers hold this many connections.
const BACKLOG: i32 = 16;

/// One run of one scenario.
#[derive(Clone, Copy)]
pub(crate) struct Stage<'lab> {
    lab: &'lab Lab,
    scenario: Scenario,
    number: u64,
    first_port: u16,
    v6: bool,
    seed: u64,
}

/// Where a rule looks at packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hook {
    /// Before anything else, connection tracking included.
    Early,
    /// Where new connections get another destination.
    Translate,
    /// On the way through.
    Forward,
}

/// Both ends of an established connection.
pub(crate) struct Pair {
    /// The client's end.
    pub(crate) client: TcpStream,
    /// The server's end.
    pub(crate) server: TcpStream,
    /// Address of the client.
    pub(crate) from: SocketAddr,
    /// Address of the server.
    pub(crate) to: SocketAddr,
}

impl<'lab> Stage<'lab> {
    /// The stage of run `number`, counted from 0.
    pub(crate) fn new(
        lab: &'lab Lab,
        scenario: Scenario,
        number: u64,
        v6: bool,
        seed: u64,
    ) -> Self {
        let block = (Random::new(seed).below(RUNS) + number) % RUNS;
        let first_port = u16::try_from(FIRST_PORT + block * u64::from(PORTS_PER_RUN))
            .expect("all ports are below 65536");
        let seed = Random::new(seed ^ number.rotate_left(32)).next();
        Self { lab, scenario, number, first_port, v6, seed }
    }

    /// The lab's hosts.
    pub(crate) fn topology(&self) -> &'lab Topology {
        self.lab.topology()
    }

    /// Resets the kernels said they sent on connections from or to `end`.
    pub(crate) fn kernel_resets_at(&self, end: SocketAddr) -> Vec<KernelReset> {
        self.lab.kernel_resets_at(end)
    }

    /// How long an idle session is left alone.
    pub(crate) fn idle(&self) -> Duration {
        self.lab.idle()
    }

    /// Time a packet needs from client to server.
    pub(crate) fn one_way(&self) -> Duration {
        self.lab.delays().round_trip() / 2
    }

    /// A generator of this run's own.
    pub(crate) fn random(&self) -> Random {
        Random::new(self.seed)
    }

    /// The run is told in the demo: it shares the server with the other nine.
    fn is_shared(&self) -> bool {
        Scenario::DEMO.contains(&self.scenario) && self.number < u64::from(address::CLIENTS)
    }

    /// This run's client.
    pub(crate) fn client_ip(&self) -> IpAddr {
        if self.is_shared() { address::client(self.number, self.v6) } else { self.client_at(0) }
    }

    /// Address `index` of this run that the client's kernel owns.
    pub(crate) fn client_at(&self, index: u16) -> IpAddr {
        Pool::Clients.owned(self.number, index, self.v6)
    }

    /// Address `index` of this run on the client's side that no kernel owns.
    pub(crate) fn ghost_client(&self, index: u16) -> IpAddr {
        Pool::Clients.ghost(self.number, index, self.v6)
    }

    /// The port number `index` of this run on its first server.
    pub(crate) fn server_address(&self, index: u16) -> SocketAddr {
        if self.is_shared() {
            SocketAddr::new(address::server(self.v6), self.port(index))
        } else {
            self.server_at(0, index)
        }
    }

    /// The port number `index` of this run on address `host` that the server's kernel owns.
    pub(crate) fn server_at(&self, host: u16, index: u16) -> SocketAddr {
        SocketAddr::new(Pool::Servers.owned(self.number, host, self.v6), self.port(index))
    }

    /// The same on the server's side of the network, at an address no kernel owns.
    pub(crate) fn ghost_server(&self, host: u16, index: u16) -> SocketAddr {
        SocketAddr::new(Pool::Servers.ghost(self.number, host, self.v6), self.port(index))
    }

    fn port(&self, index: u16) -> u16 {
        assert!(index < PORTS_PER_RUN, "a run has {PORTS_PER_RUN} ports");
        self.first_port + index
    }

    /// The same run in IPv6 or IPv4.
    pub(crate) fn in_family(&self, v6: bool) -> Self {
        Self { v6, ..*self }
    }

    /// The run speaks IPv6.
    pub(crate) fn is_v6(&self) -> bool {
        self.v6
    }

    /// Opens an ordinary server on port `index`.
    pub(crate) fn listen(&self, index: u16) -> Result<TcpListener, Error> {
        self.listen_at(self.server_address(index))
    }

    /// Opens an ordinary server.
    pub(crate) fn listen_at(&self, address: SocketAddr) -> Result<TcpListener, Error> {
        endpoint::listen_on(self.topology().server(), address, BACKLOG)
    }

    /// Calls port `index` and waits for the outcome.
    pub(crate) fn attempt(&self, index: u16) -> Result<Attempt, Error> {
        self.call(SocketAddr::new(self.client_ip(), 0), self.server_address(index))
    }

    /// Calls `to` from an address of the client, with a port of the kernel's choice if it is 0.
    pub(crate) fn call(&self, from: SocketAddr, to: SocketAddr) -> Result<Attempt, Error> {
        endpoint::connect_from(self.topology().client(), from, to)
    }

    /// Sends a SYN to port `index` and returns at once.
    pub(crate) fn start_connect(&self, index: u16) -> Result<Attempt, Error> {
        let mut attempts = self.start_connects(index, 1)?;
        Ok(attempts.pop().expect("one call was started"))
    }

    /// Sends `count` SYNs to port `index` one right after the other.
    pub(crate) fn start_connects(&self, index: u16, count: usize) -> Result<Vec<Attempt>, Error> {
        let from = SocketAddr::new(self.client_ip(), 0);
        endpoint::start_connects(self.topology().client(), from, self.server_address(index), count)
    }

    /// An established connection to `listener`, which listens on port `index`.
    pub(crate) fn connect(&self, listener: &TcpListener, index: u16) -> Result<Pair, Error> {
        self.pair(listener, SocketAddr::new(self.client_ip(), 0), self.server_address(index))
    }

    /// An established connection to `listener`, which is reached at `to`.
    pub(crate) fn pair(
        &self,
        listener: &TcpListener,
        from: SocketAddr,
        to: SocketAddr,
    ) -> Result<Pair, Error> {
        let Attempt { stream, address, outcome } = self.call(from, to)?;
        outcome.map_err(|source| Error::socket(format!("connect {address} to {to}"), source))?;
        let server = endpoint::accept(listener)?;
        Ok(Pair { client: stream, server, from: address, to })
    }

    /// Lets `count` clients come, be served and go with FIN in both directions, so that a sensor knows this server.
    pub(crate) fn serve_ordinary(
        &self,
        listener: &TcpListener,
        index: u16,
        count: usize,
    ) -> Result<Vec<Pair>, Error> {
        let mut served = Vec::new();
        for _ in 0..count {
            let mut pair = self.connect(listener, index)?;
            endpoint::exchange(&mut pair.client, &mut pair.server, b"hello\n", b"good day\n")?;
            finish(&mut pair)?;
            served.push(pair);
        }
        Ok(served)
    }

    /// Hangs a rule into the firewall; [`Stage::lift_rules`] takes it out again.
    pub(crate) fn firewall_rule(&self, rule: &str) -> Result<(), Error> {
        self.rule(Place::Firewall, Hook::Forward, rule)
    }

    /// Hangs a rule into a chain of this run, after those that hang there.
    pub(crate) fn rule(&self, place: Place, hook: Hook, rule: &str) -> Result<(), Error> {
        let (base, definition) = match hook {
            Hook::Early => ("early", "type filter hook prerouting priority raw;"),
            Hook::Translate => ("translate", "type nat hook prerouting priority dstnat;"),
            Hook::Forward => ("forward", "type filter hook forward priority 0;"),
        };
        self.lab.hang(place, (base, definition), &self.chain(base), rule)
    }

    /// Adds a named set, or elements to it, in the firewall; `text` is what follows `add` in `nft(8)`, with
    /// `{run}` where the name of this run's own objects belongs.
    pub(crate) fn firewall_add(&self, text: &str) -> Result<(), Error> {
        let text = text.replace("{run}", &self.chain("own"));
        self.lab.rules(Place::Firewall, &format!("add {text}\n"))
    }

    /// Empties this run's chain of rules on the way through the firewall.
    pub(crate) fn lift_rules(&self) -> Result<(), Error> {
        self.lift(Place::Firewall, Hook::Forward)
    }

    /// Empties a chain of this run.
    pub(crate) fn lift(&self, place: Place, hook: Hook) -> Result<(), Error> {
        let base = match hook {
            Hook::Early => "early",
            Hook::Translate => "translate",
            Hook::Forward => "forward",
        };
        self.lab.rules(place, &format!("flush chain inet lab {}\n", self.chain(base)))
    }

    /// Name of an object of this run in the rules.
    pub(crate) fn chain(&self, kind: &str) -> String {
        format!("run{}{kind}", self.number)
    }

    /// `ip` or `ip6`: how rules call the family.
    pub(crate) fn nft_family(&self) -> &'static str {
        if self.v6 { "ip6" } else { "ip" }
    }

    /// Time since the epoch, as captures count it.
    pub(crate) fn now(&self) -> Duration {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
    }

    /// Waits for `count` round trips of the whole path, and a little for the kernels.
    pub(crate) fn pause(&self, count: u32) {
        let kernels = Duration::from_millis(10);
        std::thread::sleep(self.lab.delays().round_trip() * count + kernels);
    }

    /// The label of one flow; the kernel's word is added later.
    pub(crate) fn truth(
        &self,
        (client, server): (SocketAddr, SocketAddr),
        origin: &'static str,
        cause: &'static str,
        description: impl Into<String>,
    ) -> Truth {
        Truth {
            scenario: self.scenario.name(),
            client,
            server,
            origin,
            cause,
            since: None,
            kernel_reason: None,
            kernel_heard: false,
            rule: None,
            timer: None,
            by_hand: false,
            description: description.into(),
        }
    }

    /// The recipe did not work: `what` was expected.
    pub(crate) fn broken(
        &self,
        client: SocketAddr,
        server: SocketAddr,
        what: impl Into<String>,
    ) -> Error {
        Error::Scenario { scenario: self.scenario.name(), client, server, what: what.into() }
    }

    /// Makes sure that `stream`, an end of `pair`, was reset.
    pub(crate) fn expect_reset(
        &self,
        stream: &mut TcpStream,
        flow: (SocketAddr, SocketAddr),
    ) -> Result<(), Error> {
        match endpoint::wait_for_end(stream) {
            End::Failed => Ok(()),
            End::Finished => Err(self.broken(flow.0, flow.1, "a FIN came instead of a reset")),
            End::StillOpen => {
                Err(self.broken(flow.0, flow.1, format!("no reset within {PATIENCE:?}")))
            }
        }
    }
}

impl Pair {
    /// Client and server.
    pub(crate) fn flow(&self) -> (SocketAddr, SocketAddr) {
        (self.from, self.to)
    }
}

/// Closes both ends in turn, the client first.
pub(crate) fn finish(pair: &mut Pair) -> Result<(), Error> {
    for client_closes in [true, false] {
        let (closing, other) = if client_closes {
            (&mut pair.client, &mut pair.server)
        } else {
            (&mut pair.server, &mut pair.client)
        };
        closing
            .shutdown(std::net::Shutdown::Write)
            .map_err(|source| Error::socket("close one direction", source))?;
        endpoint::wait_for_end(other);
    }
    Ok(())
}
