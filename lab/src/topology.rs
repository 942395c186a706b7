//! The hosts and wires of a lab, and how they are joined.
//!
//! ```text
//! cli --- r1 ===w1=== fw ===w2=== r3 --- r4 … --- srv        === a wire with delay
//!                     | span (copy of both directions of one interface)
//!                    tap       standby
//! ```
//!
//! The standby is a second machine beside the first router behind the firewall. It owns the servers' blocks of
//! addresses too, but no route leads there until [`Topology::fail_over`] moves an address.
//!
//! Every host calls its interface toward the client `to-client` and the other one `to-server`. Addresses,
//! routes and neighbours are fixed, so a capture holds no ARP and no waiting for it.

use std::fmt::Write as _;
use std::net::IpAddr;

use crate::address::{self, Network, Pool};
use crate::delay::DelayLine;
use crate::options::{Options, TapPoint};
use crate::random::Random;
use crate::{Error, Namespace};

/// Name of the interface on which the sensor listens, in the tap's namespace.
pub(crate) const TAP_INTERFACE: &str = "tap0";
/// Name of each host's interface on the client's side.
pub(crate) const TO_CLIENT: &str = "to-client";
/// Name of each host's interface on the server's side.
pub(crate) const TO_SERVER: &str = "to-server";
/// Interface of a wire on the client's side.
const WIRE_LEFT: &str = "left";
/// Interface of a wire on the server's side.
pub(crate) const WIRE_RIGHT: &str = "right";
/// The interface of the first router behind the firewall toward the standby.
const TO_STANDBY: &str = "to-standby";
/// The link between that router and the standby.
const STANDBY_LINK: Network = Network::Transit(20);
/// The firewall's interface that carries the copy.
const SPAN: &str = "span";

/// The namespaces of a lab and its two delaying wires.
#[derive(Debug)]
pub(crate) struct Topology {
    /// The wires stop before the namespaces go: nothing more reaches the tap.
    wires: Vec<DelayLine>,
    /// Client, first router, firewall, routers, server: in the order of the path.
    path: Vec<Namespace>,
    /// Namespaces of the wires: client leg, server leg.
    legs: [Namespace; 2],
    tap: Namespace,
    standby: Namespace,
    /// MAC addresses of the client and of its router.
    client_link: ([u8; 6], [u8; 6]),
    /// MAC addresses of the firewall and of the client's router.
    firewall_link: ([u8; 6], [u8; 6]),
    /// MAC addresses of the server and of its router.
    server_link: ([u8; 6], [u8; 6]),
}

/// Position of the firewall on the path.
const FIREWALL: usize = 2;

impl Topology {
    /// Makes the namespaces, joins them and starts the wires.
    pub(crate) fn build(options: &Options) -> Result<Self, Error> {
        let name = |host: &str| format!("rs-{}-{host}", std::process::id());
        let mut names = vec!["cli".to_owned(), "r1".to_owned(), "fw".to_owned()];
        names.extend((0..options.routers_behind_firewall).map(|index| format!("r{}", index + 3)));
        names.push("srv".to_owned());
        let path = names
            .iter()
            .map(|host| Namespace::create(&name(host)))
            .collect::<Result<Vec<_>, _>>()?;
        let legs = [Namespace::create(&name("w1"))?, Namespace::create(&name("w2"))?];
        let tap = Namespace::create(&name("tap"))?;
        let standby = Namespace::create(&name("standby"))?;
        let segments = segments(path.len(), options.seed);
        let client_link = (segments[0].left_mac, segments[0].right_mac);
        let last = segments.last().expect("a path has segments");
        let server_link = (last.right_mac, last.left_mac);
        let mut topology = Self {
            wires: Vec::new(),
            path,
            legs,
            tap,
            standby,
            client_link,
            firewall_link: (segments[1].right_mac, segments[1].left_mac),
            server_link,
        };
        topology.set_kernels()?;
        for (index, segment) in segments.iter().enumerate() {
            topology.join(index, segment)?;
        }
        for (index, host) in topology.path.iter().enumerate() {
            let left = index.checked_sub(1).map(|left| &segments[left]);
            topology.address(host, index, left, segments.get(index))?;
        }
        topology.attach_tap(options.tap_point)?;
        topology.attach_standby()?;
        let delays = [options.delays.client_leg, options.delays.server_leg];
        for (leg, delay) in topology.legs.iter().zip(delays) {
            topology.wires.push(DelayLine::start(leg, WIRE_LEFT, WIRE_RIGHT, delay)?);
        }
        Ok(topology)
    }

