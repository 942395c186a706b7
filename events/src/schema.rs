//! The schema of what sensors send, made from the types themselves.

use schemars::Schema;
use schemars::generate::SchemaSettings;

use crate::record::Record;

/// JSON Schema (draft 2020-12) of [`Record`]: an event, a minute or evidence as it is sent. Closed lists are
/// lists of their names with what they mean. Fields may be added without a new version
/// ([`crate::SCHEMA`]); none changes its meaning or goes away.
#[must_use]
pub fn record_schema() -> Schema {
    let mut schema =
        SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Record>();
    schema.insert("$id".to_owned(), ID.into());
    schema.insert("title".to_owned(), "A record of rstscope".into());
    schema
}

/// A name, not an address: nothing is fetched.
const ID: &str = "urn:rstscope:record:1";

#[cfg(test)]
mod tests {
    use super::record_schema;

    /// `INSTA_UPDATE=always cargo test -p events schema` writes it anew, as it does snapshots.
    #[test]
    fn the_shipped_schema_is_that_of_the_types() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/record-1.json");
        let made = serde_json::to_string_pretty(&record_schema()).unwrap() + "\n";
        if std::env::var("INSTA_UPDATE").is_ok_and(|wish| wish == "always") {
            std::fs::write(path, &made).unwrap();
        }
        let shipped = std::fs::read_to_string(path).unwrap();
        assert!(shipped == made, "{path} is not what the types give");
    }
}
