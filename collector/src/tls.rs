//! TLS of whoever listens: one set of options, one way to read certificates, renewed without a restart.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// Certificates of a listener, as PEM files. They are read anew when they change, at most a minute later.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ServerTlsOptions {
    /// Our certificate, followed by those that vouch for it. Without it there is no TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_file: Option<PathBuf>,
    /// Its private key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
    /// Who vouches for clients: then each must show a certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_ca_file: Option<PathBuf>,
}

/// The server's side of TLS, from files that may change.
#[derive(Clone, Debug)]
pub struct ServerTls {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    files: Files,
    /// Names of protocols to agree on, as ALPN has them.
    protocols: Vec<Vec<u8>>,
    loaded: Mutex<Loaded>,
}

#[derive(Debug)]
struct Loaded {
    config: Arc<ServerConfig>,
    /// What the files were then.
    stamps: Vec<Option<SystemTime>>,
    looked: Instant,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
    client_ca: Option<PathBuf>,
}

impl ServerTls {
    /// TLS as the options say; `None` without a certificate. `protocols` are agreed on by ALPN, the best
    /// first; none for plain streams.
    ///
    /// # Errors
    /// A file cannot be read or used, or one is missing beside another.
    pub fn new(options: &ServerTlsOptions, protocols: &[&str]) -> Result<Option<Self>, Error> {
        let files = match (&options.certificate_file, &options.key_file) {
            (Some(certificate), Some(key)) => Files {
                certificate: certificate.clone(),
                key: key.clone(),
                client_ca: options.client_ca_file.clone(),
            },
            (None, None) if options.client_ca_file.is_none() => return Ok(None),
            _ => return Err(Error::TlsIncomplete),
        };
        let protocols: Vec<Vec<u8>> =
            protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        let stamps = files.stamps();
        let config = files.read(&protocols)?;
        let loaded = Mutex::new(Loaded { config, stamps, looked: Instant::now() });
        Ok(Some(Self { inner: Arc::new(Inner { files, protocols, loaded }) }))
    }

    /// What to greet the next client with. Looks at the files at most once a minute; if they have changed and
    /// cannot be used, the old ones stay and that is logged.
    #[must_use]
    pub fn config(&self) -> Arc<ServerConfig> {
        let Inner { files, protocols, loaded } = &*self.inner;
        let mut loaded = loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if loaded.looked.elapsed() >= LOOK_AGAIN {
            loaded.looked = Instant::now();
            let stamps = files.stamps();
            if stamps != loaded.stamps {
                match files.read(protocols) {
                    Ok(config) => {
                        loaded.config = config;
                        loaded.stamps = stamps;
                        tracing::info!("{}: certificate read anew", files.certificate.display());
                    }
                    Err(error) => tracing::warn!("{error}; the certificate read before stays"),
                }
            }
        }
        Arc::clone(&loaded.config)
    }

    /// Whether clients must show a certificate.
    #[must_use]
    pub fn asks_for_certificates(&self) -> bool {
        self.inner.files.client_ca.is_some()
    }
}

impl Files {
    fn stamps(&self) -> Vec<Option<SystemTime>> {
        let files = [Some(&self.certificate), Some(&self.key), self.client_ca.as_ref()];
        let stamp = |path: &PathBuf| std::fs::metadata(path).and_then(|file| file.modified()).ok();
        files.into_iter().flatten().map(stamp).collect()
    }

    fn read(&self, protocols: &[Vec<u8>]) -> Result<Arc<ServerConfig>, Error> {
        let unusable = |path: &Path, why: String| Error::TlsFile { path: path.to_owned(), why };
        let chain = certificates(&self.certificate)?;
        let key = PrivateKeyDer::from_pem_file(&self.key)
            .map_err(|error| unusable(&self.key, error.to_string()))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(&self.certificate, error.to_string()))?;
        let builder = match &self.client_ca {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let mut roots = RootCertStore::empty();
                for certificate in certificates(path)? {
                    roots.add(certificate).map_err(|error| unusable(path, error.to_string()))?;
                }
                let roots = Arc::new(roots);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider)
                    .build()
                    .map_err(|error| unusable(path, error.to_string()))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder
            .with_single_cert(chain, key)
            .map_err(|error| unusable(&self.certificate, error.to_string()))?;
        config.alpn_protocols = protocols.to_vec();
        Ok(Arc::new(config))
    }
}

/// All certificates of a file; at least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let unusable = |why: String| Error::TlsFile { path: path.to_owned(), why };
    let found: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(path).map_err(|error| unusable(error.to_string()))?.collect();
    match found {
        Ok(found) if found.is_empty() => Err(unusable("it holds no certificate".to_owned())),
        Ok(found) => Ok(found),
        Err(error) => Err(unusable(error.to_string())),
    }
}

/// How often files are looked at.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::{ServerTls, ServerTlsOptions};

    #[test]
    fn files_are_read_or_named_with_what_is_wrong() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(at("cert.pem"), made.cert.pem()).unwrap();
        std::fs::write(at("key.pem"), made.signing_key.serialize_pem()).unwrap();
        std::fs::write(at("empty.pem"), "").unwrap();
        let options = |certificate: &str, key: Option<&str>| ServerTlsOptions {
            certificate_file: Some(at(certificate)),
            key_file: key.map(at),
            client_ca_file: None,
        };
        assert!(ServerTls::new(&ServerTlsOptions::default(), &[]).unwrap().is_none());
        let tls = ServerTls::new(&options("cert.pem", Some("key.pem")), &["http/1.1"]);
        let tls = tls.unwrap().expect("it is chosen");
        assert_eq!(tls.config().alpn_protocols, [b"http/1.1".to_vec()]);
        assert!(!tls.asks_for_certificates());
        for (certificate, key, said) in [
            ("cert.pem", None, "belong together"),
            ("empty.pem", Some("key.pem"), "no certificate"),
            ("none.pem", Some("key.pem"), "none.pem"),
            ("cert.pem", Some("empty.pem"), "empty.pem"),
        ] {
            let error = ServerTls::new(&options(certificate, key), &[]).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