    /// The host of all client sockets.
    pub(crate) fn client(&self) -> &Namespace {
        &self.path[0]
    }

    /// The client's router: a second place for rules, on the client's side of the tap.
    pub(crate) fn client_router(&self) -> &Namespace {
        &self.path[1]
    }

    /// The middlebox.
    pub(crate) fn firewall(&self) -> &Namespace {
        &self.path[FIREWALL]
    }

    /// The host of all server sockets.
    pub(crate) fn server(&self) -> &Namespace {
        self.path.last().expect("a path has a client and a server")
    }

    /// The long wire between the client's router and the firewall.
    pub(crate) fn client_wire(&self) -> &Namespace {
        &self.legs[0]
    }

    /// MAC addresses of the client and of its router on the client's network.
    pub(crate) fn client_link_macs(&self) -> ([u8; 6], [u8; 6]) {
        self.client_link
    }

    /// The machine that [`Topology::fail_over`] moves addresses to.
    pub(crate) fn standby(&self) -> &Namespace {
        &self.standby
    }

    /// The server's router.
    pub(crate) fn last_router(&self) -> &Namespace {
        &self.path[self.path.len() - 2]
    }

    /// MAC addresses of the firewall and of the client's router on the link between them.
    pub(crate) fn firewall_link_macs(&self) -> ([u8; 6], [u8; 6]) {
        self.firewall_link
    }

    /// MAC addresses of the server and of its router on the server's network.
    pub(crate) fn server_link_macs(&self) -> ([u8; 6], [u8; 6]) {
        self.server_link
    }

    /// From now on `address`, one of the servers' blocks, is reached at the standby.
    pub(crate) fn fail_over(&self, address: IpAddr) -> Result<(), Error> {
        let gateway: IpAddr = match address {
            IpAddr::V4(_) => STANDBY_LINK.v4(2).into(),
            IpAddr::V6(_) => STANDBY_LINK.v6(2).into(),
        };
        let route = format!("route replace {address} via {gateway} dev {TO_STANDBY}\n");
        self.path[FIREWALL + 1].tool("ip", &["-batch", "-"], &route).map(drop)
    }

    /// Where the sensor listens.
    pub(crate) fn tap(&self) -> &Namespace {
        &self.tap
    }

    /// Frames the wires lost.
    pub(crate) fn frames_lost(&self) -> u64 {
        self.wires.iter().map(DelayLine::frames_lost).sum()
    }

    fn set_kernels(&self) -> Result<(), Error> {
        for host in self.path.iter().chain([&self.standby]) {
            host.sysctl(&[
                ("net/ipv4/ip_forward", "1"),
                ("net/ipv4/conf/all/rp_filter", "0"),
                ("net/ipv4/conf/default/rp_filter", "0"),
                ("net/ipv6/conf/all/forwarding", "1"),
                ("net/ipv6/conf/default/accept_dad", "0"),
                ("net/ipv6/conf/default/router_solicitations", "0"),
            ])?;
        }
        for host in [self.client(), self.server(), &self.standby] {
            // An endpoint does not forward: what is not for it, it drops.
            host.sysctl(&[
                ("net/ipv4/ip_forward", "0"),
                ("net/ipv6/conf/all/forwarding", "0"),
                // The blocks of the runs are local by a route, and bind(2) shall not mind.
                ("net/ipv6/ip_nonlocal_bind", "1"),
            ])?;
        }
        for host in self.legs.iter().chain([&self.tap]) {
            host.sysctl(&[
                ("net/ipv6/conf/all/disable_ipv6", "1"),
                ("net/ipv6/conf/default/disable_ipv6", "1"),
            ])?;
        }
        Ok(())
    }

