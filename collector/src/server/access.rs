//! Who may ask.

use std::io::Read as _;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use subtle::ConstantTimeEq as _;

use super::refusal::refuse;
use crate::error::Error;
use crate::options::Options;

/// What a request must show.
#[derive(Clone, Debug)]
pub(crate) enum Access {
    /// Nothing, but that it was not sent by a web page that took a name for this machine.
    Local,
    /// This token.
    Token(Arc<str>),
}

impl Access {
    /// # Errors
    /// The address is not loopback while there is no token, or the token cannot be read or is none.
    pub(crate) fn new(options: &Options, address: SocketAddr) -> Result<Self, Error> {
        match &options.token_file {
            Some(path) => Ok(Self::Token(read_token(path)?)),
            None if address.ip().is_loopback() => Ok(Self::Local),
            None => Err(Error::Unprotected { address }),
        }
    }

    fn admits(&self, headers: &HeaderMap) -> Result<(), (StatusCode, &'static str)> {
        match self {
            Self::Local if is_local_host(headers) => Ok(()),
            Self::Local => Err((StatusCode::FORBIDDEN, FOREIGN_HOST)),
            Self::Token(token) if bears(headers, token) => Ok(()),
            Self::Token(_) => Err((StatusCode::UNAUTHORIZED, NO_TOKEN)),
        }
    }
}

/// Lets a request through, or answers it.
pub(crate) async fn check(State(access): State<Access>, request: Request, next: Next) -> Response {
    match access.admits(request.headers()) {
        Ok(()) => next.run(request).await,
        Err((status, text)) => {
            let mut response = refuse(status, text).into_response();
            if status == StatusCode::UNAUTHORIZED {
                let bearer = header::HeaderValue::from_static("Bearer");
                response.headers_mut().insert(header::WWW_AUTHENTICATE, bearer);
            }
            response
        }
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

/// Whether the host that was asked for is an address, "localhost", or not named: a page from elsewhere whose
/// name was made to point to 127.0.0.1 (DNS rebinding) sends its own name.
fn is_local_host(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST) else { return true };
    let Ok(host) = host.to_str() else { return false };
    let is_named = |name: &str| {
        name.eq_ignore_ascii_case("localhost")
            || name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok()
    };
    is_named(host) || host.rsplit_once(':').is_some_and(|(name, _)| is_named(name))
}

fn read_token(path: &Path) -> Result<Arc<str>, Error> {
    let failed = |source| Error::TokenFile { path: path.to_owned(), source };
    let mut text = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(TOKEN_FILE_BYTES_MAX).read_to_end(&mut text).map_err(failed)?;
    let token = text.trim_ascii();
    let is_token = (TOKEN_LEN_MIN..=TOKEN_LEN_MAX).contains(&token.len())
        && token.iter().all(u8::is_ascii_graphic);
    match str::from_utf8(token) {
        Ok(token) if is_token => Ok(token.into()),
        _ => Err(Error::Token { path: path.to_owned() }),
    }
}

const BEARER: &str = "Bearer ";
const TOKEN_LEN_MIN: usize = 16;
const TOKEN_LEN_MAX: usize = 1024;
const TOKEN_FILE_BYTES_MAX: u64 = 4096;
const NO_TOKEN: &str =
    "a token is required: send \"Authorization: Bearer TOKEN\" with that of token_file";
const FOREIGN_HOST: &str = "without a token only requests to an address or to localhost are answered, so that no web \
     page can ask under a name of its own: ask for http://127.0.0.1, or set token_file in section [api]";

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue, StatusCode, header};

    use super::Access;

    fn with(name: header::HeaderName, value: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_static(value));
        headers
    }

    #[test]
    fn only_the_very_token_is_taken() {
        let access = Access::Token("0123456789abcdef".into());
        let status = |value| access.admits(&with(header::AUTHORIZATION, value)).map_err(|(s, _)| s);
        assert_eq!(status("Bearer 0123456789abcdef"), Ok(()));
        assert_eq!(status("bearer 0123456789abcdef"), Ok(()));
        for wrong in [
            "Bearer 0123456789abcdee",
            "Bearer 0123456789abcde",
            "Bearer 0123456789abcdef0",
            "Bearer",
            "",
            "Basic 0123456789abcdef",
            "0123456789abcdef",
        ] {
            assert_eq!(status(wrong), Err(StatusCode::UNAUTHORIZED), "{wrong}");
        }
        assert!(access.admits(&HeaderMap::new()).is_err());
    }

    #[test]
    fn a_page_under_a_name_of_its_own_is_not_answered() {
        let admits = |host| Access::Local.admits(&with(header::HOST, host)).is_ok();
        for host in
            ["127.0.0.1:9477", "127.0.0.1", "localhost:9477", "[::1]:9477", "[::1]", "LOCALHOST"]
        {
            assert!(admits(host), "{host}");
        }
        for host in
            ["evil.example:9477", "evil.example", "127.0.0.1.evil.example", "localhost.evil", ""]
        {
            assert!(!admits(host), "{host}");
        }
    }
}
