//! Resets that say why: in a payload, in a code, by a device or by the endpoint itself.

use std::io::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use crate::endpoint;
use crate::forgery::Style;
use crate::frame::{ACK, RST};
use crate::hand::{Draft, Hand, Stack, Talk};
use crate::injector::{Injector, Plan, Targets, Trigger};
use crate::scenario::policy::strike_during;
use crate::scenario::stage::Stage;
use crate::{Error, Truth};

/// One way to say why, and what it means.
struct Word {
    /// Window of the reset, if it is a code.
    window: Option<u16>,
    payload: &'static [u8],
    cause: &'static str,
    says: &'static str,
}

/// Compact payloads: magic 0x33AA, code, enterprise number 0 (draft-boucadair-tcpm-rst-diagnostic-payload).
const COMPACT: [Word; 4] = [
    Word {
        window: None,
        payload: &[0x33, 0xaa, 0, 4, 0, 0, 0, 0],
        cause: "app_abort",
        says: "code 4, ABORT",
    },
    Word {
        window: None,
        payload: &[0x33, 0xaa, 0, 10, 0, 0, 0, 0],
        cause: "resource_exhaustion",
        says: "code 10, resource exceeded",
    },
    Word {
        window: None,
        payload: &[0x33, 0xaa, 0, 2, 0, 0, 0, 0],
        cause: "unacceptable_segment",
        says: "code 2, desynchronised state",
    },
    Word {
        window: None,
        payload: &[0x33, 0xaa, 0, 11, 0, 0, 0, 0],
        cause: "proxied_backend_refused",
        says: "code 11, network failure behind it",
    },
];

/// Text: RFC 1122, section 4.2.2.12, allows it; the draft marks it with 0xF317.
const TEXT: [Word; 2] = [
    Word {
        window: None,
        payload: b"\xf3\x17going down for maintenance",
        cause: "app_abort",
        says: "free text",
    },
    Word {
        window: None,
        payload: b"BIG-IP: [0x2c1b4d8:2305] No local listener",
        cause: "app_abort",
        says: "text of a vendor",
    },
];

/// Codes of an appliance in the window (Citrix CTX200852).
const CODES: [Word; 3] = [
    Word { window: Some(IDLE), payload: &[], cause: "idle_timeout_middlebox", says: "code 9300" },
    Word { window: Some(9219), payload: &[], cause: "resource_exhaustion", says: "code 9219" },
    Word { window: Some(9855), payload: &[], cause: "connection_limit", says: "code 9855" },
];

/// The code for an idle connection: the only one that is sent after a silence.
const IDLE: u16 = 9300;

/// The server's own TCP says why it aborts, in the compact form.
pub(super) fn compact_by_server(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    by_server(stage, &COMPACT, 64)
}

/// The server's own TCP says why it aborts, in words.
pub(super) fn text_by_server(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    by_server(stage, &TEXT, 255)
}

/// A terminating load balancer says why, by the code in its window.
pub(super) fn window_code_by_server(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    by_server(stage, &CODES, 255)
}

fn by_server(stage: &Stage<'_>, words: &[Word], hop_limit: u8) -> Result<Vec<Truth>, Error> {
    let mut random = stage.random();
    let to = stage.ghost_server(0, 0);
    let stack = Stack {
        hop_limit,
        identification: random.word(),
        fixed_identification: false,
        window: 8190,
    };
    let mut truths = Vec::new();
    for word in words {
        let mut hand = Hand::of_server(stage.topology(), stack)?;
        let isn = random.next() as u32;
        let mut server_part = || -> Result<SocketAddr, Error> {
            let broken = |what: &str| stage.broken(to, to, what);
            let mut talk = Talk::accept(&mut hand, to, isn)?.ok_or_else(|| broken("no call"))?;
            if !talk.take()? {
                return Err(broken("no request"));
            }
            talk.send(ACK | 0x08, b"HTTP/1.1 200 OK\r\n\r\nhalf an answer")?;
            if word.window == Some(IDLE) {
                std::thread::sleep(Duration::from_secs(6));
            }
            // Otherwise the answer is still unacknowledged.
            let (window, payload) = (word.window, word.payload);
            talk.send_draft(Draft { flags: RST | ACK, window, payload, ..Draft::default() })?;
            Ok(talk.peer)
        };
        let from = SocketAddr::new(stage.client_ip(), 0);
        let (peer, client) = std::thread::scope(|scope| {
            let caller = scope.spawn(|| -> Result<_, Error> {
                let mut call = stage.call(from, to)?;
                call.stream
                    .write_all(b"GET / HTTP/1.1\r\n\r\n")
                    .map_err(|source| Error::socket("send a request", source))?;
                Ok(call)
            });
            let peer = server_part();
            (peer, caller.join().expect("a caller does not panic"))
        });
        let (peer, mut client) = (peer?, client?);
        stage.expect_reset(&mut client.stream, (peer, to))?;
        let done = format!(
            "a server with a TCP of its own aborted in the middle of an answer and said why: {}",
            word.says
        );
        let truth = stage.truth((peer, to), "server", word.cause, done);
        let stack = format!("TCP by hand: initial hop limit {hop_limit}, declared {}", word.says);
        truths.push(truth.by_hand(stack));
    }
    Ok(truths)
}

/// A device forges a reset that says why.
pub(super) fn by_device(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let not_authorised = Style::Payload(&[0x33, 0xaa, 0, 9, 0, 0, 0, 0]);
    let styles = [
        (not_authorised, "policy_reset_midstream"),
        (Style::WindowCode(9830), "policy_reset_midstream"),
        (Style::Payload(b"\xf3\x17blocked by policy 17"), "policy_reset_midstream"),
    ];
    let listener = stage.listen(0)?;
    stage.serve_ordinary(&listener, 0, 2)?;
    let mut random = stage.random();
    let mut truths = Vec::new();
    for (style, cause) in styles {
        let device = Injector::open(stage.topology())?;
        let mut pair = stage.connect(&listener, 0)?;
        let flow = pair.flow();
        for _ in 0..2 + random.below(4) {
            endpoint::exchange(&mut pair.client, &mut pair.server, b"harmless\n", b"go on\n")?;
        }
        let targets = [Targets::Client, Targets::Both][random.below(2) as usize];
        let trigger = Trigger::ClientSays(b"unwanted");
        let plan = Plan { client: flow.0.ip(), server: flow.1, trigger, style, targets };
        let struck = strike_during(&device, &plan, &mut random, || {
            endpoint::say(&mut pair.client, b"unwanted words\n")
        })?;
        if !struck {
            return Err(stage.broken(flow.0, flow.1, "the device did not hear its word"));
        }
        stage.expect_reset(&mut pair.client, flow)?;
        stage.pause(1);
        endpoint::vanish(pair.server);
        let done = "a device in front of the firewall forged a reset that declares its reason";
        let truth = stage.truth(flow, targets.origin(), cause, done);
        truths.push(truth.by_rule(format!("injector: {}", style.describe())));
    }
    Ok(truths)
}
