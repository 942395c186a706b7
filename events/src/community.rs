//! Community ID: one name for a flow in every tool.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};

use crate::event::Endpoint;

/// Community ID version 1 of a TCP connection; the same for both directions.
///
/// `1:` and the base64 of SHA-1 over seed, addresses, protocol, a zero byte and ports, the smaller
/// `(address, port)` first (<https://github.com/corelight/community-id-spec>). Tools only agree if
/// they use the same seed; the usual one is 0.
#[must_use]
pub fn community_id(one: Endpoint, other: Endpoint, seed: u16) -> String {
    let (low, high) =
        if (one.ip, one.port) <= (other.ip, other.port) { (one, other) } else { (other, one) };
    let mut hash = Sha1::new();
    hash.update(seed.to_be_bytes());
    update_with_address(&mut hash, low.ip);
    update_with_address(&mut hash, high.ip);
    hash.update([PROTOCOL_TCP, 0]);
    hash.update(low.port.to_be_bytes());
    hash.update(high.port.to_be_bytes());
    format!("1:{}", STANDARD.encode(hash.finalize()))
}

fn update_with_address(hash: &mut Sha1, address: IpAddr) {
    match address {
        IpAddr::V4(v4) => hash.update(v4.octets()),
        IpAddr::V6(v6) => hash.update(v6.octets()),
    }
}

const PROTOCOL_TCP: u8 = 6;

#[cfg(test)]
mod tests {
    use super::community_id;
    use crate::event::Endpoint;

    fn endpoint(ip: &str, port: u16) -> Endpoint {
        Endpoint { ip: ip.parse().unwrap(), port }
    }

    /// Values on which the PyPI package communityid 1.5.0 and tshark 4.0 agree.
    #[test]
    fn the_published_vectors_come_out_in_both_directions() {
        let cases = [
            ("10.1.2.3", 40000, "192.168.0.9", 443, "1:bqZIDEl2CZq193P9+QSck0FwjrQ="),
            ("128.232.110.120", 34855, "66.35.250.204", 80, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
            ("2001:db8::1", 50000, "2001:db8::2", 443, "1:YXqXufkGr4i6TbJJYF83fvyDLZ8="),
            ("10.0.0.1", 1000, "10.0.0.1", 2000, "1:nxwYq30oipX1dGVDLt7tz75Hofc="),
        ];
        for (client, client_port, server, server_port, expected) in cases {
            let (client, server) = (endpoint(client, client_port), endpoint(server, server_port));
            assert_eq!(community_id(client, server, 0), expected);
            assert_eq!(community_id(server, client, 0), expected);
            assert_ne!(community_id(client, server, 1), expected, "the seed must count");
        }
    }
}
