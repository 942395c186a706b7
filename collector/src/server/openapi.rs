//! The interface described for machines (OpenAPI 3.1), made of the table of routes and the answers' types.

use axum::Json;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::routes::{ROUTES, Route, SESSION, Who};
use super::shape::{Gives, Takes};
use crate::answers::Refusal;
use crate::server::SessionPage;

pub(crate) const PATH: &str = "/api/v1/openapi.json";

pub(crate) async fn tell() -> Json<Value> {
    Json(document())
}

/// The whole description; its order depends on nothing but the program.
#[must_use]
pub fn document() -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    let mut generator = settings.into_generator();
    let refusal = generator.subschema_for::<Refusal>().to_value();
    let mut paths = Map::new();
    for route in ROUTES {
        let (content_type, schema) = match route.gives {
            Gives::Json(schema) => ("application/json", schema(&mut generator).to_value()),
            Gives::Events(schema) => ("text/event-stream", schema(&mut generator).to_value()),
            Gives::Text(content_type) => (content_type, json!({ "type": "string" })),
            Gives::Pcapng => ("application/x-pcapng", json!({})),
            Gives::Any => ("application/json", json!({})),
        };
        let answer = json!({ content_type: { "schema": schema } });
        paths.insert(route.path.to_owned(), json!({ "get": operation(route, &answer, &refusal) }));
    }
    let session = generator.subschema_for::<SessionPage>().to_value();
    paths.insert(SESSION.to_owned(), session_paths(&session, &refusal));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "rstscope",
            "description": "Who reset which TCP connection, and why: of late and of the past.",
            "version": "1",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer" },
                "session": { "type": "apiKey", "in": "cookie", "name": "rstscope_session" },
            },
        },
    })
}

fn operation(route: &Route, answer: &Value, refusal: &Value) -> Value {
    let names = route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let in_path = names.map(|name| {
        json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } })
    });
    let parameters: Vec<Value> =
        in_path.chain(route.takes.iter().map(|takes| in_query(*takes))).collect();
    let refused = json!({ "application/json": { "schema": refusal } });
    let mut answers = Map::new();
    answers.insert("200".to_owned(), json!({ "description": "The answer.", "content": answer }));
    let mut refuse = |status: &str, why: &str| {
        let content = match route.gives {
            // Health says why not in lines.
            Gives::Text(_) if route.who == Who::Everybody => answer,
            _ => &refused,
        };
        answers.insert(status.to_owned(), json!({ "description": why, "content": content }));
    };
    if route.who != Who::Everybody {
        refuse("401", "A token is required.");
        refuse("403", "Not for this host or role.");
        refuse("429", "Asked too often.");
    }
    if !route.takes.is_empty() || route.path.contains('{') {
        refuse("400", "Cannot be meant; says what can be.");
    }
    if route.path.contains('{') {
        refuse("404", "There is no such thing, or no longer.");
    }
    refuse("503", "Not now; says why.");
    let mut operation = json!({
        "operationId": operation_id(route.path),
        "summary": route.says,
        "parameters": parameters,
        "responses": answers,
    });
    if route.who != Who::Everybody {
        operation["security"] = json!([{}, { "token": [] }, { "session": [] }]);
    }
    operation
}

fn in_query(takes: Takes) -> Value {
    let (name, text, schema) = (takes.name(), takes.says(), takes.schema());
    json!({ "name": name, "in": "query", "required": false, "description": text, "schema": schema })
}

fn session_paths(session: &Value, refusal: &Value) -> Value {
    let one = |id: &str, says: &str| {
        json!({
            "operationId": id,
            "summary": says,
            "responses": {
                "200": { "description": "Who you are.", "content": { "application/json": { "schema": session } } },
                "401": { "description": "The token is not known.", "content": { "application/json": { "schema": refusal } } },
                "403": { "description": "Not for this host.", "content": { "application/json": { "schema": refusal } } },
                "429": { "description": "Asked too often.", "content": { "application/json": { "schema": refusal } } },
            },
        })
    };
    let mut begin = one(
        "begin_session",
        "Begins a session: answers with a cookie for the token that was sent.",
    );
    begin["security"] = json!([{ "token": [] }]);
    let end = json!({
        "operationId": "end_session",
        "summary": "Ends it.",
        "responses": { "204": { "description": "It is ended." } },
    });
    json!({ "get": one("session", "Who the server takes the client for."), "post": begin, "delete": end })
}

fn operation_id(path: &str) -> String {
    let parts =
        path.trim_start_matches("/api/v1").split(['/', '.']).filter(|part| !part.is_empty());
    parts.map(|part| part.trim_matches(['{', '}'])).collect::<Vec<_>>().join("_")
}
