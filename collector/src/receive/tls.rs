//! TLS of the receivers: their certificate, and whose certificates senders must show.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

use super::error::ReceiveError;
use super::options::ReceiveOptions;

/// What is spoken beneath TLS, as ALPN has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Protocol {
    /// OTLP/HTTP.
    Http1,
    /// OTLP/gRPC.
    Http2,
}

/// The server's side; `None` without a certificate.
pub(crate) fn config(
    options: &ReceiveOptions,
    protocol: Protocol,
) -> Result<Option<Arc<ServerConfig>>, ReceiveError> {
    let (Some(certificate), Some(key)) = (&options.certificate_file, &options.key_file) else {
        return Ok(None);
    };
    let chain = certificates("the certificate of the receivers", certificate)?;
    let private = PrivateKeyDer::from_pem_file(key)
        .map_err(|error| content("the key of the receivers", key, &error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| content("the certificate of the receivers", certificate, &error))?;
    let builder = match &options.client_ca_file {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let what = "who vouches for senders";
            let mut roots = RootCertStore::empty();
            for root in certificates(what, path)? {
                roots.add(root).map_err(|error| content(what, path, &error))?;
            }
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder
                .with_client_cert_verifier(verifier.map_err(|error| content(what, path, &error))?)
        }
    };
    let mut config = builder
        .with_single_cert(chain, private)
        .map_err(|error| content("the certificate of the receivers", certificate, &error))?;
    config.alpn_protocols = match protocol {
        Protocol::Http1 => vec![b"http/1.1".to_vec()],
        Protocol::Http2 => vec![b"h2".to_vec()],
    };
    Ok(Some(Arc::new(config)))
}

fn certificates(
    what: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, ReceiveError> {
    let read = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| content(what, path, &error))?;
    if read.is_empty() {
        return Err(content(what, path, &"no certificate in PEM form"));
    }
    Ok(read)
}

fn content(what: &'static str, path: &Path, why: &dyn std::fmt::Display) -> ReceiveError {
    ReceiveError::Content { what, path: path.to_owned(), why: why.to_string() }
}
