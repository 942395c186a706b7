//! Idle timers without a program of their own: the firewall's, and none at all.

use std::time::Duration;

use crate::endpoint;
use crate::scenario::Stage;
use crate::software::caller::together;
use crate::software::nginx::timed;
use crate::software::spread;
use crate::{Error, Truth};

/// Flows of each recipe.
const FLOWS: usize = 36;

/// The timer of [`conntrack`].
const FORGOTTEN: Duration = Duration::from_secs(11);

/// The firewall's connection tracker forgets silent sessions after a time of their own; late packets are rejected.
pub(crate) fn conntrack(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let port = stage.server_address(0).port();
    // A policy of these flows only: other scenarios in the same firewall keep the firewall's own timer.
    let (policy, family) = if stage.is_v6() {
        (format!("idle6_{port}"), "ip6")
    } else {
        (format!("idle4_{port}"), "ip")
    };
    let objects = format!(
        "add table {family} timers\n\
         table {family} timers {{\n ct timeout {policy} {{\n protocol tcp\n l3proto {family}\n \
         policy = {{ established : {} }}\n }}\n\
         chain choose {{ type filter hook prerouting priority -100; }}\n}}\n\
         add rule {family} timers choose tcp dport {port} ct timeout set \"{policy}\"\n",
        FORGOTTEN.as_secs()
    );
    stage.topology().firewall().tool("nft", &["-f", "-"], &objects)?;
    let rule = format!("tcp dport {port} ct state invalid reject with tcp reset");
    stage.firewall_rule(&rule)?;
    let listener =
        endpoint::listen_on(stage.topology().server(), stage.server_address(0), FLOWS as i32)?;
    stage.serve_ordinary(&listener, 0, 2)?;
    let idle = spread(&mut stage.random(), FLOWS, FORGOTTEN);
    let mut pairs = Vec::new();
    for _ in 0..FLOWS {
        pairs.push(std::sync::Mutex::new(Some(stage.connect(&listener, 0)?)));
    }
    let truths = together(FLOWS, |number| {
        let pair = pairs[number].lock().expect("no flow panics").take();
        let mut pair = pair.expect("each pair is played once");
        let flow = pair.flow();
        endpoint::exchange(&mut pair.client, &mut pair.server, b"begin\n", b"ready\n")?;
        std::thread::sleep(idle[number]);
        endpoint::say(&mut pair.client, b"are you still there?\n")?;
        let idle_s = idle[number].as_secs_f64();
        if idle[number] < FORGOTTEN {
            endpoint::hear(&mut pair.server, 21)?;
            endpoint::say(&mut pair.server, b"yes\n")?;
            endpoint::hear(&mut pair.client, 4)?;
            crate::scenario::finish(&mut pair)?;
            let done =
                format!("the firewall still knew the session after {idle_s:.2} s of silence");
            return Ok(vec![stage.truth(flow, "none", "none", done)]);
        }
        stage.expect_reset(&mut pair.client, flow)?;
        endpoint::vanish(pair.server);
        let done = format!(
            "the firewall's tracker forgot the session; the client's next data came after {idle_s:.2} s of silence \
             and was rejected in the server's name"
        );
        let mut truth = stage.truth(flow, "middlebox_to_client", "idle_expired_late_packet", done);
        truth.rule = Some(rule.clone());
        Ok(vec![truth])
    })?;
    Ok(timed(truths, FORGOTTEN))
}

/// Connections of [`no_timer`].
const WHIMS: usize = 48;

/// Longest silence of [`no_timer`], in milliseconds.
const WHIM_MS_MAX: f64 = 40_000.0;
/// Shortest.
const WHIM_MS_MIN: f64 = 300.0;

/// Applications that end idle connections whenever they like: many idle times, no timer.
pub(crate) fn no_timer(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let listener =
        endpoint::listen_on(stage.topology().server(), stage.server_address(0), WHIMS as i32)?;
    stage.serve_ordinary(&listener, 0, 2)?;
    let mut random = stage.random();
    let mut pairs = Vec::new();
    for _ in 0..WHIMS {
        let share = random.below(10_000) as f64 / 10_000.0;
        let idle_ms = WHIM_MS_MIN * (WHIM_MS_MAX / WHIM_MS_MIN).powf(share);
        let idle = Duration::from_secs_f64(idle_ms / 1000.0);
        let pair = stage.connect(&listener, 0)?;
        pairs.push(std::sync::Mutex::new(Some((pair, idle))));
    }
    together(WHIMS, |number| {
        let pair = pairs[number].lock().expect("no flow panics").take();
        let (mut pair, idle) = pair.expect("each pair is played once");
        let flow = pair.flow();
        endpoint::exchange(&mut pair.client, &mut pair.server, b"begin\n", b"ready\n")?;
        std::thread::sleep(idle);
        let idle_s = idle.as_secs_f64();
        let after = format!("after {idle_s:.2} s of silence, for no reason");
        let truth = match number % 6 {
            0 => {
                endpoint::abort(pair.client)?;
                stage.expect_reset(&mut pair.server, flow)?;
                stage.truth(
                    flow,
                    "client",
                    "fast_close",
                    format!("the client closed with SO_LINGER 0 {after}"),
                )
            }
            1 | 2 => {
                endpoint::abort(pair.server)?;
                stage.expect_reset(&mut pair.client, flow)?;
                stage.truth(
                    flow,
                    "server",
                    "fast_close",
                    format!("the server closed with SO_LINGER 0 {after}"),
                )
            }
            3 => {
                drop(pair.server);
                stage.pause(1);
                let _ = endpoint::say(&mut pair.client, b"but\n");
                stage.pause(2);
                let done = format!("the server closed with FIN {after}; the client said more");
                stage.truth(flow, "server", "data_after_close", done)
            }
            _ => {
                crate::scenario::finish(&mut pair)?;
                stage.truth(flow, "none", "none", format!("both closed with FIN {after}"))
            }
        };
        Ok(vec![truth])
    })
}
