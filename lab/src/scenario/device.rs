//! Resets that no endpoint sent: a firewall's and a forger's.

use crate::endpoint::{self, PATIENCE};
use crate::forgery::Style;
use crate::injector::{Injector, Plan, Targets, Trigger};
use crate::scenario::{Stage, stage};
use crate::{Error, Truth};

/// A rule that comes into force after the server has been reached a few times.
pub(super) fn reject_syn(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let listener = stage.listen(0)?;
    stage.serve_ordinary(&listener, 0, 3)?;
    let to = stage.server_address(0);
    let rule = format!(
        "tcp dport {} tcp flags & (fin|syn|rst|ack) == syn reject with tcp reset",
        to.port()
    );
    stage.firewall_rule(&rule)?;
    let attempt = stage.attempt(0)?;
    if attempt.outcome != Err(nix::errno::Errno::ECONNREFUSED) {
        let what = format!("the call ended with {:?}", attempt.outcome);
        return Err(stage.broken(attempt.address, to, what));
    }
    let done =
        "the firewall answered the SYN in the server's name; the server listened and never saw it";
    let mut truth =
        stage.truth((attempt.address, to), "middlebox_to_client", "policy_reset_syn", done);
    truth.rule = Some(rule);
    Ok(vec![truth])
}

/// What the rule of [`reject_midstream`] looks for at the start of a segment's payload.
const FORBIDDEN: &[u8; 8] = b"FORBIDDE";

/// A rule that knows one word; the word comes after a while of harmless talk.
pub(super) fn reject_midstream(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let listener = stage.listen(0)?;
    stage.serve_ordinary(&listener, 0, 2)?;
    let to = stage.server_address(0);
    let word = u64::from_be_bytes(*FORBIDDEN);
    let rule = format!("tcp dport {} @ih,0,64 {word:#x} reject with tcp reset", to.port());
    stage.firewall_rule(&rule)?;
    let mut pair = stage.connect(&listener, 0)?;
    let flow = pair.flow();
    for _ in 0..6 {
        endpoint::exchange(&mut pair.client, &mut pair.server, b"harmless\n", b"go on\n")?;
    }
    endpoint::say(&mut pair.client, b"FORBIDDEN\n")?;
    stage.expect_reset(&mut pair.client, flow)?;
    // The server was told nothing and would wait for ever.
    endpoint::vanish(pair.server);
    let done = "the firewall dropped a data segment in mid-stream and answered it in the server's name; \
                the server was told nothing";
    let mut truth = stage.truth(flow, "middlebox_to_client", "policy_reset_midstream", done);
    truth.rule = Some(rule);
    Ok(vec![truth])
}

/// A rule that knows the beginning of a request; nothing else was said on the connection.
pub(super) fn reject_content(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let listener = stage.listen(0)?;
    let to = stage.server_address(0);
    let word = u64::from_be_bytes(*b"GET /for");
    let rule = format!("tcp dport {} @ih,0,64 {word:#x} reject with tcp reset", to.port());
    stage.firewall_rule(&rule)?;
    stage.serve_ordinary(&listener, 0, 2)?;
    let mut pair = stage.connect(&listener, 0)?;
    let flow = pair.flow();
    endpoint::say(&mut pair.client, b"GET /forbidden HTTP/1.1\r\nHost: example.com\r\n\r\n")?;
    stage.expect_reset(&mut pair.client, flow)?;
    endpoint::vanish(pair.server);
    let done = "the firewall dropped the first request of the connection and answered it in the server's name";
    let mut truth = stage.truth(flow, "middlebox_to_client", "policy_reset_content", done);
    truth.rule = Some(rule);
    Ok(vec![truth])
}

