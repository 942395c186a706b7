//! A packet that slips past the translation of addresses.

use std::net::SocketAddr;

use crate::endpoint;
use crate::frame::ACK;
use crate::hand::{Draft, Hand, Stack};
use crate::lab::Place;
use crate::scenario::stage::{Hook, Pair, Stage};
use crate::{Error, Truth};

/// The firewall translates a service's address to a server; a segment outside the window is invalid for its tracker
/// and leaves untranslated (as with kube-proxy before Kubernetes 1.15).
pub(super) fn nat_desync(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let real = stage.server_at(0, 1);
    let service = stage.ghost_server(0, 0);
    let (family, port) = (stage.nft_family(), service.port());
    let service_ip = service.ip();
    let rule = format!("{family} daddr {service_ip} tcp dport {port} dnat {family} to {real}");
    stage.rule(Place::Firewall, Hook::Translate, &rule)?;
    let listener = stage.listen_at(real)?;
    let mut random = stage.random();
    let mut truths = Vec::new();
    for _ in 0..1 + random.below(3) {
        let from = SocketAddr::new(stage.client_ip(), 0);
        let mut pair = stage.pair(&listener, from, service)?;
        let mut wire = Hand::of_server(
            stage.topology(),
            Stack {
                hop_limit: 64,
                identification: random.word(),
                fixed_identification: false,
                window: 500,
            },
        )?;
        let Pair { client, server, from, .. } = &mut pair;
        endpoint::exchange(client, server, b"begin\n", b"ready\n")?;
        endpoint::say(client, b"more\n")?;
        let heard = wire.await_segment(real, |heard| heard.payload_len == 5)?;
        let heard = heard.ok_or_else(|| stage.broken(*from, service, "no data came"))?;
        endpoint::hear(server, 5)?;
        let client_seen = SocketAddr::new(pair.from.ip(), heard.source.port());
        let draft = Draft {
            flags: ACK,
            seq: heard.ack.wrapping_add(50_000_000 + random.next() as u32 % 1_000_000),
            ack: heard.seq_end,
            payload: b"late",
            ..Draft::default()
        };
        wire.send(real, client_seen, draft)?;
        // The reset has the numbers of the server's own connection.
        stage.expect_reset(&mut pair.server, (pair.from, real))?;
        // The server may still have owed an acknowledgment.
        stage.pause(2);
        endpoint::vanish(pair.client);
        let done = "behind an address translated by the firewall, the server's segment far outside the window was \
                    invalid for the tracker and arrived untranslated; the client's kernel knew no such connection";
        let rule = format!("{rule}; no rule drops ct state invalid");
        truths.push(stage.truth((client_seen, real), "client", "nat_desync", done).by_rule(rule));
    }
    Ok(truths)
}
