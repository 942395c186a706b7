//! A device beside the path: it listens to the link in front of the firewall and forges resets to either end.
//!
//! The device has two hands on the link: what it sends to the client leaves on the firewall's interface, what it
//! sends to the server enters there, as if it came from the client's router. So a tap on that link sees both.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::Error;
use crate::forgery::{Side, Style, resets};
use crate::frame::{ACK, FIN, SYN, Seen};
use crate::packet_socket::{FRAME_LEN_MAX, PacketSocket};
use crate::random::Random;
use crate::topology::{TO_CLIENT, Topology, WIRE_RIGHT};

/// Shortest time a device needs to look at a packet and to act.
const REACTION_MIN: Duration = Duration::from_micros(300);

/// Which ends hear of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Targets {
    Client,
    Server,
    Both,
}

impl Targets {
    /// Who sent the resets, in the words of the truth.
    pub(crate) fn origin(self) -> &'static str {
        match self {
            Self::Client => "middlebox_to_client",
            Self::Server => "middlebox_to_server",
            Self::Both => "middlebox_both",
        }
    }
}

/// What makes the device act.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Trigger<'word> {
    /// The client's SYN.
    Syn,
    /// A word in the client's data.
    ClientSays(&'word [u8]),
    /// A word in the server's data.
    ServerSays(&'word [u8]),
}

/// One attack: on the connection between `client` and `server`, as `style`, to `targets`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan<'word> {
    pub(crate) client: IpAddr,
    pub(crate) server: SocketAddr,
    pub(crate) trigger: Trigger<'word>,
    pub(crate) style: Style,
    pub(crate) targets: Targets,
}

/// The device, listening.
pub(crate) struct Injector {
    /// On the firewall's interface: hears both directions, sends to the client.
    client_hand: PacketSocket,
    /// On the wire's end at the firewall: sends to the server.
    server_hand: PacketSocket,
}

/// The newest segment of each direction of a flow under watch.
#[derive(Clone, Copy, Default)]
struct Watched {
    from_client: Option<Side>,
    from_server: Option<Side>,
}

impl Injector {
    /// Puts the device on the link. It hears everything from now on.
    pub(crate) fn open(topology: &Topology) -> Result<Self, Error> {
        Ok(Self {
            client_hand: PacketSocket::open(topology.firewall(), TO_CLIENT)?,
            server_hand: PacketSocket::open(topology.client_wire(), WIRE_RIGHT)?,
        })
    }

