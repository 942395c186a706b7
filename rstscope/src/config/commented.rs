//! A configuration with what each of its values means, out of the same words as the schema.

use schemars::Schema;
use serde_json::Value;

/// `text` (TOML as the serializer writes it) with the description of each section and key above it.
pub(super) fn with_docs(text: &str, schema: &Schema) -> String {
    let root = schema.as_value();
    let mut section: Option<&Value> = Some(root);
    let mut told = String::new();
    for line in text.lines() {
        if let Some(path) = header_of(line) {
            section = path.split('.').try_fold(root, |within, key| property(root, within, key));
            push_comment(&mut told, section.and_then(description));
        } else if let Some((key, _)) = line.split_once(" = ") {
            let known = section.and_then(|within| raw_property(root, within, key));
            push_comment(&mut told, known.and_then(description));
        }
        told.push_str(line);
        told.push('\n');
    }
    told
}

fn header_of(line: &str) -> Option<&str> {
    let inner = line.strip_prefix('[')?.strip_suffix(']')?;
    Some(inner.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(inner))
}

/// The schema of `key` in `within`, through references and lists.
fn property<'s>(root: &'s Value, within: &'s Value, key: &str) -> Option<&'s Value> {
    let found = raw_property(root, within, key)?;
    Some(resolved(root, found.get("items").unwrap_or(found)))
}

fn raw_property<'s>(root: &'s Value, within: &'s Value, key: &str) -> Option<&'s Value> {
    let direct = resolved(root, within).get("properties").and_then(|all| all.get(key));
    direct.or_else(|| {
        // One of several kinds: the first that has such a key.
        let kinds = resolved(root, within).get("oneOf")?.as_array()?;
        kinds.iter().find_map(|kind| resolved(root, kind).get("properties")?.get(key))
    })
}

fn resolved<'s>(root: &'s Value, schema: &'s Value) -> &'s Value {
    let target = schema.get("$ref").and_then(Value::as_str).and_then(|it| it.strip_prefix('#'));
    target.and_then(|pointer| root.pointer(pointer)).unwrap_or(schema)
}

fn description(schema: &Value) -> Option<&str> {
    schema.get("description").and_then(Value::as_str)
}

fn push_comment(told: &mut String, description: Option<&str>) {
    let Some(description) = description else { return };
    for line in textwrap::wrap(description, LINE_LEN) {
        told.push_str("# ");
        told.push_str(&line);
        told.push('\n');
    }
}

const LINE_LEN: usize = 100;

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    #[test]
    fn every_value_has_its_meaning_above_it() {
        let mut config = Config::default();
        config.link.push(super::super::LinkSection::parse("east0+west0"));
        let text = toml::to_string(&config).unwrap();
        let told = with_docs(&text, &schemars::schema_for!(Config));
        assert_eq!(toml::from_str::<Config>(&told).unwrap(), config);
        let lines: Vec<&str> = told.lines().collect();
        for (place, line) in lines.iter().enumerate() {
            let is_value = line.contains(" = ") && !line.starts_with('#');
            assert!(!is_value || lines[place - 1].starts_with("# "), "{line} is not explained");
        }
    }
}