    /// Lays segment `index`, between hosts `index` and `index + 1` of the path.
    fn join(&self, index: usize, segment: &Segment) -> Result<(), Error> {
        let (left, right) = (&self.path[index], &self.path[index + 1]);
        let left_end = End { host: left, interface: TO_SERVER, mac: Some(segment.left_mac) };
        let right_end = End { host: right, interface: TO_CLIENT, mac: Some(segment.right_mac) };
        // The long wires lie on both sides of the firewall.
        let leg = match index + 1 {
            FIREWALL => &self.legs[0],
            near if near == FIREWALL + 1 => &self.legs[1],
            _ => return cable(&left_end, &right_end),
        };
        cable(&left_end, &End { host: leg, interface: WIRE_LEFT, mac: None })?;
        cable(&End { host: leg, interface: WIRE_RIGHT, mac: None }, &right_end)
    }

    /// Gives a host its addresses, neighbours and routes.
    fn address(
        &self,
        host: &Namespace,
        index: usize,
        left: Option<&Segment>,
        right: Option<&Segment>,
    ) -> Result<(), Error> {
        let mut batch = String::from("link set dev lo up\n");
        if let Some(segment) = left {
            end_batch(&mut batch, TO_CLIENT, segment.network, segment.right(), segment.left());
        }
        if let Some(segment) = right {
            end_batch(&mut batch, TO_SERVER, segment.network, segment.left(), segment.right());
        }
        for (segment, interface, target, side) in
            [(left, TO_CLIENT, Network::Clients, 0), (right, TO_SERVER, Network::Servers, 1)]
        {
            let Some(segment) = segment else { continue };
            let gateway = if side == 0 { segment.left().1[0] } else { segment.right().1[0] };
            let endpoint = index == 0 || index + 1 == self.path.len();
            if !endpoint {
                let pool = if side == 0 { Pool::Clients } else { Pool::Servers };
                pool_routes(&mut batch, pool, segment.network, gateway, interface);
            }
            if segment.network == target {
                continue;
            }
            let (v4, v6) = if endpoint {
                ("0.0.0.0/0".to_owned(), "::/0".to_owned())
            } else {
                (
                    format!("{}/{}", target.v4(0), target.v4_prefix_len()),
                    format!("{}/64", target.v6(0)),
                )
            };
            let network = segment.network;
            let _ = writeln!(batch, "route add {v4} via {} dev {interface}", network.v4(gateway));
            let _ = writeln!(batch, "route add {v6} via {} dev {interface}", network.v6(gateway));
        }
        if index == 0 {
            own_pool(&mut batch, Pool::Clients);
        } else if index + 1 == self.path.len() {
            own_pool(&mut batch, Pool::Servers);
        }
        host.tool("ip", &["-batch", "-"], &batch).map(drop)
    }

    /// Puts the standby beside the first router behind the firewall.
    fn attach_standby(&self) -> Result<(), Error> {
        let router = &self.path[FIREWALL + 1];
        let macs = ([2, 0x5b, 0, 0, 0, 1], [2, 0x5b, 0, 0, 0, 2]);
        cable(
            &End { host: router, interface: TO_STANDBY, mac: Some(macs.0) },
            &End { host: &self.standby, interface: TO_CLIENT, mac: Some(macs.1) },
        )?;
        let ends = ((macs.0, vec![1]), (macs.1, vec![2]));
        let mut batch = String::new();
        end_batch(&mut batch, TO_STANDBY, STANDBY_LINK, ends.0.clone(), ends.1.clone());
        router.tool("ip", &["-batch", "-"], &batch)?;
        let mut batch = String::from("link set dev lo up\n");
        end_batch(&mut batch, TO_CLIENT, STANDBY_LINK, ends.1, ends.0);
        for (all, gateway) in [
            ("0.0.0.0/0", STANDBY_LINK.v4(1).to_string()),
            ("::/0", STANDBY_LINK.v6(1).to_string()),
        ] {
            let _ = writeln!(batch, "route add {all} via {gateway} dev {TO_CLIENT}");
        }
        own_pool(&mut batch, Pool::Servers);
        self.standby.tool("ip", &["-batch", "-"], &batch).map(drop)
    }

