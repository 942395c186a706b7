//! A client of the API of a running sensor or collector: one for all commands.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use collector::Refusal;
use serde::de::DeserializeOwned;
use ureq::Agent;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

/// Where the API is, and what it wants to see.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ClientArguments {
    /// File with the token that the API wants
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// File with the certificate that vouches for an https:// API, if no public authority does
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
}

/// A client of one API.
pub(crate) struct Client {
    agent: Agent,
    base: String,
    authorization: Option<String>,
}

impl Client {
    /// # Errors
    /// `base` is no URL, or a file cannot be read.
    pub(crate) fn new(base: &str, arguments: &ClientArguments) -> anyhow::Result<Self> {
        let base = base.trim_end_matches('/').to_owned();
        let is_url = base.starts_with("http://") || base.starts_with("https://");
        ensure!(is_url, "{base:?} is no URL; write for example http://127.0.0.1:9477");
        let authorization = match &arguments.token_file {
            None => None,
            Some(path) => {
                let token = std::fs::read_to_string(path)
                    .with_context(|| format!("read the token from {}", path.display()))?;
                Some(format!("Bearer {}", token.trim()))
            }
        };
        let mut config =
            Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE));
        if let Some(path) = &arguments.ca_file {
            let roots = RootCerts::Specific(Arc::new(certificates(path)?));
            config = config.tls_config(TlsConfig::builder().root_certs(roots).build());
        }
        Ok(Self { agent: config.build().into(), base, authorization })
    }

    /// Where it asks.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// The answer to a question, read from JSON.
    ///
    /// # Errors
    /// Nobody answers, it refuses, or it answers something else; in a sentence.
    pub(crate) fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        pairs: &[(&str, String)],
    ) -> Result<T, String> {
        serde_json::from_slice(&self.bytes(path, pairs)?)
            .map_err(|error| format!("{} does not answer as this version does: {error}", self.base))
    }

    /// The answer to a question as it comes.
    ///
    /// # Errors
    /// Nobody answers, or it refuses; in a sentence.
    pub(crate) fn bytes(&self, path: &str, pairs: &[(&str, String)]) -> Result<Vec<u8>, String> {
        let mut request = self.agent.get(format!("{}{path}", self.base));
        for (name, value) in pairs {
            request = request.query(name, value);
        }
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        let mut response = request.call().map_err(|error| {
            format!(
                "no answer from {}: {error}; is \"rstscope run\" or \"rstscope collect\" running there?",
                self.base
            )
        })?;
        let status = response.status();
        let body = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
        let body =
            body.map_err(|error| format!("the answer of {} ends early: {error}", self.base))?;
        if status.is_success() {
            return Ok(body);
        }
        let refusal: Result<Refusal, _> = serde_json::from_slice(&body);
        let why = refusal.map_or_else(|_| String::new(), |refusal| refusal.error);
        Err(format!("{} says {}: {why}", self.base, status.as_u16()))
    }
}

fn certificates(path: &Path) -> anyhow::Result<Vec<Certificate<'static>>> {
    let pem = std::fs::read(path)
        .with_context(|| format!("read the certificate in {}", path.display()))?;
    let items: Result<Vec<_>, _> = parse_pem(&pem).collect();
    let items = items.with_context(|| format!("read the certificate in {}", path.display()))?;
    let found: Vec<_> = items
        .into_iter()
        .filter_map(|item| match item {
            PemItem::Certificate(certificate) => Some(certificate),
            _ => None,
        })
        .collect();
    if found.is_empty() {
        bail!("{} holds no certificate; it must be PEM", path.display());
    }
    Ok(found)
}

/// Who does not answer in this time is not there.
const PATIENCE: Duration = Duration::from_secs(10);
/// A page of events is some 4 MB.
const ANSWER_BYTES_MAX: u64 = 64 << 20;
