//! Innocent habits that look like an intruder's, played live.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use nix::sys::socket::{setsockopt, sockopt};

use crate::endpoint::{self, PATIENCE};
use crate::frame::{ACK, FIN, Forged, SYN, Seen};
use crate::packet_socket::{FRAME_LEN_MAX, PacketSocket};
use crate::scenario::Stage;
use crate::topology::{TO_CLIENT, TO_SERVER};
use crate::{Error, Truth};

/// Traffic class of interactive sessions (DSCP 10), as SSH and others set it.
const TRAFFIC_CLASS: i32 = 0x28;

/// Both ends mark their packets; aborts carry the socket's mark, replies without a socket the trigger's.
pub(crate) fn marked_packets(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let failed = |source| Error::socket("set the traffic class of a socket", source);
    let mark = |socket: &dyn std::os::fd::AsFd| {
        if stage.is_v6() {
            setsockopt(&socket.as_fd(), sockopt::Ipv6TClass, &TRAFFIC_CLASS).map_err(failed)
        } else {
            setsockopt(&socket.as_fd(), sockopt::Ipv4Tos, &TRAFFIC_CLASS).map_err(failed)
        }
    };
    let listener = stage.listen(0)?;
    mark(&listener)?;
    stage.serve_ordinary(&listener, 0, 1)?;
    let mut truths = Vec::new();
    for late in [false, true] {
        let mut pair = stage.connect(&listener, 0)?;
        let flow = pair.flow();
        mark(&pair.client)?;
        mark(&pair.server)?;
        endpoint::exchange(&mut pair.client, &mut pair.server, b"GET /\n", &[b'.'; 3000])?;
        if late {
            drop(pair.server);
            stage.pause(1);
            endpoint::say(&mut pair.client, b"more\n")?;
            stage.pause(2);
            let done = "late data to a closed socket, all packets marked with DSCP 10";
            truths.push(stage.truth(flow, "server", "data_after_close", done));
        } else {
            endpoint::say(&mut pair.server, &[b'.'; 3000])?;
            endpoint::abort(pair.server)?;
            stage.expect_reset(&mut pair.client, flow)?;
            let done = "SO_LINGER 0 in mid-transfer, all packets marked with DSCP 10";
            truths.push(stage.truth(flow, "server", "app_abort", done));
        }
    }
    Ok(truths)
}

/// A client without a kernel and a server with two stacks: one of a user's program, one of the kernel, which resets
/// what the program accepts. The connection lives on; the resets are the server's own all the same.
pub(crate) fn two_stacks(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let mut random = stage.random();
    let from = SocketAddr::new(stage.ghost_client(0), 40_000 + random.word() % 20_000);
    let to = stage.server_address(0);
    let mut client = UserStack::open(stage, true, from, to, random.next() as u32)?;
    let mut server = UserStack::open(stage, false, to, from, random.next() as u32)?;
    client.say(SYN, b"")?;
    server.hear(stage, SYN)?;
    server.say(SYN | ACK, b"")?;
    client.hear(stage, SYN | ACK)?;
    client.say(ACK, b"")?;
    for _ in 0..3 {
        client.say(ACK, b"a question\n")?;
        server.hear(stage, ACK)?;
        server.say(ACK, b"an answer\n")?;
        client.hear(stage, ACK)?;
    }
    client.say(FIN | ACK, b"")?;
    server.hear(stage, FIN | ACK)?;
    server.say(FIN | ACK, b"")?;
    stage.pause(1);
    let done = "a program on the server speaks TCP by itself on a port its kernel knows nothing of: the kernel resets \
                every segment of a connection that lives on";
    Ok(vec![stage.truth((from, to), "server", "port_closed", done)])
}

/// One end of a connection, spoken by hand through the host's interface.
struct UserStack {
    socket: PacketSocket,
    macs: ([u8; 6], [u8; 6]),
    own: SocketAddr,
    peer: SocketAddr,
    next: u32,
    heard: u32,
    identification: u16,
}

impl UserStack {
    fn open(
        stage: &Stage<'_>,
        is_client: bool,
        own: SocketAddr,
        peer: SocketAddr,
        isn: u32,
    ) -> Result<Self, Error> {
        let topology = stage.topology();
        let (socket, macs) = if is_client {
            (PacketSocket::open(topology.client(), TO_SERVER)?, topology.client_link_macs())
        } else {
            (PacketSocket::open(topology.server(), TO_CLIENT)?, topology.server_link_macs())
        };
        Ok(Self { socket, macs, own, peer, next: isn, heard: 0, identification: isn as u16 })
    }

    /// Sends a segment with `data`.
    fn say(&mut self, flags: u8, data: &[u8]) -> Result<(), Error> {
        let frame = Forged {
            source_mac: self.macs.0,
            destination_mac: self.macs.1,
            source: self.own,
            destination: self.peer,
            hop_limit: 64,
            traffic_class: 0,
            identification: self.identification,
            dont_fragment: true,
            flags,
            seq: self.next,
            ack: if flags & ACK == 0 { 0 } else { self.heard },
            window: 8192,
            options: &[],
            payload: data,
        }
        .frame();
        self.identification = self.identification.wrapping_add(1);
        let phantom = u32::from(flags & (SYN | FIN) != 0);
        self.next = self.next.wrapping_add(phantom).wrapping_add(data.len() as u32);
        self.socket.send(&frame).map(drop)
    }

    /// Waits for a segment of the peer with these flags; resets of the other stack are overheard.
    fn hear(&mut self, stage: &Stage<'_>, flags: u8) -> Result<(), Error> {
        let until = Instant::now() + PATIENCE;
        let mut buffer = vec![0; FRAME_LEN_MAX];
        while Instant::now() < until {
            let Some(reception) = self.socket.receive(&mut buffer)? else {
                std::thread::sleep(Duration::from_millis(1));
                continue;
            };
            let seen = Seen::parse(&buffer[..reception.len]).filter(|_| !reception.outgoing);
            let Some(seen) = seen else { continue };
            if (seen.source, seen.destination) == (self.peer, self.own) && seen.flags == flags {
                self.heard = seen.seq_end();
                return Ok(());
            }
        }
        Err(stage.broken(self.own, self.peer, format!("no segment with flags {flags:#x}")))
    }
}