    /// Copies both directions of one interface of the firewall to the tap (`tc-mirred(8)`).
    fn attach_tap(&self, point: TapPoint) -> Result<(), Error> {
        let firewall = self.firewall();
        cable(
            &End { host: firewall, interface: SPAN, mac: None },
            &End { host: &self.tap, interface: TAP_INTERFACE, mac: None },
        )?;
        firewall.sysctl(&[(&format!("net/ipv6/conf/{SPAN}/disable_ipv6"), "1")])?;
        let interface = match point {
            TapPoint::ClientSide => TO_CLIENT,
            TapPoint::ServerSide => TO_SERVER,
        };
        let mut batch = format!("qdisc add dev {interface} clsact\n");
        for direction in ["ingress", "egress"] {
            let _ = writeln!(
                batch,
                "filter add dev {interface} {direction} protocol all prio 1 u32 match u32 0 0 \
                 action mirred egress mirror dev {SPAN}"
            );
        }
        firewall.tool("tc", &["-batch", "-"], &batch).map(drop)
    }
}

/// One segment of the path: its network and the MAC addresses of its two ends.
#[derive(Clone, Debug)]
struct Segment {
    network: Network,
    left_mac: [u8; 6],
    right_mac: [u8; 6],
}

impl Segment {
    /// MAC address and host numbers of the end toward the client.
    fn left(&self) -> ([u8; 6], Vec<u8>) {
        let hosts = match self.network {
            Network::Clients => address::client_hosts().collect(),
            Network::Servers | Network::Transit(_) => vec![1],
        };
        (self.left_mac, hosts)
    }

    /// MAC address and host numbers of the end toward the server.
    fn right(&self) -> ([u8; 6], Vec<u8>) {
        let hosts = match self.network {
            Network::Clients => vec![1],
            Network::Servers => vec![address::server_host()],
            Network::Transit(_) => vec![2],
        };
        (self.right_mac, hosts)
    }
}

/// The segments between `hosts` hosts in a row.
fn segments(hosts: usize, seed: u64) -> Vec<Segment> {
    let mut random = Random::new(seed ^ 0x6d61_6373);
    let mut mac = || {
        let bytes = random.next().to_be_bytes();
        // Locally administered, unicast (IEEE 802).
        [2, bytes[0], bytes[1], bytes[2], bytes[3], bytes[4]]
    };
    let last = hosts - 2;
    (0..=last)
        .map(|index| {
            let network = match index {
                0 => Network::Clients,
                _ if index == last => Network::Servers,
                _ => Network::Transit(u8::try_from(index).expect("a path has few hosts")),
            };
            Segment { network, left_mac: mac(), right_mac: mac() }
        })
        .collect()
}

/// Routes to the blocks of all runs on one side, through host number `gateway` of `network`.
fn pool_routes(batch: &mut String, pool: Pool, network: Network, gateway: u8, interface: &str) {
    for (v6, gateway) in [(false, network.v4(gateway).into()), (true, network.v6(gateway).into())] {
        let gateway: IpAddr = gateway;
        // Writing to a String cannot fail.
        let _ = writeln!(batch, "route add {} via {gateway} dev {interface}", pool.prefix(v6));
    }
}

/// Makes the owned half of a pool local: 32,768 addresses by one route.
fn own_pool(batch: &mut String, pool: Pool) {
    for v6 in [false, true] {
        let _ = writeln!(batch, "route add local {} dev lo", pool.owned_prefix(v6));
    }
}

/// One end of a cable.
struct End<'host> {
    host: &'host Namespace,
    interface: &'static str,
    mac: Option<[u8; 6]>,
}

