//! Receivers behind TLS that show a certificate of a private authority and want one from us.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use delivery::{OtlpOptions, SinkOptions, TlsOptions};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use crate::sensor::otlp;

#[test]
fn only_who_trusts_and_is_trusted_gets_through() {
    let directory = tempfile::tempdir().unwrap();
    let ours = Authority::new("ours");
    let other = Authority::new("other");
    let address = serve(&ours);
    let ca_file = write(directory.path(), "ca.pem", &ours.issuer.pem());
    let other_ca = write(directory.path(), "other-ca.pem", &other.issuer.pem());
    let (certificate, key) = ours.client(directory.path(), "client");
    let (stranger, stranger_key) = other.client(directory.path(), "stranger");
    let check = |ca: Option<&PathBuf>, certificate: Option<&PathBuf>, key: Option<&PathBuf>| {
        let tls = TlsOptions {
            ca_file: ca.cloned(),
            certificate_file: certificate.cloned(),
            key_file: key.cloned(),
        };
        let url = format!("https://localhost:{}", address.port());
        let sink = OtlpOptions { tls, ..otlp(url) };
        delivery::check(&SinkOptions::Otlp(sink)).map_err(|error| error.to_string())
    };
    let said = check(Some(&ca_file), Some(&certificate), Some(&key)).unwrap();
    assert!(said.ends_with("answers 200"), "{said}");
    let error = check(Some(&other_ca), Some(&certificate), Some(&key)).unwrap_err();
    assert!(error.contains("invalid peer certificate"), "{error}");
    check(None, Some(&certificate), Some(&key)).unwrap_err();
    check(Some(&ca_file), Some(&stranger), Some(&stranger_key)).unwrap_err();
    check(Some(&ca_file), None, None).unwrap_err();
    let error = check(Some(&ca_file), Some(&certificate), None).unwrap_err();
    assert!(error.contains("belong together"), "{error}");
    let error = check(Some(&key), None, None).unwrap_err();
    assert!(error.contains("no certificate in it"), "{error}");
    let gone = directory.path().join("gone.pem");
    let error = check(Some(&gone), None, None).unwrap_err();
    assert!(error.contains("gone.pem: No such file"), "{error}");
}

pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    pub fn new(name: &str) -> Self {
        let mut parameters = CertificateParams::new(vec![format!("{name}.example")]).unwrap();
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self { issuer: CertifiedIssuer::self_signed(parameters, key).unwrap() }
    }

    pub fn issue(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::new(vec![name.to_owned()]).unwrap();
        // Whoever is called like its authority is taken for self-signed by OpenSSL.
        parameters.distinguished_name.push(DnType::CommonName, name);
        (parameters.signed_by(&key, &self.issuer).unwrap(), key)
    }

    pub fn client(&self, directory: &Path, name: &str) -> (PathBuf, PathBuf) {
        let (certificate, key) = self.issue(name);
        (
            write(directory, &format!("{name}.pem"), &certificate.pem()),
            write(directory, &format!("{name}.key"), &key.serialize_pem()),
        )
    }
}

/// Answers 200 to whoever shows a certificate of this authority.
fn serve(authority: &Authority) -> SocketAddr {
    serve_tls(authority, |mut stream| {
        let mut bytes = [0; 16 << 10];
        // Whoever is not trusted fails here.
        if stream.read(&mut bytes).is_ok() {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
            let _ = stream.read(&mut bytes);
        }
    })
}

pub type TlsStream = StreamOwned<ServerConnection, TcpStream>;

/// Gives each connection to `serve`, one after the other; only those get through who show a certificate of
/// this authority.
pub fn serve_tls(authority: &Authority, serve: impl Fn(TlsStream) + Send + 'static) -> SocketAddr {
    let (certificate, key) = authority.issue("localhost");
    let mut roots = RootCertStore::empty();
    roots.add(authority.issuer.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = ServerConnection::new(config.clone()).unwrap();
            serve(StreamOwned::new(connection, stream.unwrap()));
        }
    });
    address
}

fn write(directory: &Path, name: &str, text: &str) -> PathBuf {
    let path = directory.join(name);
    std::fs::write(&path, text).unwrap();
    path
}
