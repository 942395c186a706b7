//! What can be chosen: section `[store.clickhouse]` of the configuration.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// ClickHouse, reached over HTTP.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ClickHouseOptions {
    /// `http://` or `https://`, host and port.
    pub url: String,
    /// The database; made if it is not there.
    pub database: String,
    /// User name.
    pub user: String,
    /// File with the password, read at the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// Seconds until a statement is given up, 1 to 600.
    #[schemars(range(min = 1, max = 600))]
    pub timeout_s: u64,
    /// Records that an insert waits for, at most for `wait_s`: ClickHouse likes few and large ones.
    #[schemars(range(min = 1, max = 20_000))]
    pub records_least: usize,
    /// Seconds that the first of them waits, 0 to 10; a tenth of it where no others come meanwhile.
    #[schemars(range(min = 0.0, max = 10.0))]
    pub wait_s: f64,
}

impl Default for ClickHouseOptions {
    fn default() -> Self {
        Self {
            url: "http://127.0.0.1:8123".to_owned(),
            database: "rstscope".to_owned(),
            user: "default".to_owned(),
            password_file: None,
            timeout_s: 30,
            records_least: 1000,
            wait_s: 1.0,
        }
    }
}

impl ClickHouseOptions {
    /// What cannot be as it is.
    ///
    /// # Errors
    /// The first such option, by its name.
    pub fn check(&self) -> Result<(), String> {
        // Not shown: what stands before '@' or behind '?' may be a secret, and addresses are told and logged.
        if self.url.contains(['@', '?']) {
            return Err("url holds '@' or '?': use user and password_file".to_owned());
        }
        let is_url = self.url.starts_with("http://") || self.url.starts_with("https://");
        if !is_url || self.url.contains(char::is_whitespace) {
            return Err(format!("url = {:?}: write it like http://127.0.0.1:8123", self.url));
        }
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if self.database.is_empty() || !self.database.chars().all(is_plain) {
            return Err(format!("database = {:?}: letters, digits and '_' only", self.database));
        }
        if !(1..=600).contains(&self.timeout_s) {
            return Err(format!("timeout_s = {}: 1 to 600", self.timeout_s));
        }
        if !(1..=20_000).contains(&self.records_least) {
            return Err(format!("records_least = {}: 1 to 20000", self.records_least));
        }
        if !(0.0..=10.0).contains(&self.wait_s) {
            return Err(format!("wait_s = {}: 0 to 10", self.wait_s));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::ClickHouseOptions;

    #[test]
    fn an_address_with_a_password_is_refused_and_not_shown() {
        for url in
            ["http://me:secret@host:8123", "htp://secret@host", "http://host/?password=secret"]
        {
            let options = ClickHouseOptions { url: url.to_owned(), ..Default::default() };
            let why = options.check().unwrap_err();
            assert!(why.contains("password_file") && !why.contains("secret"), "{why}");
        }
        assert_eq!(ClickHouseOptions::default().check(), Ok(()));
    }
}
