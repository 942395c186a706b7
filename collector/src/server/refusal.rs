//! Errors as JSON: `{"error": "what was wrong and what to do"}`.

use axum::Json;
use axum::http::StatusCode;

use crate::answers::Refusal;

/// A request that is not answered, and why.
pub(crate) type Refused = (StatusCode, Json<Refusal>);

pub(crate) fn refuse(status: StatusCode, error: impl Into<String>) -> Refused {
    (status, Json(Refusal { error: error.into() }))
}

/// A request that cannot be meant.
pub(crate) fn wrong(error: impl Into<String>) -> Refused {
    refuse(StatusCode::BAD_REQUEST, error)
}