    /// Waits for the trigger of `plan`, then forges resets.
    ///
    /// Returns false if the trigger did not come within `patience`.
    pub(crate) fn strike(
        &self,
        plan: &Plan<'_>,
        random: &mut Random,
        patience: Duration,
    ) -> Result<bool, Error> {
        let deadline = Instant::now() + patience;
        let mut watched = Watched::default();
        let mut buffer = vec![0; FRAME_LEN_MAX];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            self.wait(left)?;
            while let Some(reception) = self.client_hand.receive(&mut buffer)? {
                let Some(seen) = Seen::parse(&buffer[..reception.len]) else { continue };
                let Some(is_client) = watched.note(&seen, plan.client, plan.server) else {
                    continue;
                };
                if !plan.trigger.is_in(&seen, is_client) {
                    continue;
                }
                if let Some((from_client, from_server)) = watched.sides() {
                    self.forge(&from_client, &from_server, plan, is_client, random)?;
                    return Ok(true);
                }
            }
        }
    }

    /// Follows the connections of `clients` to `servers` and resets each that was silent for `idle`, until `stop`.
    /// Connections that end by themselves are forgotten. Returns the clients' addresses of those that were reset.
    pub(crate) fn reset_idle(
        &self,
        clients: &[IpAddr],
        servers: &[SocketAddr],
        idle: Duration,
        (style, targets): (Style, Targets),
        random: &mut Random,
        stop: &AtomicBool,
    ) -> Result<Vec<SocketAddr>, Error> {
        let mut flows: HashMap<SocketAddr, (Watched, Instant)> = HashMap::new();
        let mut buffer = vec![0; FRAME_LEN_MAX];
        let mut done = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            self.wait(Duration::from_millis(20))?;
            while let Some(reception) = self.client_hand.receive(&mut buffer)? {
                let Some(seen) = Seen::parse(&buffer[..reception.len]) else { continue };
                let known = |client: SocketAddr, server: SocketAddr| {
                    clients.contains(&client.ip()) && servers.contains(&server)
                };
                let (client, server) = if known(seen.source, seen.destination) {
                    (seen.source, seen.destination)
                } else if known(seen.destination, seen.source) {
                    (seen.destination, seen.source)
                } else {
                    continue;
                };
                if seen.is_reset() || seen.flags & FIN != 0 {
                    flows.remove(&client);
                    continue;
                }
                // After its FIN a connection is no session any more; only a SYN begins one.
                if seen.flags & SYN == 0 && !flows.contains_key(&client) {
                    continue;
                }
                let flow = flows.entry(client).or_insert((Watched::default(), Instant::now()));
                flow.0.note(&seen, client.ip(), server);
                flow.1 = Instant::now();
            }
            let now = Instant::now();
            for (client, (watched, last)) in &mut flows {
                if now.duration_since(*last) < idle {
                    continue;
                }
                let Some((from_client, from_server)) = watched.sides() else { continue };
                let (client_ip, server) = (client.ip(), from_client.destination);
                let trigger = Trigger::Syn;
                let plan = Plan { client: client_ip, server, trigger, style, targets };
                self.forge(&from_client, &from_server, &plan, true, random)?;
                done.push(*client);
            }
            flows.retain(|client, _| !done.contains(client));
        }
        Ok(done)
    }

    fn wait(&self, longest: Duration) -> Result<(), Error> {
        let mut waiting = [PollFd::new(self.client_hand.as_fd(), PollFlags::POLLIN)];
        let timeout = PollTimeout::try_from(longest).expect("the patience fits a poll time-out");
        poll(&mut waiting, timeout)
            .map(drop)
            .map_err(|source| Error::socket("wait for a frame", source))
    }

    fn forge(
        &self,
        from_client: &Side,
        from_server: &Side,
        plan: &Plan<'_>,
        client_triggered: bool,
        random: &mut Random,
    ) -> Result<(), Error> {
        // No device answers before its trigger has left the link; a tap shows them in this order.
        std::thread::sleep(REACTION_MIN + Duration::from_micros(random.below(1500)));
        let to_client = (&self.client_hand, from_server, from_client, client_triggered);
        let to_server = (&self.server_hand, from_client, from_server, !client_triggered);
        let both = [to_client, to_server];
        let targets = match plan.targets {
            Targets::Client => &both[..1],
            Targets::Server => &both[1..],
            Targets::Both => &both[..],
        };
        for &(hand, side, other, answers) in targets {
            for reset in resets(side, other, plan.style, answers, random) {
                hand.send(&reset.frame())?;
            }
        }
        Ok(())
    }
}

impl Trigger<'_> {
    fn is_in(self, seen: &Seen<'_>, is_client: bool) -> bool {
        let says = |word: &[u8]| seen.payload.windows(word.len()).any(|bytes| bytes == word);
        match self {
            Self::Syn => is_client && seen.flags & (SYN | ACK) == SYN,
            Self::ClientSays(word) => is_client && says(word),
            Self::ServerSays(word) => !is_client && says(word),
        }
    }
}

impl Watched {
    /// Takes a segment in; true if the client sent it, `None` if it belongs to something else.
    fn note(&mut self, seen: &Seen<'_>, client: IpAddr, server: SocketAddr) -> Option<bool> {
        let is_client = if seen.source.ip() == client && seen.destination == server {
            true
        } else if seen.source == server && seen.destination.ip() == client {
            false
        } else {
            return None;
        };
        let slot = if is_client { &mut self.from_client } else { &mut self.from_server };
        let end = seen.seq_end();
        // A retransmission does not move the edge back; a new connection starts a new count.
        let next = slot
            .filter(|side| {
                let same = (side.source, side.destination) == (seen.source, seen.destination);
                same && side.next.wrapping_sub(end) < 1 << 31
            })
            .map_or(end, |side| side.next);
        *slot = Some(Side {
            source: seen.source,
            destination: seen.destination,
            macs: (seen.source_mac, seen.destination_mac),
            next,
            seq: seen.seq,
            ack: seen.ack,
            window: seen.window,
            identification: seen.identification,
            hop_limit: seen.hop_limit,
        });
        if is_client && seen.flags & (SYN | ACK) == SYN {
            self.from_server = None;
        }
        Some(is_client)
    }

    /// Both sides. A server that has said nothing yet is spoken for with number 0.
    fn sides(&self) -> Option<(Side, Side)> {
        let client = self.from_client?;
        let silent = Side {
            source: client.destination,
            destination: client.source,
            macs: (client.macs.1, client.macs.0),
            next: 0,
            seq: 0,
            ack: 0,
            window: 0,
            identification: 0,
            hop_limit: 64,
        };
        Some((client, self.from_server.unwrap_or(silent)))
    }
}
