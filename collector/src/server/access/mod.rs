//! Who may ask, and for what.
//!
//! | file | what |
//! |---|---|
//! | `mod.rs` | [`Access`]: what a request shows, and the [`Role`] that follows |
//! | `tokens.rs` | tokens from files |
//! | `sessions.rs` | browsers that have shown a token and hold a cookie for it |
//! | `proxy.rs` | reverse proxies that vouch for users |
//! | `rate.rs` | how often one address may ask, and guess |

mod proxy;
mod rate;
mod sessions;
mod tokens;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::refusal::refuse;
use crate::error::Error;
use crate::options::Options;
use crate::tls::ServerTls;
use proxy::Proxies;
use rate::Rates;
pub use sessions::SessionPage;
use sessions::Sessions;
pub(crate) use sessions::{begin, end, who};
use tokens::Tokens;

/// What a client may do.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// See everything but packets.
    Read,
    /// Fetch packets and copies of the store too.
    Admin,
}

/// How a client came to its role.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// It is on this machine, and nothing else is asked for.
    Local,
    /// It sent a token.
    Token,
    /// It holds the cookie of a session.
    Session,
    /// A trusted proxy names its user.
    Proxy,
    /// It showed a certificate.
    Certificate,
}

/// The other end of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    /// TLS, and the client's certificate was checked.
    pub(crate) has_certificate: bool,
}

/// What requests must show; shared by all of them.
#[derive(Clone, Debug)]
pub(crate) struct Access(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    tokens: Tokens,
    proxies: Proxies,
    sessions: Sessions,
    rates: Rates,
    /// Nobody is asked for anything: clients are on this machine.
    is_open: bool,
    /// Cookies are for TLS only.
    is_tls: bool,
}

impl Access {
    /// # Errors
    /// The address is not loopback while tokens, proxies or TLS are missing; a token cannot be read or is none.
    pub(crate) fn new(
        options: &Options,
        address: SocketAddr,
        tls: Option<&ServerTls>,
    ) -> Result<Self, Error> {
        let tokens = Tokens::read(options)?;
        let proxies = Proxies::new(&options.proxy)?;
        let asks = !tokens.is_empty()
            || !proxies.is_empty()
            || tls.is_some_and(ServerTls::asks_for_certificates);
        let is_loopback = address.ip().is_loopback();
        if !is_loopback && !asks {
            return Err(Error::Unprotected { address });
        }
        if !is_loopback && tls.is_none() && !options.plain_http {
            return Err(Error::Unencrypted { address });
        }
        Ok(Self(Arc::new(Inner {
            tokens,
            proxies,
            sessions: Sessions::default(),
            rates: Rates::new(options.requests_per_s),
            is_open: !asks,
            is_tls: tls.is_some(),
        })))
    }

    /// The role of a request, and how it is known; `None` if it shows nothing that counts.
    fn role(&self, peer: Peer, headers: &HeaderMap) -> Option<(Role, Proof)> {
        let inner = &*self.0;
        if inner.is_open {
            return Some((Role::Admin, Proof::Local));
        }
        let by_token = inner.tokens.role(headers).map(|role| (role, Proof::Token));
        let by_session = || inner.sessions.role(headers).map(|role| (role, Proof::Session));
        let by_proxy =
            || inner.proxies.role(peer.address.ip(), headers).map(|role| (role, Proof::Proxy));
        by_token
            .or_else(by_session)
            .or_else(by_proxy)
            .or_else(|| peer.has_certificate.then_some((Role::Read, Proof::Certificate)))
    }

    /// Whether a request may be answered.
    fn admits(&self, peer: Peer, headers: &HeaderMap) -> Result<(Role, Proof), Refusal> {
        let inner = &*self.0;
        if inner.is_open && !is_local_host(headers) {
            return Err((StatusCode::FORBIDDEN, FOREIGN_HOST));
        }
        let address = inner.proxies.client(peer.address.ip(), headers);
        if !inner.rates.may_ask(address) {
            return Err((StatusCode::TOO_MANY_REQUESTS, TOO_OFTEN));
        }
        if let Some(known) = self.role(peer, headers) {
            return Ok(known);
        }
        if tokens::sends_one(headers) && !inner.rates.may_guess(address) {
            return Err((StatusCode::TOO_MANY_REQUESTS, TOO_MANY_GUESSES));
        }
        Err((StatusCode::UNAUTHORIZED, NO_TOKEN))
    }
}

type Refusal = (StatusCode, &'static str);

/// Lets a request through, with its role, or answers it.
pub(crate) async fn check(
    State(access): State<Access>,
    mut request: Request,
    next: Next,
) -> Response {
    match access.admits(peer(&request), request.headers()) {
        Ok((role, _)) => {
            request.extensions_mut().insert(role);
            next.run(request).await
        }
        Err(refusal) => answer(refusal),
    }
}

/// Lets a request through that [`check`] gave the role of an administrator.
pub(crate) async fn admin_only(request: Request, next: Next) -> Response {
    match request.extensions().get::<Role>() {
        Some(Role::Admin) => next.run(request).await,
        _ => answer((StatusCode::FORBIDDEN, NOT_ADMIN)),
    }
}

/// Who asks; connections say it themselves.
fn peer(request: &Request) -> Peer {
    let nobody = Peer { address: SocketAddr::from(([0, 0, 0, 0], 0)), has_certificate: false };
    request.extensions().get().copied().unwrap_or(nobody)
}

fn answer((status, text): Refusal) -> Response {
    let mut response = refuse(status, text).into_response();
    let headers = response.headers_mut();
    match status {
        StatusCode::UNAUTHORIZED => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        StatusCode::TOO_MANY_REQUESTS => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(rate::RETRY_AFTER_S));
        }
        _ => {}
    }
    response
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

