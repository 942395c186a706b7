//! Multipath TCP: resets that carry its options (RFC 8684).

use std::net::{IpAddr, SocketAddr, TcpStream};

use crate::address::Pool;
use crate::endpoint;
use crate::hand::{Hand, Stack};
use crate::scenario::stage::Stage;
use crate::{Error, Namespace, Truth};

/// Connections of one run; each has two resets.
const CONNECTIONS: usize = 3;

/// The client's kernel wants a second path for each connection, which the server's kernel forbids; in the end the
/// connection is aborted by one side.
pub(super) fn multipath(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let topology = stage.topology();
    let second_path = second_path(stage.is_v6());
    add_path(topology.client(), second_path)?;
    topology.server().tool("ip", &["mptcp", "limits", "set", "subflow", "0"], "")?;
    let to = stage.server_address(0);
    let listener = endpoint::listen_multipath(topology.server(), to)?;
    let mut random = stage.random();
    let mut truths = Vec::new();
    for _ in 0..CONNECTIONS {
        let from = SocketAddr::new(stage.client_ip(), 0);
        let wire = Hand::of_server(topology, Stack::SCANNER)?;
        let mut client = endpoint::connect_multipath(topology.client(), from, to)?;
        let mut server = endpoint::accept(&listener)?;
        let own = client.local_addr().map_err(|source| Error::socket("read an address", source))?;
        endpoint::exchange(&mut client, &mut server, b"hello\n", b"good day\n")?;
        let join =
            wire.await_segment(to, |heard| heard.is_syn() && heard.source.ip() == second_path)?;
        let join = join.ok_or_else(|| stage.broken(own, to, "no second path was tried"))?;
        let done = "the client's kernel tried to join a second path to a Multipath TCP connection; the server's kernel \
                    allows none (ip mptcp limits)";
        truths.push(stage.truth((join.source, to), "server", "mptcp_subflow_reset", done));
        for _ in 0..random.below(4) {
            endpoint::exchange(&mut client, &mut server, b"more\n", &[b'.'; 2000])?;
        }
        stage.pause(2);
        let side = ["client", "server"][random.below(2) as usize];
        close_unread(side, client, server)?;
        stage.pause(2);
        let done =
            format!("the {side} closed a Multipath TCP connection with unread data (MP_FASTCLOSE)");
        truths.push(stage.truth((own, to), side, "mptcp_subflow_reset", done));
    }
    Ok(truths)
}

/// One side says something that the other one does not read before it closes.
fn close_unread(side: &str, mut client: TcpStream, mut server: TcpStream) -> Result<(), Error> {
    let (closing, speaking) =
        if side == "client" { (client, &mut server) } else { (server, &mut client) };
    endpoint::say(speaking, b"nobody reads this\n")?;
    endpoint::await_data(&closing)?;
    drop(closing);
    endpoint::wait_for_end(speaking);
    Ok(())
}

/// The address of the second path: one for all runs, because a kernel tries every path it has for every connection.
fn second_path(v6: bool) -> IpAddr {
    Pool::Clients.last_owned(v6)
}

/// Tells a kernel of the path, if it does not know it yet.
fn add_path(host: &Namespace, address: IpAddr) -> Result<(), Error> {
    let known = host.tool("ip", &["mptcp", "endpoint", "show"], "")?;
    if known.split_whitespace().any(|word| word == address.to_string()) {
        return Ok(());
    }
    let arguments = ["mptcp", "endpoint", "add", &address.to_string(), "subflow"];
    match host.tool("ip", &arguments, "") {
        // Two runs may have asked at the same time.
        Err(Error::ToolFailed { message, .. }) if message.contains("exists") => Ok(()),
        other => other.map(drop),
    }
}
