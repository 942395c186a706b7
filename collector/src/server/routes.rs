//! What can be asked: one table, of which the router and its description are made.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::{MethodRouter, get};
use axum::{Router, middleware};

use super::access::{self, Access};
use super::refusal::{Refused, refuse};
use super::shape::{Gives, Takes};
use super::{Known, late, openapi, page, past};
use crate::answers::{
    EventPage, EventSheet, FlowPage, Snapshot, StatusPage, VersionPage, Vocabulary,
};
use crate::history::{
    BurstRow, DeviceRow, DisagreementRow, EventList, IdleHistogram, LogList, Overview, RowList,
    SensorRow, ServerDetail, ServerList,
};
use crate::server::live::LiveStatus;

/// One address that is answered.
pub(crate) struct Route {
    pub(crate) path: &'static str,
    /// What it is for, in a sentence.
    pub(crate) says: &'static str,
    pub(crate) takes: &'static [Takes],
    pub(crate) gives: Gives,
    pub(crate) who: Who,
    handler: fn() -> MethodRouter<Known>,
}

/// Who is answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Who {
    /// Everybody who reaches the port.
    Everybody,
    /// Whoever may read.
    Reader,
    /// Administrators: packets are in it.
    Administrator,
}

/// All that is answered but the page and sessions.
pub(crate) const ROUTES: &[Route] = &[
    read(
        OVERVIEW,
        Gives::json::<Overview>(),
        "What happened, the denominator beside it.",
        &Takes::PAST,
        || get(past::overview),
    ),
    read(
        "/api/v1/servers",
        Gives::json::<ServerList>(),
        "Servers, most harmful resets first, or as sort says.",
        &Takes::SERVERS,
        || get(past::servers),
    ),
    read(
        "/api/v1/servers/{server}",
        Gives::json::<ServerDetail>(),
        "One server: 10.0.0.5:443, [2001:db8::1]:443 or 10.0.0.0/24.",
        &Takes::PAST,
        || get(past::server),
    ),
    read(
        "/api/v1/idle",
        Gives::json::<IdleHistogram>(),
        "Silences before resets, and the timers that they point to.",
        &Takes::PAST,
        || get(past::idle),
    ),
    read(
        "/api/v1/history",
        Gives::json::<EventList>(),
        "Resets of the store, newest first.",
        &Takes::ROWS,
        || get(past::history),
    ),
    read("/api/v1/history/{id}", Gives::json::<FlowPage>(), "One reset, explained.", &[], || {
        get(past::event)
    }),
    Route {
        who: Who::Administrator,
        ..read(
            "/api/v1/history/{id}/evidence.pcapng",
            Gives::Pcapng,
            "The last packets of the connection, with the reasons in it.",
            &[],
            || get(past::evidence),
        )
    },
    read(
        "/api/v1/bursts",
        Gives::json::<RowList<BurstRow>>(),
        "Many connections of one server cut together.",
        &Takes::ROWS,
        || get(past::bursts),
    ),
    read(
        "/api/v1/devices",
        Gives::json::<RowList<DeviceRow>>(),
        "Devices in the path that sent resets.",
        &Takes::ROWS,
        || get(past::devices),
    ),
    read(
        "/api/v1/sensors",
        Gives::json::<Vec<SensorRow>>(),
        "Who sends here, and how each does.",
        &[],
        || get(past::sensors),
    ),
    read(
        "/api/v1/disagreements",
        Gives::json::<RowList<DisagreementRow>>(),
        "Sessions whose logged culprit is wrong, by rule.",
        &Takes::ROWS,
        || get(past::disagreements),
    ),
    read(
        "/api/v1/logs",
        Gives::json::<LogList>(),
        "Who writes logs to us, how well they can be read, and what was lost.",
        &[],
        || get(past::logs),
    ),
    read(
        "/api/v1/live",
        Gives::events::<LiveStatus>(),
        "Server-sent events: reset (a row of history) as they come, status once a second.",
        &[],
        || get(late::live),
    ),
    read(
        "/api/v1/vocabulary",
        Gives::json::<Vocabulary>(),
        "The closed lists of names that filters take, and what each means.",
        &[],
        || get(late::vocabulary),
    ),
    read(
        "/api/v1/version",
        Gives::json::<VersionPage>(),
        "Versions of program, answers and events.",
        &[],
        || get(late::version),
    ),
    read("/api/v1/status", Gives::json::<StatusPage>(), "How the run goes.", &[], || {
        get(late::status)
    }),
    read(
        "/api/v1/snapshot",
        Gives::json::<Snapshot>(),
        "What is known of late, counted.",
        &Takes::LATE,
        || get(late::snapshot),
    ),
    read(
        "/api/v1/events",
        Gives::json::<EventPage>(),
        "Resets of late in the order they were told.",
        &Takes::LATE,
        || get(late::events),
    ),
    read(
        "/api/v1/events/{id}",
        Gives::json::<EventSheet>(),
        "One reset of late with its proof sheet.",
        &[Takes::Width],
        || get(late::sheet),
    ),
    read("/metrics", Gives::Text(late::METRICS_TYPE), "Counts for Prometheus.", &[], || {
        get(late::prometheus)
    }),
    Route {
        who: Who::Everybody,
        ..read(openapi::PATH, Gives::Any, "This description.", &[], || get(openapi::tell))
    },
    Route {
        who: Who::Everybody,
        ..read(
            "/healthz",
            Gives::Text("text/plain; charset=utf-8"),
            "Whether it is alive; 503 and why not.",
            &[],
            || get(late::healthz),
        )
    },
    Route {
        who: Who::Everybody,
        ..read(
            "/readyz",
            Gives::Text("text/plain; charset=utf-8"),
            "Whether it is ready; 503 and why not.",
            &[],
            || get(late::readyz),
        )
    },
];

