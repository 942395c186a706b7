//! Devices beside the path, in the styles that have been described.

use crate::endpoint::{self, PATIENCE};
use crate::forgery::Style;
use crate::injector::{Injector, Plan, Targets, Trigger};
use crate::lab::Place;
use crate::random::Random;
use crate::scenario::stage::{Hook, Stage};
use crate::{Error, Truth};

/// What makes a device act; the firewall's rules look at the first eight bytes.
const KEYWORD: &[u8; 8] = b"unwanted";

/// GFW type 1.
pub(super) fn bare(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    inject(stage, Style::Bare, &[Targets::Client, Targets::Server, Targets::Both])
}

/// GFW type 2.
pub(super) fn stepping_triple(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    inject(stage, Style::SteppingTriple, &[Targets::Client, Targets::Both])
}

/// The device of August 2025, on data.
pub(super) fn rising_triple(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    inject(stage, Style::RisingTriple, &[Targets::Client, Targets::Server, Targets::Both])
}

/// Suricata beside the path.
pub(super) fn suricata_passive(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    inject(stage, Style::SuricataReject, &[Targets::Client, Targets::Both])
}

/// Suricata in the path: the trigger never arrives.
pub(super) fn suricata_inline(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let to = stage.server_address(0);
    let word = u64::from_be_bytes(*KEYWORD);
    let rule = format!("tcp dport {} @ih,0,64 {word:#x} drop", to.port());
    stage.rule(Place::Firewall, Hook::Forward, &rule)?;
    inject(stage, Style::SuricataReject, &[Targets::Client, Targets::Server, Targets::Both])
}

/// Snort 3.
pub(super) fn snort_strafe(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    inject(stage, Style::SnortStrafe, &[Targets::Client, Targets::Server, Targets::Both])
}

/// dsniff's tcpkill.
pub(super) fn tcpkill(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    inject(stage, Style::Tcpkill, &[Targets::Client, Targets::Both])
}

/// A BSD firewall.
pub(super) fn low_delay(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    inject(stage, Style::LowDelay, &[Targets::Client, Targets::Server, Targets::Both])
}

/// An appliance with a stack of its own.
pub(super) fn gateway(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    inject(stage, Style::Gateway, &[Targets::Client, Targets::Server, Targets::Both])
}

/// The client speaks a word, at once or after a while; or the server does.
fn inject(stage: &Stage<'_>, style: Style, targets: &[Targets]) -> Result<Vec<Truth>, Error> {
    let mut random = stage.random();
    let targets = targets[random.below(targets.len() as u64) as usize];
    // The first words of a connection, or a later one.
    let talk = if random.below(2) == 0 { 0 } else { 2 + random.below(6) };
    // A word of the server is only heard when it is far from the first.
    let server_says = talk > 0 && style != Style::SuricataReject && random.below(3) == 0;
    let cause = if talk == 0 { "policy_reset_content" } else { "policy_reset_midstream" };
    let listener = stage.listen(0)?;
    stage.serve_ordinary(&listener, 0, 2)?;
    let injector = Injector::open(stage.topology())?;
    let mut pair = stage.connect(&listener, 0)?;
    let flow = pair.flow();
    let trigger =
        if server_says { Trigger::ServerSays(KEYWORD) } else { Trigger::ClientSays(KEYWORD) };
    let plan = Plan { client: flow.0.ip(), server: flow.1, trigger, style, targets };
    let mut sizes = random.clone();
    let struck = std::thread::scope(|scope| {
        let device = scope.spawn(|| injector.strike(&plan, &mut random, PATIENCE));
        for _ in 0..talk {
            let answer = vec![b'.'; 1 + sizes.below(4000) as usize];
            endpoint::exchange(&mut pair.client, &mut pair.server, b"harmless\n", &answer)?;
        }
        let speaker = if server_says { &mut pair.server } else { &mut pair.client };
        endpoint::say(speaker, b"unwanted words\n")?;
        device.join().expect("the device does not panic")
    })?;
    if !struck {
        return Err(stage.broken(flow.0, flow.1, "the device did not hear its word"));
    }
    stage.pause(3);
    // Whoever was not reset, or did not believe it, is forgotten.
    endpoint::vanish(pair.client);
    endpoint::vanish(pair.server);
    let speaker = if server_says { "server" } else { "client" };
    let done = format!(
        "a device in front of the firewall heard a word of the {speaker} after {talk} exchanges and forged resets"
    );
    let truth = stage.truth(flow, targets.origin(), cause, done);
    Ok(vec![truth.by_rule(format!("injector: {}", style.describe()))])
}

/// Three resets after the client's SYN, with number 0 (GFW Report, 20 August 2025).
pub(super) fn triple_on_syn(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    on_syn(stage, Style::RisingTriple)
}

/// A device that copies the SYN's fields: the reset comes before the server's real answer.
pub(super) fn syn_copy(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    on_syn(stage, Style::SynCopy)
}

