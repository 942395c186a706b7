//! Tokens of those who ask, read at the start.

use std::path::Path;

use axum::http::HeaderMap;

use super::Role;
use crate::error::Error;
use crate::options::Options;
use crate::secret::{self, Unusable, token_sent};

/// The tokens that count.
#[derive(Default)]
pub(super) struct Tokens {
    read: Option<Box<str>>,
    admin: Option<Box<str>>,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens")
            .field("read", &self.read.is_some())
            .field("admin", &self.admin.is_some())
            .finish()
    }
}

impl Tokens {
    pub(super) fn read(options: &Options) -> Result<Self, Error> {
        let of = |path: &Option<_>| path.as_deref().map(read_token).transpose();
        Ok(Self { read: of(&options.token_file)?, admin: of(&options.admin_token_file)? })
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.read.is_none() && self.admin.is_none()
    }

    /// The role of the token that the header bears.
    pub(super) fn role(&self, headers: &HeaderMap) -> Option<Role> {
        let sent = token_sent(headers)?;
        let is = |token: &Option<Box<str>>| {
            token.as_ref().is_some_and(|token| secret::is_same(sent, token))
        };
        if is(&self.admin) { Some(Role::Admin) } else { is(&self.read).then_some(Role::Read) }
    }
}

/// Whether a token is sent, right or wrong.
pub(super) fn sends_one(headers: &HeaderMap) -> bool {
    token_sent(headers).is_some()
}

fn read_token(path: &Path) -> Result<Box<str>, Error> {
    secret::read_token(path).map_err(|unusable| match unusable {
        Unusable::File(source) => Error::TokenFile { path: path.to_owned(), source },
        Unusable::Content => Error::Token { path: path.to_owned() },
    })
}
