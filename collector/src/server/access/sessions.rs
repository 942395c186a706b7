//! Sessions of browsers: a page cannot send a token with every image and every stream of events, so it
//! shows its token once and holds a cookie from then on.
//!
//! The cookie is a random number that means nothing elsewhere, is not readable by scripts (`HttpOnly`) and
//! is not sent along from other sites (`SameSite=Strict`). Sessions live in memory only.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Access, Proof, Role, answer, peer};

/// `/api/v1/session`: who the server takes the client for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SessionPage {
    /// What it may do; nothing if absent: a token is required.
    pub role: Option<Role>,
    /// How that is known.
    pub by: Option<Proof>,
}

#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<HashMap<[u8; KEY_LEN], Session>>);

#[derive(Clone, Copy, Debug)]
struct Session {
    role: Role,
    ends: Instant,
}

impl Sessions {
    /// The role of the session whose cookie the header bears.
    pub(super) fn role(&self, headers: &HeaderMap) -> Option<Role> {
        let key = cookie(headers)?;
        let sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.get(&key).filter(|session| session.ends > Instant::now()).map(|s| s.role)
    }

    /// Begins one; `None` if the system gives no random numbers.
    fn begin(&self, role: Role) -> Option<String> {
        let mut key = [0; KEY_LEN];
        rustls::crypto::ring::default_provider().secure_random.fill(&mut key).ok()?;
        let now = Instant::now();
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, session| session.ends > now);
        if sessions.len() >= SESSIONS_MAX {
            let oldest = sessions.iter().min_by_key(|(_, session)| session.ends);
            if let Some(oldest) = oldest.map(|(key, _)| *key) {
                sessions.remove(&oldest);
            }
        }
        sessions.insert(key, Session { role, ends: now + LIFE });
        Some(key.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    fn end(&self, headers: &HeaderMap) {
        if let Some(key) = cookie(headers) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
        }
    }
}

/// `GET /api/v1/session`: never refused but for asking too often.
pub(crate) async fn who(State(access): State<Access>, request: Request) -> Response {
    match access.admits(peer(&request), request.headers()) {
        Ok((role, by)) => Json(SessionPage { role: Some(role), by: Some(by) }).into_response(),
        Err((StatusCode::UNAUTHORIZED, _)) => {
            Json(SessionPage { role: None, by: None }).into_response()
        }
        Err(refusal) => answer(refusal),
    }
}

/// `POST /api/v1/session` with a token: answers with the cookie.
pub(crate) async fn begin(State(access): State<Access>, request: Request) -> Response {
    let (role, by) = match access.admits(peer(&request), request.headers()) {
        Ok(known) => known,
        Err(refusal) => return answer(refusal),
    };
    let page = Json(SessionPage { role: Some(role), by: Some(by) });
    if by != Proof::Token {
        return page.into_response();
    }
    let Some(key) = access.0.sessions.begin(role) else {
        return answer((StatusCode::SERVICE_UNAVAILABLE, NO_RANDOM));
    };
    with_cookie(&access, &key, LIFE.as_secs(), page.into_response())
}

/// `DELETE /api/v1/session`.
pub(crate) async fn end(State(access): State<Access>, headers: HeaderMap) -> Response {
    access.0.sessions.end(&headers);
    with_cookie(&access, "", 0, StatusCode::NO_CONTENT.into_response())
}

fn with_cookie(access: &Access, key: &str, life_s: u64, mut response: Response) -> Response {
    let secure = if access.0.is_tls { "; Secure" } else { "" };
    let text =
        format!("{COOKIE}={key}; Path=/; Max-Age={life_s}; HttpOnly; SameSite=Strict{secure}");
    if let Ok(value) = HeaderValue::from_str(&text) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    response
}

/// The number in our cookie.
fn cookie(headers: &HeaderMap) -> Option<[u8; KEY_LEN]> {
    let pairs = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let text = pairs
        .flat_map(|pairs| pairs.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(name, value)| (name == COOKIE).then_some(value))?;
    let mut key = [0; KEY_LEN];
    if text.len() != 2 * KEY_LEN || !text.is_ascii() {
        return None;
    }
    for (byte, digits) in key.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(key)
}

const COOKIE: &str = "rstscope_session";
const KEY_LEN: usize = 32;
const SESSIONS_MAX: usize = 1024;
/// A working day.
const LIFE: Duration = Duration::from_secs(12 * 3600);
const NO_RANDOM: &str = "the system gives no random numbers; try again";

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue, header};

    use super::{SESSIONS_MAX, Sessions};
    use crate::server::access::Role;

    fn bearing(cookie: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_str(cookie).unwrap())])
    }

    #[test]
    fn a_session_is_known_by_its_cookie_until_it_ends() {
        let sessions = Sessions::default();
        let key = sessions.begin(Role::Read).unwrap();
        let headers = bearing(&format!("theme=dark; rstscope_session={key}"));
        assert_eq!(sessions.role(&headers), Some(Role::Read));
        for other in ["rstscope_session=", "rstscope_session=00", "x=1", &format!("a={key}")] {
            assert_eq!(sessions.role(&bearing(other)), None, "{other}");
        }
        sessions.end(&headers);
        assert_eq!(sessions.role(&headers), None);
    }

    #[test]
    fn sessions_are_bounded() {
        let sessions = Sessions::default();
        for _ in 0..SESSIONS_MAX + 10 {
            sessions.begin(Role::Read).unwrap();
        }
        assert_eq!(sessions.0.lock().unwrap().len(), SESSIONS_MAX);
    }
}
