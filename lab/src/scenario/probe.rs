//! Resets drawn by those who only want to know: scanners, monitors and odd packets.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::endpoint;
use crate::frame::{ACK, SYN};
use crate::hand::{Draft, Hand, Heard, MSS_ONLY, Stack};
use crate::scenario::Stage;
use crate::{Error, Truth};

/// Ports a scanner tries; the first [`OPEN_PORTS`] of them listen.
const SCANNED_PORTS: u16 = 12;
const OPEN_PORTS: u16 = 3;

/// Raw SYNs from the client's address: its kernel knows nothing of them and resets the SYN/ACKs.
pub(super) fn syn_scan(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let listeners =
        (0..OPEN_PORTS).map(|index| stage.listen(index)).collect::<Result<Vec<_>, Error>>()?;
    let mut raw = Hand::of_client(stage.topology(), Stack::SCANNER)?;
    let mut random = stage.random();
    let mut truths = Vec::new();
    for index in 0..SCANNED_PORTS {
        let from = SocketAddr::new(stage.client_ip(), 40_000 + random.word() % 20_000);
        let to = stage.server_address(index);
        raw.send(from, to, syn(random.next() as u32))?;
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
    let mut raw = Hand::of_client(stage.topology(), Stack::SCANNER)?;
    let mut random = stage.random();
    let from = SocketAddr::new(stage.ghost_client(0), 40_000 + random.word() % 20_000);
    let to = stage.server_address(0);
    let (seq, ack) = (random.next() as u32, random.next() as u32);
    raw.send(from, to, Draft { flags: ACK, seq, ack, ..Draft::default() })?;
    raw.await_segment(from, Heard::is_reset)?
        .ok_or_else(|| stage.broken(from, to, "no reset for a stray ACK"))?;
    let done = "one raw ACK without a connection, sent to a listening port (an ACK probe)";
    Ok(vec![stage.truth((from, to), "server", "stray_probe_response", done)])
}

/// A handshake by hand whose last ACK is 100 too high.
pub(super) fn unacceptable_segment(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let listener = stage.listen(0)?;
    stage.serve_ordinary(&listener, 0, 1)?;
    let mut raw = Hand::of_client(stage.topology(), Stack::SCANNER)?;
    let mut random = stage.random();
    // No kernel owns this address, so none interferes with the handshake.
    let from = SocketAddr::new(stage.ghost_client(0), 40_000 + random.word() % 20_000);
    let to = stage.server_address(0);
    let isn = random.next() as u32;
    raw.send(from, to, syn(isn))?;
    let answer = raw
        .await_segment(from, |heard| heard.flags == SYN | ACK)?
        .ok_or_else(|| stage.broken(from, to, "no SYN/ACK for a raw SYN"))?;
    let (seq, ack) = (answer.ack, answer.seq_end.wrapping_add(100));
    raw.send(from, to, Draft { flags: ACK, seq, ack, ..Draft::default() })?;
    raw.await_segment(from, Heard::is_reset)?
        .ok_or_else(|| stage.broken(from, to, "no reset for a wrong acknowledgment"))?;
    let done = "the last ACK of the handshake acknowledged 100 bytes that the server never sent";
    Ok(vec![stage.truth((from, to), "server", "unacceptable_segment", done)])
}

/// The SYN of a scanner, as nmap sends it.
pub(super) fn syn(seq: u32) -> Draft<'static> {
    Draft { flags: SYN, seq, options: &MSS_ONLY, ..Draft::default() }
}

/// Fewest checks a monitor makes.
const CHECKS_MIN: u64 = 12;

/// Number of checks and the time from one to the next, of a run's own.
fn pace(stage: &Stage<'_>) -> (u32, Duration) {
    let mut random = stage.random();
    let checks = u32::try_from(CHECKS_MIN + random.below(5)).expect("a few checks");
    (checks, Duration::from_millis(400 + 50 * random.below(9)))
}

/// Connections without data, opened at a fixed pace and closed with a reset.
pub(super) fn health_check(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let listener = stage.listen(0)?;
    stage.serve_ordinary(&listener, 0, 1)?;
    let start = Instant::now();
    let mut truths = Vec::new();
    let (checks, interval) = pace(stage);
    for check in 0..checks {
        let due = start + interval * check;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let mut pair = stage.connect(&listener, 0)?;
        let flow = pair.flow();
        endpoint::abort(pair.client)?;
        stage.expect_reset(&mut pair.server, flow)?;
        let done = format!(
            "check {} of a monitor: connected, sent nothing and closed with SO_LINGER 0, every {interval:?}",
            check + 1
        );
        truths.push(stage.truth(flow, "client", "health_check", done));
    }
    Ok(truths)
}

/// SYNs at a fixed pace; the monitor's host knows no connection and resets the SYN/ACK.
pub(super) fn health_check_half_open(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let listener = stage.listen(0)?;
    stage.serve_ordinary(&listener, 0, 1)?;
    let mut raw = Hand::of_client(stage.topology(), Stack::SCANNER)?;
    let mut random = stage.random();
    let to = stage.server_address(0);
    let (checks, interval) = pace(stage);
    let start = Instant::now();
    let first_port = 40_000 + random.word() % 20_000;
    let mut truths = Vec::new();
    for check in 0..checks {
        std::thread::sleep((start + interval * check).saturating_duration_since(Instant::now()));
        let port = first_port + u16::try_from(check).expect("a few checks");
        let from = SocketAddr::new(stage.client_ip(), port);
        raw.send(from, to, syn(random.next() as u32))?;
        let done = format!(
            "check {} of a monitor: a raw SYN every {interval:?}; its kernel reset the SYN/ACK",
            check + 1
        );
        truths.push(stage.truth((from, to), "client", "health_check", done));
    }
    stage.pause(3);
    Ok(truths)
}