const NO_TOKEN: &str = "a token is required: send \"Authorization: Bearer TOKEN\" with that of token_file or \
     admin_token_file in section [api]";
const NOT_ADMIN: &str =
    "packets and copies of the store are for administrators: send the token of admin_token_file";
const TOO_OFTEN: &str = "too many requests from this address (requests_per_s in section [api])";
const TOO_MANY_GUESSES: &str = "too many wrong tokens from this address";
const FOREIGN_HOST: &str = "without a token only requests to an address or to localhost are answered, so that no web \
     page can ask under a name of its own: ask for http://127.0.0.1, or set token_file in section [api]";

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

    use super::{Access, Peer, Proof, Role};
    use crate::options::{Options, ProxyOptions};

    const READ: &str = "0123456789abcdef";
    const ADMIN: &str = "fedcba9876543210";

    fn with(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    fn peer(address: &str) -> Peer {
        Peer { address: SocketAddr::new(address.parse().unwrap(), 5), has_certificate: false }
    }

    fn local() -> SocketAddr {
        "127.0.0.1:9477".parse().unwrap()
    }

    /// With tokens for both roles and a proxy.
    fn access(directory: &std::path::Path) -> Access {
        let file = |name: &str, token: &str| {
            let path = directory.join(name);
            std::fs::write(&path, token).unwrap();
            Some(path)
        };
        let proxy = ProxyOptions {
            trusted: vec!["10.0.0.0/30".to_owned(), "::1".to_owned()],
            admin_users: vec!["alice".to_owned()],
            ..ProxyOptions::default()
        };
        let options = Options {
            token_file: file("read", READ),
            admin_token_file: file("admin", ADMIN),
            proxy,
            ..Options::default()
        };
        Access::new(&options, local(), None).unwrap()
    }

    #[test]
    fn each_token_gives_its_role_and_no_other_text_does() {
        let directory = tempfile::tempdir().unwrap();
        let access = access(directory.path());
        let of = |value: String| {
            let headers = with(header::AUTHORIZATION, &value);
            access.admits(peer("192.0.2.1"), &headers).map_err(|(status, _)| status)
        };
        assert_eq!(of(format!("Bearer {READ}")), Ok((Role::Read, Proof::Token)));
        assert_eq!(of(format!("bearer {ADMIN}")), Ok((Role::Admin, Proof::Token)));
        for wrong in ["Bearer 0123456789abcdee", "Bearer", "", "Basic 0123456789abcdef", READ] {
            assert_eq!(of(wrong.to_owned()), Err(StatusCode::UNAUTHORIZED), "{wrong}");
        }
    }

    #[test]
    fn who_guesses_is_slowed_and_who_knows_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let access = access(directory.path());
        let wrong = with(header::AUTHORIZATION, "Bearer 0123456789abcdee");
        let right = with(header::AUTHORIZATION, &format!("Bearer {READ}"));
        let status = |headers| access.admits(peer("192.0.2.9"), headers).map_err(|(s, _)| s);
        let answers: Vec<_> = (0..40).map(|_| status(&wrong).unwrap_err()).collect();
        assert_eq!(answers[0], StatusCode::UNAUTHORIZED);
        assert_eq!(answers[39], StatusCode::TOO_MANY_REQUESTS);
        assert!(status(&right).is_ok());
        assert!(
            access.admits(peer("192.0.2.10"), &wrong).unwrap_err().0 == StatusCode::UNAUTHORIZED
        );
    }

    #[test]
    fn users_are_believed_of_trusted_proxies_only() {
        let directory = tempfile::tempdir().unwrap();
        let access = access(directory.path());
        let user = HeaderName::from_static("x-forwarded-user");
        let role = |from: &str, name: &str| {
            access.admits(peer(from), &with(user.clone(), name)).ok().map(|(role, _)| role)
        };
        assert_eq!(role("10.0.0.2", "bob"), Some(Role::Read));
        assert_eq!(role("10.0.0.2", "alice"), Some(Role::Admin));
        assert_eq!(role("::1", "alice"), Some(Role::Admin));
        for stranger in ["10.0.0.4", "192.0.2.1", "::2"] {
            assert_eq!(role(stranger, "alice"), None, "{stranger}");
        }
        assert_eq!(role("10.0.0.2", ""), None);
    }

    #[test]
    fn a_page_under_a_name_of_its_own_is_not_answered() {
        let open = Access::new(&Options::default(), local(), None).unwrap();
        let admits = |host| open.admits(peer("127.0.0.1"), &with(header::HOST, host)).is_ok();
        for host in ["127.0.0.1:9477", "localhost:9477", "[::1]:9477", "[::1]", "LOCALHOST"] {
            assert!(admits(host), "{host}");
        }
        for host in ["evil.example:9477", "127.0.0.1.evil.example", "localhost.evil", ""] {
            assert!(!admits(host), "{host}");
        }
    }

    #[test]
    fn beyond_this_machine_it_is_neither_open_nor_plain() {
        let everywhere: SocketAddr = "0.0.0.0:9477".parse().unwrap();
        let error = |options: &Options| {
            Access::new(options, everywhere, None).map(|_| ()).unwrap_err().to_string()
        };
        assert!(error(&Options::default()).contains("token_file"));
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        std::fs::write(&path, READ).unwrap();
        let mut options = Options { token_file: Some(path), ..Options::default() };
        assert!(error(&options).contains("tls.certificate_file"));
        options.plain_http = true;
        assert!(Access::new(&options, everywhere, None).is_ok());
    }
}
