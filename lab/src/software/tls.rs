//! TLS that fails, with OpenSSL at both ends.
//!
//! Whether a failed handshake ends in a reset, and whose, is a matter of milliseconds: of what had been read when the
//! socket was closed. So the truth is taken from the kernels: each reset they report is one row.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::scenario::Stage;
use crate::software::haproxy::Haproxy;
use crate::software::program::{Folder, Program, run};
use crate::{Error, Truth};

/// Handshakes of each kind.
const CALLS: u16 = 4;

/// What the kernel says may still be in its pipe for this long.
const WITNESS_DELAY: Duration = Duration::from_millis(60);

/// First port of the clients: above those the kernel gives out.
const OWN_PORT: u16 = 61_200;

/// A way to fail: options of the server, options of the client, and the failure in words.
const FAILURES: [(&[&str], &[&str], &str); 3] = [
    (&[], &["-verify_return_error", "-verify", "1"], "the client did not trust the certificate"),
    (&["-tls1_3"], &["-tls1_2"], "client and server had no version in common"),
    (
        &["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"],
        &["-tls1_2", "-cipher", "ECDHE-RSA-AES256-GCM-SHA384"],
        "client and server had no cipher in common",
    ),
];

/// Wrong authority, no common version, no common cipher: these end with FIN. A client certificate that is missing is
/// noticed when the client's request is already under way (TLS 1.3): that ends with a reset.
pub(crate) fn failures(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let mut truths = Vec::new();
    for (index, (server, client, what)) in (0..).zip(FAILURES) {
        let folder = Folder::create()?;
        let server = serve(stage, &folder, index, server)?;
        for from in callers(stage, index) {
            call(stage, from, index, client)?;
        }
        drop(server);
        stage.pause(2);
        truths.extend(told(stage, index, what));
    }
    truths.extend(certificate_missing(stage, u16::try_from(FAILURES.len()).expect("a few"))?);
    Ok(truths)
}

/// HAProxy asks for a client's certificate on port `index`; curl has none and posts at once.
fn certificate_missing(stage: &Stage<'_>, index: u16) -> Result<Vec<Truth>, Error> {
    let folder = Folder::create()?;
    let (key, certificate) = identity(stage, &folder)?;
    let read = |path: &Path| {
        let failed = |source| Error::Read { path: path.to_owned(), source };
        std::fs::read_to_string(path).map_err(failed)
    };
    let both = folder.write("both.pem", &(read(&key)? + &read(&certificate)?))?;
    let address = stage.server_address(index);
    let sections = format!(
        "frontend strict\n mode http\n bind {address} ssl crt {} ca-file {} verify required\n",
        both.display(),
        certificate.display()
    );
    let haproxy = Haproxy::start_on(stage.topology().server(), stage, &sections, 0)?;
    haproxy.await_listener(stage, index)?;
    let order = folder.write("order", &"a line of an order\n".repeat(3000))?;
    for from in callers(stage, index) {
        post(stage, from, index, &order)?;
    }
    drop(haproxy);
    stage.pause(2);
    let what =
        "the server asked for a certificate and got none, while the client's request was under way";
    Ok(told(stage, index, what))
}

/// A key and a certificate that nobody has signed.
fn identity(stage: &Stage<'_>, folder: &Folder) -> Result<(PathBuf, PathBuf), Error> {
    let (key, certificate) = (folder.file("key.pem"), folder.file("certificate.pem"));
    let (key_text, certificate_text) = (key.to_string_lossy(), certificate.to_string_lossy());
    let arguments = [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-keyout",
        &key_text,
        "-out",
        &certificate_text,
        "-subj",
        "/CN=lab.example",
        "-days",
        "2",
    ];
    run(stage.topology().server(), "openssl", &arguments)?;
    Ok((key, certificate))
}

/// A certificate of its own, and `openssl s_server` on port `index` of the stage.
fn serve(
    stage: &Stage<'_>,
    folder: &Folder,
    index: u16,
    settings: &[&str],
) -> Result<Program, Error> {
    let host = stage.topology().server();
    let (key, certificate) = identity(stage, folder)?;
    let (key, certificate) = (key.to_string_lossy(), certificate.to_string_lossy());
    let address = stage.server_address(index);
    let accept = address.to_string();
    let mut arguments =
        vec!["s_server", "-quiet", "-accept", &accept, "-key", &key, "-cert", &certificate];
    arguments.extend(settings);
    let server = Program::start(host, folder, "openssl", &arguments)?;
    server.await_listener(host, address)?;
    Ok(server)
}

/// `openssl s_client` from a port of our choice; how it ends is its own affair.
fn call(stage: &Stage<'_>, from: SocketAddr, index: u16, settings: &[&str]) -> Result<(), Error> {
    let (bind, connect) = (from.to_string(), stage.server_address(index).to_string());
    let mut arguments = vec!["s_client", "-bind", &bind, "-connect", &connect];
    arguments.extend(settings);
    run(stage.topology().client(), "openssl", &arguments).map(drop)
}

/// `curl` posts a file at once, as a client of TLS 1.3 may; how it ends is its own affair.
fn post(stage: &Stage<'_>, from: SocketAddr, index: u16, file: &Path) -> Result<(), Error> {
    let (interface, port) = (from.ip().to_string(), from.port().to_string());
    let data = format!("@{}", file.display());
    let url = format!("https://{}/", stage.server_address(index));
    let arguments = [
        "--silent",
        "--insecure",
        "--max-time",
        "5",
        "--interface",
        &interface,
        "--local-port",
        &port,
        "--header",
        "Expect:",
        "--data-binary",
        &data,
        &url,
    ];
    run(stage.topology().client(), "curl", &arguments).map(drop)
}

/// The addresses of the callers of port `index`.
fn callers(stage: &Stage<'_>, index: u16) -> Vec<SocketAddr> {
    let port = |number| OWN_PORT + index * CALLS + number;
    (0..CALLS).map(|number| SocketAddr::new(stage.client_ip(), port(number))).collect()
}

/// One truth for each connection to port `index`: its first reset, as the kernels told it, or none.
fn told(stage: &Stage<'_>, index: u16, what: &str) -> Vec<Truth> {
    let server = stage.server_address(index);
    std::thread::sleep(WITNESS_DELAY);
    let mut known = HashSet::new();
    let mut truths = Vec::new();
    for reset in stage.kernel_resets_at(server) {
        let from_server = reset.source == server;
        let client = if from_server { reset.destination } else { reset.source };
        // A listener's reset does not name the peer.
        if client.port() != 0 && known.insert(client) {
            let origin = if from_server { "server" } else { "client" };
            let done = format!("OpenSSL: {what}; the {origin} closed with more on the way to it");
            truths.push(stage.truth((client, server), origin, "tls_failure_abort", done));
        }
    }
    for client in callers(stage, index).into_iter().filter(|client| !known.contains(client)) {
        let done = format!("OpenSSL: {what}; both sides closed with FIN");
        truths.push(stage.truth((client, server), "none", "none", done));
    }
    truths
}