/// A BSD firewall that refuses a port.
pub(super) fn low_delay_on_syn(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    on_syn(stage, Style::LowDelay)
}

fn on_syn(stage: &Stage<'_>, style: Style) -> Result<Vec<Truth>, Error> {
    let listener = stage.listen(0)?;
    stage.serve_ordinary(&listener, 0, 3)?;
    let mut random = stage.random();
    let to = stage.server_address(0);
    let mut truths = Vec::new();
    for _ in 0..1 + random.below(3) {
        let injector = Injector::open(stage.topology())?;
        let client = stage.client_ip();
        let (trigger, targets) = (Trigger::Syn, Targets::Client);
        let plan = Plan { client, server: to, trigger, style, targets };
        let (struck, attempt) = std::thread::scope(|scope| {
            let device = scope.spawn(|| injector.strike(&plan, &mut random, PATIENCE));
            let attempt = stage.attempt(0);
            (device.join().expect("the device does not panic"), attempt)
        });
        let attempt = attempt?;
        if !struck? {
            return Err(stage.broken(attempt.address, to, "the device did not hear the SYN"));
        }
        stage.pause(3);
        endpoint::vanish(attempt.stream);
        let done = format!(
            "a device in front of the firewall answered the SYN in the server's name; the server listened and \
             answered as well; connect() ended with {:?}",
            attempt.outcome
        );
        let truth =
            stage.truth((attempt.address, to), "middlebox_to_client", "policy_reset_syn", done);
        truths.push(truth.by_rule(format!("injector: {}", style.describe())));
    }
    // The server's sides of those that went through after all.
    listener.set_nonblocking(true).map_err(|source| Error::socket("empty a queue", source))?;
    while let Ok((stream, _)) = listener.accept() {
        endpoint::vanish(stream);
    }
    Ok(truths)
}

/// A firewall in front of the client rejects a word of the server: the reset goes to the server.
pub(super) fn reject_response(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let mut random = stage.random();
    let listener = stage.listen(0)?;
    stage.serve_ordinary(&listener, 0, 2)?;
    let (family, to) = (stage.nft_family(), stage.server_address(0));
    let word = u64::from_be_bytes(*KEYWORD);
    let rule = format!(
        "{family} saddr {} tcp sport {} @ih,0,64 {word:#x} reject with tcp reset",
        to.ip(),
        to.port()
    );
    stage.rule(Place::ClientRouter, Hook::Forward, &rule)?;
    let mut pair = stage.connect(&listener, 0)?;
    let flow = pair.flow();
    for _ in 0..2 + random.below(5) {
        endpoint::exchange(&mut pair.client, &mut pair.server, b"harmless\n", b"go on\n")?;
    }
    endpoint::say(&mut pair.client, b"and now?\n")?;
    endpoint::say(&mut pair.server, b"unwanted answer\n")?;
    stage.expect_reset(&mut pair.server, flow)?;
    endpoint::vanish(pair.client);
    let done = "a firewall in front of the client dropped a segment of the server and answered it in the client's name";
    let truth = stage.truth(flow, "middlebox_to_server", "policy_reset_midstream", done);
    Ok(vec![truth.by_rule(rule)])
}

/// Resets with guessed numbers toward the server.
pub(super) fn blind_to_server(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let listener = stage.listen(0)?;
    stage.serve_ordinary(&listener, 0, 2)?;
    let mut random = stage.random();
    let attacker = Injector::open(stage.topology())?;
    let mut pair = stage.connect(&listener, 0)?;
    let flow = pair.flow();
    let plan = Plan {
        client: flow.0.ip(),
        server: flow.1,
        trigger: Trigger::ClientSays(KEYWORD),
        style: Style::Guessed,
        targets: Targets::Server,
    };
    let struck = strike_during(&attacker, &plan, &mut random, || {
        endpoint::exchange(&mut pair.client, &mut pair.server, b"unwanted\n", b"go on\n")
    })?;
    if !struck {
        return Err(stage.broken(flow.0, flow.1, "the attacker did not find its moment"));
    }
    stage.pause(1);
    for _ in 0..3 {
        endpoint::exchange(&mut pair.client, &mut pair.server, b"unharmed\n", b"go on\n")?;
    }
    crate::scenario::stage::finish(&mut pair)?;
    let done = "eight resets in the client's name, inside the server's window, none at its next number; the server \
                answered with a challenge ACK and the connection lived on";
    let truth = stage.truth(flow, "blind_attacker", "blind_rst_attack", done);
    Ok(vec![truth.by_rule(format!("attacker: {}", Style::Guessed.describe()))])
}

/// Lets a device listen while something is done.
pub(super) fn strike_during(
    device: &Injector,
    plan: &Plan<'_>,
    random: &mut Random,
    act: impl FnOnce() -> Result<(), Error>,
) -> Result<bool, Error> {
    std::thread::scope(|scope| {
        let device = scope.spawn(|| device.strike(plan, random, PATIENCE));
        act()?;
        device.join().expect("the device does not panic")
    })
}
