//! Receivers behind TLS that show a certificate of a private authority and want one from us.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;

use delivery::{OtlpOptions, SinkOptions, TlsOptions};

use crate::authority::{Authority, serve_tls, write};
use crate::sensor::otlp;

#[test]
fn only_who_trusts_and_is_trusted_gets_through() {
    let directory = tempfile::tempdir().unwrap();
    let ours = Authority::new("ours");
    let other = Authority::new("other");
    let address = serve(&ours);
    let ca_file = write(directory.path(), "ca.pem", &ours.pem());
    let other_ca = write(directory.path(), "other-ca.pem", &other.pem());
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
