//! Reverse proxies that check users themselves and name them in a header.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName};

use super::Role;
use crate::error::Error;
use crate::network::Networks;
use crate::options::ProxyOptions;

/// Whom we believe.
#[derive(Debug)]
pub(super) struct Proxies {
    trusted: Networks,
    user_header: HeaderName,
    admin_users: Vec<String>,
}

impl Proxies {
    pub(super) fn new(options: &ProxyOptions) -> Result<Self, Error> {
        let trusted = Networks::read(&options.trusted).map_err(|text| Error::Proxy { text })?;
        let user_header = HeaderName::from_bytes(options.user_header.as_bytes())
            .map_err(|_| Error::Proxy { text: options.user_header.clone() })?;
        Ok(Self { trusted, user_header, admin_users: options.admin_users.clone() })
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.trusted.is_empty()
    }

    /// The role of the user that a trusted proxy names.
    pub(super) fn role(&self, peer: IpAddr, headers: &HeaderMap) -> Option<Role> {
        if !self.trusts(peer) {
            return None;
        }
        let user = headers.get(&self.user_header)?.to_str().ok()?.trim();
        if user.is_empty() {
            return None;
        }
        let is_admin = self.admin_users.iter().any(|admin| admin == user);
        Some(if is_admin { Role::Admin } else { Role::Read })
    }

    /// Whose request it is: the peer's, or that of the client which a trusted proxy names last.
    pub(super) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        if !self.trusts(peer) {
            return peer;
        }
        let forwarded = headers.get_all(FORWARDED_FOR).iter().next_back();
        let last = forwarded.and_then(|value| value.to_str().ok()?.rsplit(',').next());
        last.and_then(|text| text.trim().parse().ok()).unwrap_or(peer)
    }

    fn trusts(&self, peer: IpAddr) -> bool {
        self.trusted.hold(peer)
    }
}

const FORWARDED_FOR: &str = "x-forwarded-for";