const OVERVIEW: &str = "/api/v1/overview";

const fn read(
    path: &'static str,
    gives: Gives,
    says: &'static str,
    takes: &'static [Takes],
    handler: fn() -> MethodRouter<Known>,
) -> Route {
    Route { path, says, takes, gives, who: Who::Reader, handler }
}

/// All routes. Health and the page, which holds nothing of anybody, are told to everybody who reaches the
/// port, the rest to whom `access` admits.
pub(crate) fn router(known: Known, access: Access) -> Router {
    let of = |who: Who| {
        let routes = ROUTES.iter().filter(|route| route.who == who);
        routes.fold(Router::new(), |router, route| router.route(route.path, (route.handler)()))
    };
    let administrators =
        of(Who::Administrator).route_layer(middleware::from_fn(access::admin_only));
    let guarded = of(Who::Reader)
        .merge(administrators)
        .route_layer(middleware::from_fn_with_state(access.clone(), access::check));
    let session = Router::new()
        .route(SESSION, get(access::who).post(access::begin).delete(access::end))
        .with_state(access);
    let pages =
        PAGES.iter().fold(Router::new(), |router, path| router.route(path, get(page::index)));
    of(Who::Everybody)
        .merge(guarded)
        .merge(pages)
        .route("/icon.svg", get(page::icon))
        .route("/assets/{name}", get(page::asset))
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .with_state(known)
        .merge(session)
        .layer(middleware::map_response(guard))
}

/// What a browser must not do with any answer of ours.
async fn guard(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in GUARDS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    // Answers tell of people: nobody between us and the browser keeps them.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

async fn unknown() -> Refused {
    refuse(
        StatusCode::NOT_FOUND,
        "there is no such address; all of them are in /api/v1/openapi.json, and the page is at /",
    )
}

async fn wrong_method() -> Refused {
    refuse(StatusCode::METHOD_NOT_ALLOWED, "everything here is read with GET")
}

/// Who the server takes the client for; begins and ends with a token.
pub(crate) const SESSION: &str = "/api/v1/session";

/// Addresses of views of the page.
const PAGES: &[&str] = &[
    "/",
    "/servers",
    "/servers/{*key}",
    "/events",
    "/events/{*key}",
    "/idle",
    "/bursts",
    "/devices",
    "/disagreements",
    "/logs",
    "/sensors",
];

const GUARDS: &[(&str, &str)] = &[
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
];