/// Lays a veth pair between two hosts, with every offload off: what travels is what a real wire would carry.
fn cable(left: &End<'_>, right: &End<'_>) -> Result<(), Error> {
    let mac =
        |end: &End<'_>| end.mac.map_or(String::new(), |mac| format!(" address {}", mac_text(mac)));
    let pair = format!(
        "link add {}{} type veth peer name {}{} netns {}\nlink set dev {} up\n",
        left.interface,
        mac(left),
        right.interface,
        mac(right),
        right.host.path().display(),
        left.interface,
    );
    left.host.tool("ip", &["-batch", "-"], &pair)?;
    right.host.tool("ip", &["link", "set", "dev", right.interface, "up"], "")?;
    for end in [left, right] {
        let offloads =
            ["tx", "off", "rx", "off", "sg", "off", "tso", "off", "gso", "off", "gro", "off"];
        let arguments: Vec<&str> = ["-K", end.interface].into_iter().chain(offloads).collect();
        end.host.tool("ethtool", &arguments, "")?;
    }
    Ok(())
}

/// Commands that give one interface its addresses and its fixed neighbours.
fn end_batch(
    batch: &mut String,
    interface: &str,
    network: Network,
    own: ([u8; 6], Vec<u8>),
    peer: ([u8; 6], Vec<u8>),
) {
    let v4_len = network.v4_prefix_len();
    for host in own.1 {
        // Writing to a String cannot fail.
        let _ = writeln!(batch, "addr add {}/{v4_len} dev {interface}", network.v4(host));
        let _ = writeln!(batch, "addr add {}/64 dev {interface} nodad", network.v6(host));
    }
    let (mac, hosts) = (mac_text(peer.0), peer.1);
    for host in hosts {
        for address in [network.v4(host).to_string(), network.v6(host).to_string()] {
            let _ = writeln!(
                batch,
                "neigh replace {address} lladdr {mac} dev {interface} nud permanent"
            );
        }
    }
}

fn mac_text(mac: [u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::endpoint;
    use crate::frame::Seen;
    use crate::packet_socket::{FRAME_LEN_MAX, PacketSocket};

    /// Adds how often each TCP frame was met on an interface, in either direction.
    fn count(socket: &PacketSocket, counts: &mut HashMap<Vec<u8>, usize>) {
        let mut buffer = vec![0; FRAME_LEN_MAX];
        while let Some(reception) = socket.receive(&mut buffer).unwrap() {
            let frame = &buffer[..reception.len];
            if Seen::parse(frame).is_some() {
                *counts.entry(frame.to_vec()).or_default() += 1;
            }
        }
    }

    #[test]
    fn the_tap_shows_each_frame_of_the_firewalls_interface_exactly_as_often() {
        let topology = match Topology::build(&Options::default()) {
            Ok(topology) => topology,
            Err(error @ (Error::Namespace { .. } | Error::ToolMissing { .. })) => {
                assert!(std::env::var_os("CI").is_none(), "CI must run this test: {error}");
                return eprintln!("SKIPPED: {error}");
            }
            Err(error) => panic!("{error}"),
        };
        let link = PacketSocket::open(topology.firewall(), TO_CLIENT).unwrap();
        let tap = PacketSocket::open(topology.tap(), TAP_INTERFACE).unwrap();
        for v6 in [false, true] {
            let to = std::net::SocketAddr::new(address::server(v6), 8080);
            let listener = endpoint::listen_on(topology.server(), to, 4).unwrap();
            let from = std::net::SocketAddr::new(address::client(0, v6), 0);
            let mut client = endpoint::connect_from(topology.client(), from, to).unwrap().stream;
            let mut server = endpoint::accept(&listener).unwrap();
            endpoint::exchange(&mut client, &mut server, &[1; 9000], &[2; 9000]).unwrap();
        }
        let (mut at_link, mut at_tap) = (HashMap::new(), HashMap::new());
        // The last frames may still be on their way.
        for _ in 0..200 {
            count(&link, &mut at_link);
            count(&tap, &mut at_tap);
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        assert!(at_link.len() > 40, "{} frames", at_link.len());
        assert!(at_link == at_tap, "the tap shows other frames than the link");
        assert!(at_tap.keys().all(|frame| frame.len() <= 1514), "a frame longer than the wire's");
    }
}
