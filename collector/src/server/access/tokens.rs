//! Tokens: read from files at the start, compared in constant time, never written anywhere.

use std::io::Read as _;
use std::path::Path;

use axum::http::{HeaderMap, header};
use subtle::ConstantTimeEq as _;

use super::Role;
use crate::error::Error;
use crate::options::Options;

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
        let sent = sent(headers)?;
        // How long that takes tells nothing but the length of what was sent.
        let is = |token: &Option<Box<str>>| {
            token.as_ref().is_some_and(|token| bool::from(sent.ct_eq(token.as_bytes())))
        };
        if is(&self.admin) { Some(Role::Admin) } else { is(&self.read).then_some(Role::Read) }
    }
}

/// Whether a token is sent, right or wrong.
pub(super) fn sends_one(headers: &HeaderMap) -> bool {
    sent(headers).is_some()
}

fn sent(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(header::AUTHORIZATION)?;
    let (scheme, sent) = value.as_bytes().split_at_checked(BEARER.len())?;
    scheme.eq_ignore_ascii_case(BEARER.as_bytes()).then_some(sent)
}

/// The token in a file: one line, white space around it left out.
pub(crate) fn read_token(path: &Path) -> Result<Box<str>, Error> {
    let failed = |source| Error::TokenFile { path: path.to_owned(), source };
    let mut text = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(FILE_BYTES_MAX).read_to_end(&mut text).map_err(failed)?;
    let token = text.trim_ascii();
    let is_token =
        (LEN_MIN..=LEN_MAX).contains(&token.len()) && token.iter().all(u8::is_ascii_graphic);
    match str::from_utf8(token) {
        Ok(token) if is_token => Ok(token.into()),
        _ => Err(Error::Token { path: path.to_owned() }),
    }
}

const BEARER: &str = "Bearer ";
const LEN_MIN: usize = 16;
const LEN_MAX: usize = 1024;
const FILE_BYTES_MAX: u64 = 4096;
