//! The description of the interface is that of the program, and the interface is as described.

mod support;

use std::path::PathBuf;

use serde_json::Value;

use support::{anywhere, fed, serve};

fn shipped() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("openapi.json")
}

#[test]
fn the_shipped_description_is_what_the_program_tells() {
    let mut told = serde_json::to_string_pretty(&collector::openapi()).expect("JSON");
    told.push('\n');
    if std::env::var_os("RSTSCOPE_WRITE_OPENAPI").is_some() {
        std::fs::write(shipped(), &told).expect("written");
    }
    let kept = std::fs::read_to_string(shipped()).expect("collector/openapi.json is there");
    assert!(
        told == kept,
        "collector/openapi.json is another one: RSTSCOPE_WRITE_OPENAPI=1 cargo test -p collector --test openapi"
    );
}

#[test]
fn every_address_that_is_described_is_answered_and_no_reference_leads_nowhere() {
    let server = serve(&anywhere(), &fed(&collector::Options::default()));
    let document = collector::openapi();
    let paths = document["paths"].as_object().expect("paths");
    assert!(paths.len() >= 20, "{}", paths.len());
    for (path, operations) in paths {
        let answers = &operations["get"]["responses"];
        let concrete = path.replace("{id}", "0123456789abcdef").replace("{server}", "10.0.0.1:443");
        if path.ends_with("/live") {
            continue;
        }
        let agent: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let address = format!("http://{}{concrete}", server.local_addr());
        let mut response = agent.get(address).call().expect("an answer");
        let status = response.status().as_u16().to_string();
        let text = response.body_mut().read_to_string().expect("text");
        assert!(answers.get(&status).is_some(), "{path}: {status} is not described: {text}");
        assert!(!text.contains("there is no such address"), "{path}");
    }
    let mut references = Vec::new();
    collect(&document, &mut references);
    assert!(references.len() > 50);
    for reference in references {
        let pointer = reference.trim_start_matches('#');
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}

fn collect(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            references.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|field| collect(field, references));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, references)),
        _ => {}
    }
}
