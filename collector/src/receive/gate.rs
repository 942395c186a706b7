//! Who may send, how much, and how many at a time.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::counts::Fate;
use super::desk::Desk;
use super::error::ReceiveError;
use super::options::ReceiveOptions;
use crate::secret::{self, Unusable, is_same, token_sent};

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
            Some(token) if !token_sent(headers).is_some_and(|sent| is_same(sent, token)) => {
                Err(NO_TOKEN)
            }
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

/// A secret of one line.
pub(crate) fn read_secret(what: &'static str, path: &Path) -> Result<Box<str>, ReceiveError> {
    let why = "must be one line of visible ASCII characters";
    secret::read(path).map_err(|unusable| refused(what, path, unusable, why))
}

/// A token of senders: as above, and not to be guessed.
pub(crate) fn read_token(path: &Path) -> Result<Arc<str>, ReceiveError> {
    let why = "must be 16 to 1024 visible ASCII characters in one line; make one with \"openssl rand -hex 32\"";
    let token = secret::read_token(path);
    let token = token.map_err(|unusable| refused("the token of senders", path, unusable, why))?;
    Ok(token.into())
}

fn refused(what: &'static str, path: &Path, unusable: Unusable, why: &str) -> ReceiveError {
    let path = path.to_owned();
    match unusable {
        Unusable::File(source) => ReceiveError::File { what, path, source },
        Unusable::Content => ReceiveError::Content { what, path, why: why.to_owned() },
    }
}

const NO_TOKEN: &str =
    "a token is required: send \"Authorization: Bearer TOKEN\" with that of collect.token_file";
