//! Certificates from files, for every sink that speaks TLS.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::options::TlsOptions;

impl TlsOptions {
    /// Whom we trust, in PEM: the file that is named, or the machine's; nothing if there is neither.
    pub(crate) fn ca_path(&self) -> Option<PathBuf> {
        let system = || Some(PathBuf::from(SYSTEM_CA_FILE)).filter(|path| path.exists());
        self.ca_file.clone().or_else(system)
    }

    /// Our own certificate and its key, if both are named.
    ///
    /// # Errors
    /// Only one of them is.
    pub(crate) fn own_paths(&self) -> Result<Option<(&Path, &Path)>, String> {
        match (&self.certificate_file, &self.key_file) {
            (Some(certificate), Some(key)) => Ok(Some((certificate, key))),
            (None, None) => Ok(None),
            _ => Err("tls.certificate_file and tls.key_file belong together".to_owned()),
        }
    }

    /// A configuration of rustls; files are read now.
    ///
    /// # Errors
    /// Why a certificate or key cannot be used, as a sentence.
    pub(crate) fn client_config(&self) -> Result<ClientConfig, String> {
        let path = self.ca_path().ok_or(NO_AUTHORITY)?;
        let mut roots = RootCertStore::empty();
        let (added, _) = roots.add_parsable_certificates(certificates(&path)?);
        if added == 0 {
            return Err(format!("read {}: no certificate in it can be used", path.display()));
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("set TLS up: {error}"))?
            .with_root_certificates(roots);
        let Some((certificate, key)) = self.own_paths()? else {
            return Ok(config.with_no_client_auth());
        };
        let private = PrivateKeyDer::from_pem_slice(&read(key)?)
            .map_err(|error| format!("read private key {}: {error}", key.display()))?;
        config
            .with_client_auth_cert(certificates(certificate)?, private)
            .map_err(|error| format!("use {}: {error}", certificate.display()))
    }
}

/// All certificates of a PEM file; at least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Vec<_> =
        CertificateDer::pem_slice_iter(&read(path)?).filter_map(Result::ok).collect();
    if found.is_empty() {
        return Err(format!("read {}: no certificate in it (PEM is expected)", path.display()));
    }
    Ok(found)
}

/// A file's bytes.
///
/// # Errors
/// What the system said, as a sentence.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("read {}: {error}", path.display()))
}

/// A secret in a file, without space around it.
///
/// # Errors
/// What the system said, as a sentence.
pub(crate) fn secret(what: &str, path: &Path) -> Result<String, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("read the {what} in {}: {error}", path.display()))?;
    Ok(text.trim().to_owned())
}

/// Said where nobody is trusted.
pub(crate) const NO_AUTHORITY: &str =
    "nobody is trusted: name tls.ca_file, or install ca-certificates";

/// Where Debian keeps whom the machine trusts; the administrator's own authorities are in it.
const SYSTEM_CA_FILE: &str = "/etc/ssl/certs/ca-certificates.crt";
