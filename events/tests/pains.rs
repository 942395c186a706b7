//! The ten questions that operators ask of resets (product.md, section 6), each with the sheet that
//! answers it from one connection alone; `rstscope/tests/pains.rs` has them from captures, with what
//! other connections tell.

mod sample;

use classifiers::{
    Cause, Clue, Cost, Effect, EffectBasis, Evidence, EvidenceList, Impact, Origin, Reaction,
    Reception, Shape, Stage, Value, Verdict,
};
use events::{Event, PerSide, Side, explain};
use sample::{event, verdict};

/// The sheet on one line, so that no phrase is broken.
fn sheet(event: &Event) -> String {
    let text = explain::proof_sheet(event, 96);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn assert_says(event: &Event, phrases: &[&str]) {
    let text = sheet(event);
    for phrase in phrases {
        assert!(
            text.contains(phrase),
            "{phrase:?} is missing in:\n{}",
            explain::proof_sheet(event, 96)
        );
    }
}

/// A reset of an endpoint, with no evidence beyond the prior.
fn by_endpoint(origin: Origin, cause: Cause, impact: Impact) -> Verdict {
    let mut evidence = EvidenceList::new();
    evidence.push(Evidence {
        clue: Clue::Prior,
        row: None,
        observed: Value::None,
        expected: Value::None,
        decibans: 13.0,
        says: "most resets come from whom they name",
    });
    Verdict {
        origin,
        origin_decibans: 30.0,
        origin_confidence: 0.999,
        cause,
        cause_confidence: 0.85,
        impact,
        caveat: "",
        stage: Stage::Later,
        alternatives: [None, None],
        evidence,
        ..verdict()
    }
}

fn known_cost() -> Cost {
    Cost { in_flight: [Some(0), Some(0)], record_missing: [None, None], unread_possible: None }
}

/// 1: the firewall logs tcp-rst-from-server, the server's people deny it.
#[test]
fn who_creates_these_resets() {
    assert_says(
        &event(&verdict()),
        &[
            "ABORTED by a device in the path (above 0.99), NOT by the server 192.168.0.9:443 whose",
            "TTL 62 (2 hops), expected 57 (7 hops)",
            "2 hops from this sensor by its TTL 62",
            "the server's own packets come from 7 hops (TTL 57, n=1)",
            "by time at most 150 µs away in one direction",
            "look between this sensor and the server",
            "a log that names it as the sender only repeats the packet's source address",
        ],
    );
}

/// 2: is tcp-rst-from-client normal?
#[test]
fn is_a_reset_by_the_client_normal() {
    let verdict = Verdict {
        cost: known_cost(),
        ..by_endpoint(Origin::Client, Cause::FastClose, Impact::Benign)
    };
    let mut event = event(&verdict);
    event.claimed = Side::Client;
    event.bytes = PerSide { client: 310, server: 16_800 };
    assert_says(
        &event,
        &[
            "BENIGN, reset by the client 10.1.2.3:40000 itself",
            "all 310 bytes of the client and 16,800 of the server were acknowledged, nothing was lost",
            "`tcp-rst-from-client` for it reports a normal end",
        ],
    );
}

/// A device resets a session that was silent for `idle_s`.
fn idle_device(idle_s: f64) -> Event {
    let verdict = Verdict {
        cause: Cause::IdleTimeoutMiddlebox,
        stage: Stage::Later,
        cost: known_cost(),
        ..verdict()
    };
    let mut event = event(&verdict);
    event.idle_before_s = Some(idle_s);
    event.answered_after_s = None;
    event
}

/// 3: the idle timer of a load balancer or NAT.
#[test]
fn after_which_silence_is_the_state_forgotten() {
    let late = Verdict { cause: Cause::IdleExpiredLatePacket, ..verdict() };
    let mut event = event(&late);
    event.idle_before_s = Some(350.4);
    event.answered_after_s = Some(0.000_2);
    assert_says(
        &event,
        &[
            "had been silent for 350 s, close to 350 s, a default known from AWS NLB",
            "the first packet after the silence drew the reset, 200 µs later",
            "Set TCP keepalives shorter than 350 s",
        ],
    );
}

/// 4: four minutes in Azure, silently dropped or reset.
#[test]
fn does_the_load_balancer_reset_on_idle() {
    let mut event = idle_device(240.6);
    event.other_side_rst = true;
    event.other_side_rst_after_s = Some(0.000_4);
    assert_says(
        &event,
        &[
            "silent for 241 s, close to 240 s, a default known from Azure load balancer",
            "the other end got one 400 µs later",
            "load balancer whose \"TCP reset\" on idle is enabled",
            "Set TCP keepalives shorter than 240 s",
        ],
    );
}

/// 5: the keep-alive race, ECONNRESET and 502.
#[test]
fn whose_keep_alive_timer_is_too_short() {
    let verdict = Verdict {
        cost: Cost { in_flight: [Some(517), Some(0)], ..known_cost() },
        stage: Stage::PostFin,
        shape: Shape::Reply,
        ..by_endpoint(Origin::Server, Cause::DataAfterClose, Impact::Aborted)
    };
    let mut event = event(&verdict);
    event.longest_silence_s = Some(5);
    event.late_after_close_s = Some(0.001_1);
    assert_says(
        &event,
        &[
            "A keep-alive race: the server 192.168.0.9:443 closed",
            "came 1.10 ms later",
            "longest silence was about 5 s (5 s is a default known from Node.js keepAliveTimeout)",
            "517 bytes of the client",
        ],
    );
}

/// 6: conntrack INVALID on a Kubernetes or Docker node.
#[test]
fn does_the_node_answer_for_the_pod() {
    let verdict = Verdict {
        shape: Shape::Reply,
        ..by_endpoint(Origin::Client, Cause::NatDesync, Impact::Aborted)
    };
    let mut event = event(&verdict);
    event.answered_after_s = Some(0.000_08);
    assert_says(
        &event,
        &[
            "nf_conntrack_tcp_be_liberal=1",
            "The reset came 80 µs after the segment that it answers, from 2 hops away",
            "the node before the pod",
        ],
    );
}

/// 7: a stale database pool behind a firewall.
#[test]
fn which_timer_kills_the_pool() {
    let mut event = idle_device(3604.0);
    event.server.port = 5432;
    assert_says(
        &event,
        &[
            "silent for 3,604 s, close to 3,600 s, a default known from PAN-OS TCP session, FortiGate session-ttl",
            "maxLifetime, keepaliveTime) below 3,600 s",
            "Set TCP keepalives shorter than 3,600 s",
        ],
    );
}

/// 8: an upstream that dies: Envoy 503 UC, nginx error 104.
#[test]
fn did_the_upstream_die() {
    let verdict = Verdict {
        cost: Cost { unread_possible: Some(true), ..known_cost() },
        stage: Stage::PostPsh,
        ..by_endpoint(Origin::Server, Cause::AppAbort, Impact::Aborted)
    };
    let mut event = event(&verdict);
    event.answered_after_s = Some(3.1);
    assert_says(
        &event,
        &[
            "ABORTED by the server 192.168.0.9:443 itself",
            "after 517 bytes of the client and 0 of the server",
            "had not answered one byte; the reset came 3.10 s after the client's last data",
            "nginx: error 104; Envoy: 503 UC",
            "may have closed with data of the client unread",
            "look the same here",
        ],
    );
}

/// 9: health checks hide what is real.
#[test]
fn which_resets_are_health_checks() {
    let verdict = Verdict {
        cost: known_cost(),
        stage: Stage::PostAck,
        ..by_endpoint(Origin::Client, Cause::HealthCheck, Impact::Benign)
    };
    let mut event = event(&verdict);
    event.claimed = Side::Client;
    assert_says(&event, &["A probe: 10.1.2.3 opens connections to 192.168.0.9:443 regularly"]);
}

/// 10: a policy on names, after the ClientHello.
#[test]
fn is_it_a_policy_on_names() {
    let mut event = event(&verdict());
    event.app.client = Some("tls".into());
    assert_says(
        &event,
        &[
            "upon the client's first TLS record, 300 µs later",
            "It came 300 µs after what it answers, and the round trip to the server takes 18.0 ms: \
             the answer cannot be the server's",
            "openssl s_client -connect 192.168.0.9:443 -servername other.example",
        ],
    );
}

/// What the model says and what was seen are told apart, and so is their contradiction.
#[test]
fn a_contradiction_of_model_and_sight_is_said() {
    let verdict = Verdict {
        effect: Effect::Ignored,
        effect_basis: EffectBasis {
            expected: Reception::Obey,
            because: "it is at the very number that its receiver expects",
            seen: Reaction::WentOn,
            contradiction: true,
        },
        ..verdict()
    };
    assert_says(
        &event(&verdict),
        &["Ignored: the client went on", "These CONTRADICT each other", "the connection lived on"],
    );
}
