//! Who may send, how much, and how many at a time.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, header};
use subtle::ConstantTimeEq as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::counts::Fate;
use super::desk::Desk;
use super::error::ReceiveError;
use super::options::ReceiveOptions;

/// Before the desk of one receiver.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    pub(crate) desk: Desk,
    pub(crate) body_bytes_max: usize,
    pub(crate) request_timeout: Duration,
    token: Option<Arc<str>>,
    places: Arc<Semaphore>,
}

impl Gate {
    pub(crate) fn new(options: &ReceiveOptions, desk: Desk, token: Option<Arc<str>>) -> Self {
        Self {
            desk,
            body_bytes_max: options.body_bytes_max,
            request_timeout: Duration::from_secs(options.request_timeout_s.max(1)),
            token,
            places: Arc::new(Semaphore::new(options.requests)),
        }
    }

    /// Whether the sender may send, by what its request shows.
    ///
    /// # Errors
    /// What it has to show.
    pub(crate) fn admits(&self, headers: &HeaderMap) -> Result<(), &'static str> {
        match &self.token {
            Some(token) if !bears(headers, token) => Err(NO_TOKEN),
            _ => Ok(()),
        }
    }

    /// A place among those that are served; nobody waits for one with his body half sent.
    pub(crate) fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).try_acquire_owned().ok()
    }

    /// Counts a request that is not taken.
    pub(crate) fn refuse(&self, fate: Fate, why: &str) {
        self.desk.counts.request(fate);
        self.desk.counts.trouble(why);
    }
}

/// Whether the header bears the token; how long that takes tells nothing but the length of what was sent.
fn bears(headers: &HeaderMap, token: &str) -> bool {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return false };
    let Some((scheme, sent)) = value.as_bytes().split_at_checked(BEARER.len()) else {
        return false;
    };
    scheme.eq_ignore_ascii_case(BEARER.as_bytes()) && bool::from(sent.ct_eq(token.as_bytes()))
}

/// A secret of one line.
pub(crate) fn read_secret(what: &'static str, path: &Path) -> Result<String, ReceiveError> {
    let failed = |source| ReceiveError::File { what, path: path.to_owned(), source };
    let mut text = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(SECRET_BYTES_MAX).read_to_end(&mut text).map_err(failed)?;
    let secret = text.trim_ascii();
    let is_plain = !secret.is_empty() && secret.iter().all(|byte| (b' '..=b'~').contains(byte));
    match str::from_utf8(secret) {
        Ok(secret) if is_plain => Ok(secret.to_owned()),
        _ => Err(content(what, path, "must be one line of visible ASCII characters")),
    }
}

/// A token of senders: as above, and not to be guessed.
pub(crate) fn read_token(path: &Path) -> Result<Arc<str>, ReceiveError> {
    let what = "the token of senders";
    let token = read_secret(what, path)?;
    if token.len() < TOKEN_LEN_MIN || token.contains(' ') {
        let why =
            "must be 16 characters or more without blanks; make one with \"openssl rand -hex 32\"";
        return Err(content(what, path, why));
    }
    Ok(token.into())
}

fn content(what: &'static str, path: &Path, why: &str) -> ReceiveError {
    ReceiveError::Content { what, path: path.to_owned(), why: why.to_owned() }
}

const BEARER: &str = "Bearer ";
const TOKEN_LEN_MIN: usize = 16;
const SECRET_BYTES_MAX: u64 = 4096;
const NO_TOKEN: &str =
    "a token is required: send \"Authorization: Bearer TOKEN\" with that of collect.token_file";
