//! Certificates: beyond loopback both sides are known, or one is known and the other has a token.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use collector::{Gather, Receivers, ServerTlsOptions};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::send::{PROTOBUF, address, body, line, options, start};
use crate::store::Memory;

/// An authority, a certificate of the receiver and one of a sender, as files.
fn certificates(directory: &Path) -> ServerTlsOptions {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let at = |name: &str| directory.join(name);
    std::fs::write(at("ca.pem"), authority.pem()).unwrap();
    for name in ["localhost", "sensor"] {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &authority).unwrap();
        std::fs::write(at(&format!("{name}.pem")), certificate.pem()).unwrap();
        std::fs::write(at(&format!("{name}.key")), key.serialize_pem()).unwrap();
    }
    ServerTlsOptions {
        certificate_file: Some(at("localhost.pem")),
        key_file: Some(at("localhost.key")),
        client_ca_file: Some(at("ca.pem")),
    }
}

fn client(directory: &Path, shows_certificate: bool) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let read = |name: &str| CertificateDer::from_pem_file(directory.join(name)).unwrap();
    roots.add(read("ca.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    Arc::new(if shows_certificate {
        let key = PrivateKeyDer::from_pem_file(directory.join("sensor.key")).unwrap();
        builder.with_client_auth_cert(vec![read("sensor.pem")], key).unwrap()
    } else {
        builder.with_no_client_auth()
    })
}

#[test]
fn only_who_shows_a_certificate_may_send() {
    let directory = tempfile::tempdir().unwrap();
    let mut options = options();
    options.tls = certificates(directory.path());
    let store = Memory::new();
    let receivers = start(&options, &store);
    let address = address(&receivers, "otlp_http");
    let send = |shows_certificate| {
        let name = ServerName::try_from("localhost").unwrap();
        let config = client(directory.path(), shows_certificate);
        let connection = ClientConnection::new(config, name).unwrap();
        let mut stream = StreamOwned::new(connection, TcpStream::connect(address).unwrap());
        let sent = body(&[Some(line(1))]);
        let head = format!(
            "POST /v1/logs HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{PROTOBUF}content-length: {}\r\n\r\n",
            sent.len()
        );
        let mut said = Vec::new();
        let _ = stream.write_all(&[head.as_bytes(), &sent].concat());
        let _ = stream.read_to_end(&mut said);
        String::from_utf8_lossy(&said).into_owned()
    };
    assert!(!send(false).contains("200"));
    assert_eq!(store.count(), 0);
    let said = send(true);
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    assert_eq!(store.count(), 1);
}

#[test]
fn certificates_that_cannot_be_read_end_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let mut options = options();
    options.tls = certificates(directory.path());
    options.tls.key_file = Some(directory.path().join("ca.pem"));
    let started = Receivers::start(&options, Memory::new() as _, Gather::AT_ONCE);
    let error = started.err().unwrap().to_string();
    assert!(error.contains("ca.pem") && error.contains("collect.tls"), "{error}");
}