/// Resets in the server's name whose sequence numbers lie in the client's window but are not the next one.
pub(super) fn blind_resets(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let listener = stage.listen(0)?;
    stage.serve_ordinary(&listener, 0, 2)?;
    let mut random = stage.random();
    let attacker = Injector::open(stage.topology())?;
    let mut pair = stage.connect(&listener, 0)?;
    let flow = pair.flow();
    let struck = std::thread::scope(|scope| {
        let attack = scope.spawn(|| {
            let plan = Plan {
                client: flow.0.ip(),
                server: flow.1,
                trigger: Trigger::ClientSays(KEYWORD),
                style: Style::Guessed,
                targets: Targets::Client,
            };
            attacker.strike(&plan, &mut random, PATIENCE)
        });
        endpoint::exchange(&mut pair.client, &mut pair.server, b"unwanted\n", b"go on\n")?;
        attack.join().expect("the attacker does not panic")
    })?;
    if !struck {
        return Err(stage.broken(flow.0, flow.1, "the attacker did not find its moment"));
    }
    // The connection lives on and ends well.
    stage.pause(1);
    for _ in 0..3 {
        endpoint::exchange(&mut pair.client, &mut pair.server, b"unharmed\n", b"go on\n")?;
    }
    stage::finish(&mut pair)?;
    let done = "eight resets in the server's name, as a guesser would send them: inside the client's window, none at \
                its next number; the client answered with a challenge ACK and the connection lived on";
    let mut truth = stage.truth(flow, "blind_attacker", "blind_rst_attack", done);
    truth.rule = Some(format!("attacker: {}", Style::Guessed.describe()));
    Ok(vec![truth])
}

/// What makes the device of [`spoofed_injection`] act.
const KEYWORD: &[u8] = b"unwanted";

/// A device that hears the link forges resets to both sides when a word passes in mid-stream.
pub(super) fn spoofed_injection(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let listener = stage.listen(0)?;
    stage.serve_ordinary(&listener, 0, 2)?;
    let mut random = stage.random();
    let style = Style::choose(&mut random);
    let injector = Injector::open(stage.topology())?;
    let mut pair = stage.connect(&listener, 0)?;
    let flow = pair.flow();
    let struck = std::thread::scope(|scope| {
        let plan = Plan {
            client: flow.0.ip(),
            server: flow.1,
            trigger: Trigger::ClientSays(KEYWORD),
            style,
            targets: Targets::Both,
        };
        let device = scope.spawn(move || injector.strike(&plan, &mut random, PATIENCE));
        for _ in 0..6 {
            endpoint::exchange(&mut pair.client, &mut pair.server, b"harmless\n", b"go on\n")?;
        }
        endpoint::say(&mut pair.client, b"something unwanted\n")?;
        // The server answers before the forged reset reaches it.
        endpoint::say(&mut pair.server, b"still here\n")?;
        device.join().expect("the device does not panic")
    })?;
    if !struck {
        return Err(stage.broken(flow.0, flow.1, "the device did not hear its word"));
    }
    stage.expect_reset(&mut pair.client, flow)?;
    stage.expect_reset(&mut pair.server, flow)?;
    let done = "a device on the link in front of the firewall, which had followed the sequence numbers, \
                forged resets to both ends in the name of the other";
    let mut truth = stage.truth(flow, "middlebox_both", "policy_reset_midstream", done);
    truth.rule = Some(format!("injector: {}", style.describe()));
    Ok(vec![truth])
}

/// The connection tracker forgets a silent session; the next packet is invalid and rejected.
pub(super) fn idle_session_forgotten(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let to = stage.server_address(0);
    let rule = format!("tcp dport {} ct state invalid reject with tcp reset", to.port());
    // The tracker must have seen the connection begin, so the rule comes first.
    stage.firewall_rule(&rule)?;
    let listener = stage.listen(0)?;
    stage.serve_ordinary(&listener, 0, 2)?;
    let mut pair = stage.connect(&listener, 0)?;
    let flow = pair.flow();
    endpoint::exchange(&mut pair.client, &mut pair.server, b"begin\n", b"ready\n")?;
    std::thread::sleep(stage.idle());
    endpoint::say(&mut pair.client, b"are you still there?\n")?;
    stage.expect_reset(&mut pair.client, flow)?;
    endpoint::vanish(pair.server);
    let done = format!(
        "the session was silent for {} s, the firewall's tracker forgot it after a third of that, \
         and the client's next data was rejected in the server's name",
        stage.idle().as_secs()
    );
    let mut truth = stage.truth(flow, "middlebox_to_client", "idle_expired_late_packet", done);
    truth.rule = Some(rule);
    Ok(vec![truth])
}
