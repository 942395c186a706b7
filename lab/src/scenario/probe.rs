//! Resets drawn by those who only want to know: scanners, monitors and odd packets.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::endpoint;
use crate::frame::{ACK, Forged, RST, SYN, Seen};
use crate::packet_socket::{FRAME_LEN_MAX, PacketSocket};
use crate::scenario::Stage;
use crate::topology::TO_SERVER;
use crate::{Error, Truth};

/// Option of a scanner's SYN: a maximum segment size of 1460 and nothing else (as nmap sends it).
const SCANNER_OPTIONS: [u8; 4] = [2, 4, 0x05, 0xb4];
/// Window of a scanner's SYN (nmap).
const SCANNER_WINDOW: u16 = 1024;
/// Ports a scanner tries; the first [`OPEN_PORTS`] of them listen.
const SCANNED_PORTS: u16 = 12;
const OPEN_PORTS: u16 = 3;

/// Raw SYNs from the client's address: its kernel knows nothing of them and resets the SYN/ACKs.
pub(super) fn syn_scan(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let listeners =
        (0..OPEN_PORTS).map(|index| stage.listen(index)).collect::<Result<Vec<_>, Error>>()?;
    let raw = RawClient::open(stage)?;
    let mut random = stage.random();
    let mut truths = Vec::new();
    for index in 0..SCANNED_PORTS {
        let from = SocketAddr::new(stage.client_ip(), 40_000 + random.word() % 20_000);
        let to = stage.server_address(index);
        raw.send(from, to, SYN, random.next() as u32, 0)?;
        std::thread::sleep(Duration::from_millis(5));
        truths.push(if index < OPEN_PORTS {
            let done = "raw SYN of a scanner to an open port; the kernel of the scanner's host reset the SYN/ACK";
            stage.truth((from, to), "client", "syn_scan", done)
        } else {
            let done = "raw SYN of a scanner to a closed port, refused by the server";
            stage.truth((from, to), "server", "port_closed", done)
        });
    }
    stage.pause(3);
    drop(listeners);
    Ok(truths)
}

/// An ACK that belongs to nothing, sent to a listening port.
pub(super) fn stray_probe(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let listener = stage.listen(0)?;
    stage.serve_ordinary(&listener, 0, 1)?;
    let raw = RawClient::open(stage)?;
    let mut random = stage.random();
    let from = SocketAddr::new(stage.ghost_client(0), 40_000 + random.word() % 20_000);
    let to = stage.server_address(0);
    raw.send(from, to, ACK, random.next() as u32, random.next() as u32)?;
    raw.await_answer(to, from, RST)?
        .ok_or_else(|| stage.broken(from, to, "no reset for a stray ACK"))?;
    let done = "one raw ACK without a connection, sent to a listening port (an ACK probe)";
    Ok(vec![stage.truth((from, to), "server", "stray_probe_response", done)])
}

/// A handshake by hand whose last ACK is 100 too high.
pub(super) fn unacceptable_segment(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let listener = stage.listen(0)?;
    stage.serve_ordinary(&listener, 0, 1)?;
    let raw = RawClient::open(stage)?;
    let mut random = stage.random();
    // No kernel owns this address, so none interferes with the handshake.
    let from = SocketAddr::new(stage.ghost_client(0), 40_000 + random.word() % 20_000);
    let to = stage.server_address(0);
    let isn = random.next() as u32;
    raw.send(from, to, SYN, isn, 0)?;
    let server_isn = raw
        .await_answer(to, from, SYN | ACK)?
        .ok_or_else(|| stage.broken(from, to, "no SYN/ACK for a raw SYN"))?;
    raw.send(from, to, ACK, isn.wrapping_add(1), server_isn.wrapping_add(101))?;
    raw.await_answer(to, from, RST)?
        .ok_or_else(|| stage.broken(from, to, "no reset for a wrong acknowledgment"))?;
    let done = "the last ACK of the handshake acknowledged 100 bytes that the server never sent";
    Ok(vec![stage.truth((from, to), "server", "unacceptable_segment", done)])
}

/// Checks made by [`health_check`].
const CHECKS: u32 = 6;
/// Time from one check to the next.
const CHECK_INTERVAL: Duration = Duration::from_millis(700);

/// Connections without data, opened at a fixed pace and closed with a reset.
pub(super) fn health_check(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let listener = stage.listen(0)?;
    stage.serve_ordinary(&listener, 0, 1)?;
    let start = Instant::now();
    let mut truths = Vec::new();
    for check in 0..CHECKS {
        let due = start + CHECK_INTERVAL * check;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let mut pair = stage.connect(&listener, 0)?;
        let flow = pair.flow();
        endpoint::abort(pair.client)?;
        stage.expect_reset(&mut pair.server, flow)?;
        let done = "a monitor connected, sent nothing and closed with SO_LINGER 0, every 0.7 s";
        truths.push(stage.truth(flow, "client", "health_check", done));
    }
    Ok(truths)
}

/// A raw socket on the client's wire.
struct RawClient {
    socket: PacketSocket,
    macs: ([u8; 6], [u8; 6]),
}

impl RawClient {
    fn open(stage: &Stage<'_>) -> Result<Self, Error> {
        let topology = stage.topology();
        let socket = PacketSocket::open(topology.client(), TO_SERVER)?;
        Ok(Self { socket, macs: topology.client_link_macs() })
    }

    fn send(
        &self,
        source: SocketAddr,
        destination: SocketAddr,
        flags: u8,
        seq: u32,
        ack: u32,
    ) -> Result<(), Error> {
        let options: &[u8] = if flags & SYN != 0 { &SCANNER_OPTIONS } else { &[] };
        let segment = Forged {
            source_mac: self.macs.0,
            destination_mac: self.macs.1,
            source,
            destination,
            hop_limit: 64,
            identification: 0,
            dont_fragment: true,
            flags,
            seq,
            ack,
            window: SCANNER_WINDOW,
            options,
        };
        self.socket.send(&segment.frame()).map(drop)
    }

    /// Sequence number of the first segment with just these flags, apart from ACK on a reset.
    fn await_answer(
        &self,
        source: SocketAddr,
        destination: SocketAddr,
        flags: u8,
    ) -> Result<Option<u32>, Error> {
        let deadline = Instant::now() + Duration::from_secs(3);
        let mut buffer = vec![0; FRAME_LEN_MAX];
        while Instant::now() < deadline {
            let Some(reception) = self.socket.receive(&mut buffer)? else {
                std::thread::sleep(Duration::from_millis(1));
                continue;
            };
            let Some(seen) = Seen::parse(&buffer[..reception.len]) else { continue };
            let fits = seen.flags == flags || seen.flags & flags & RST != 0;
            if fits && (seen.source, seen.destination) == (source, destination) {
                return Ok(Some(seen.seq));
            }
        }
        Ok(None)
    }
}
