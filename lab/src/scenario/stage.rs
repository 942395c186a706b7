//! Where one run of a scenario plays: its own client address, its own ports, its own chain in the firewall.

use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use crate::endpoint::{self, Attempt, End, PATIENCE};
use crate::random::Random;
use crate::scenario::Scenario;
use crate::topology::Topology;
use crate::{Error, KernelReset, Lab, Truth, address};

/// Ports each run has for itself.
pub(crate) const PORTS_PER_RUN: u16 = 16;

/// First port of the servers.
const FIRST_PORT: u64 = 8000;

/// Runs after which ports are used again.
const RUNS: u64 = 1200;

const _: () = assert!(FIRST_PORT + RUNS * PORTS_PER_RUN as u64 <= 32_768, "below ephemeral ports");

/// Listening sockets of ordinary servers hold this many connections.
const BACKLOG: i32 = 16;

/// One run of one scenario.
pub(crate) struct Stage<'lab> {
    lab: &'lab Lab,
    scenario: Scenario,
    number: u64,
    first_port: u16,
    v6: bool,
    seed: u64,
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

    /// This run's client.
    pub(crate) fn client_ip(&self) -> IpAddr {
        address::client(self.number, self.v6)
    }

    /// An address on the client's network that no kernel owns.
    pub(crate) fn ghost_ip(&self) -> IpAddr {
        address::ghost(self.number, self.v6)
    }

    /// The server's port number `index` of this run.
    pub(crate) fn server_address(&self, index: u16) -> SocketAddr {
        assert!(index < PORTS_PER_RUN, "a run has {PORTS_PER_RUN} ports");
        SocketAddr::new(address::server(self.v6), self.first_port + index)
    }

    /// The run speaks IPv6.
    pub(crate) fn is_v6(&self) -> bool {
        self.v6
    }

    /// Opens an ordinary server on port `index`.
    pub(crate) fn listen(&self, index: u16) -> Result<TcpListener, Error> {
        endpoint::listen_on(self.topology().server(), self.server_address(index), BACKLOG)
    }

    /// Calls port `index` and waits for the outcome.
    pub(crate) fn attempt(&self, index: u16) -> Result<Attempt, Error> {
        endpoint::connect_from(
            self.topology().client(),
            self.client_ip(),
            self.server_address(index),
        )
    }

    /// Sends a SYN to port `index` and returns at once.
    pub(crate) fn start_connect(&self, index: u16) -> Result<Attempt, Error> {
        let mut attempts = self.start_connects(index, 1)?;
        Ok(attempts.pop().expect("one call was started"))
    }

    /// Sends `count` SYNs to port `index` one right after the other.
    pub(crate) fn start_connects(&self, index: u16, count: usize) -> Result<Vec<Attempt>, Error> {
        endpoint::start_connects(
            self.topology().client(),
            self.client_ip(),
            self.server_address(index),
            count,
        )
    }

    /// An established connection to `listener`, which listens on port `index`.
    pub(crate) fn connect(&self, listener: &TcpListener, index: u16) -> Result<Pair, Error> {
        let to = self.server_address(index);
        let Attempt { stream, address, outcome } = self.attempt(index)?;
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
        let chain = self.chain();
        self.lab.firewall_rules(&format!(
            "add chain inet lab {chain}\nadd rule inet lab {chain} {rule}\n\
             add rule inet lab forward jump {chain}\n"
        ))
    }

    /// Empties this run's chain in the firewall.
    pub(crate) fn lift_rules(&self) -> Result<(), Error> {
        self.lab.firewall_rules(&format!("flush chain inet lab {}\n", self.chain()))
    }

    fn chain(&self) -> String {
        format!("run{}", self.number)
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
            kernel_reason: None,
            kernel_heard: false,
            rule: None,
            timer: None,
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
