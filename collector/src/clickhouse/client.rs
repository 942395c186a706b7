//! Statements over HTTP. Source: ClickHouse, "HTTP interface".

use std::time::Duration;

use serde::de::DeserializeOwned;
use ureq::Agent;

use super::{ClickHouseError, ClickHouseOptions};

/// One server.
pub(super) struct Client {
    agent: Agent,
    url: String,
    database: String,
    user: String,
    password: Option<String>,
}

impl Client {
    pub(super) fn new(options: &ClickHouseOptions) -> Result<Self, ClickHouseError> {
        options.check().map_err(ClickHouseError::Option)?;
        let password = options.password_file.as_ref().map(|path| {
            std::fs::read_to_string(path).map(|text| text.trim().to_owned()).map_err(|error| {
                ClickHouseError::Option(format!("password_file {}: {error}", path.display()))
            })
        });
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(options.timeout_s)));
        Ok(Self {
            agent: config.build().into(),
            url: options.url.trim_end_matches('/').to_owned(),
            database: options.database.clone(),
            user: options.user.clone(),
            password: password.transpose()?,
        })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn database(&self) -> &str {
        &self.database
    }

    /// Has a statement done.
    pub(super) fn execute(&self, what: &str, statement: &str) -> Result<(), ClickHouseError> {
        self.post(what, statement, true).map(drop)
    }

    /// The answer, without white space around it.
    pub(super) fn text(
        &self,
        what: &str,
        question: &str,
        in_database: bool,
    ) -> Result<String, ClickHouseError> {
        self.post(what, question, in_database).map(|text| text.trim().to_owned())
    }

    /// The rows of an answer, in whichever collection. Each is read from a JSON list of its columns.
    pub(super) fn rows<T: DeserializeOwned, C: FromIterator<T>>(
        &self,
        what: &str,
        question: &str,
    ) -> Result<C, ClickHouseError> {
        let answer = self.post(what, &format!("{question}\nFORMAT JSONCompactEachRow"), true)?;
        let read = |line: &str| {
            serde_json::from_str(line)
                .map_err(|error| self.failed(what, format!("an answer that is not ours: {error}")))
        };
        answer.lines().filter(|line| !line.is_empty()).map(read).collect()
    }

    /// Inserts rows, once under a token.
    pub(super) fn insert(
        &self,
        table: &str,
        token: &str,
        rows: &str,
    ) -> Result<(), ClickHouseError> {
        let settings = match token {
            "" => String::new(),
            token => format!(
                " SETTINGS insert_deduplication_token = {}, deduplicate_blocks_in_dependent_materialized_views = 1, \
                 async_insert = 0",
                quoted(token)
            ),
        };
        let statement = format!("INSERT INTO {table}{settings} FORMAT JSONEachRow\n{rows}");
        self.execute(&format!("insert into {table}"), &statement)
    }

    fn post(
        &self,
        what: &str,
        statement: &str,
        in_database: bool,
    ) -> Result<String, ClickHouseError> {
        let mut request =
            self.agent.post(format!("{}/", self.url)).header("x-clickhouse-user", &self.user);
        if let Some(password) = &self.password {
            request = request.header("x-clickhouse-key", password);
        }
        if in_database {
            request = request.header("x-clickhouse-database", &self.database);
            request = request.query("database", &self.database);
        }
        let mut response =
            request.send(statement).map_err(|error| self.failed(what, error.to_string()))?;
        let status = response.status();
        let body = response
            .body_mut()
            .with_config()
            .limit(ANSWER_BYTES_MAX)
            .read_to_string()
            .map_err(|error| self.failed(what, error.to_string()))?;
        if status.is_success() {
            return Ok(body);
        }
        let said: String = body.trim().chars().take(SAID_CHARS_MAX).collect();
        Err(self.failed(what, format!("it answers {}: {said}", status.as_u16())))
    }

    fn failed(&self, what: &str, why: String) -> ClickHouseError {
        ClickHouseError::Statement { what: what.to_owned(), url: self.url.clone(), why }
    }
}

/// Text as a literal of SQL.
pub(super) fn quoted(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 2);
    literal.push('\'');
    for character in text.chars() {
        match character {
            '\'' | '\\' => {
                literal.push('\\');
                literal.push(character);
            }
            other => literal.push(other),
        }
    }
    literal.push('\'');
    literal
}

/// Bytes of an answer.
const ANSWER_BYTES_MAX: u64 = 256 << 20;
/// Characters of what the server said that go into a message.
const SAID_CHARS_MAX: usize = 400;

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_name_cannot_end_its_quotes() {
        assert_eq!(quoted(r"a'; DROP TABLE x; --\"), r"'a\'; DROP TABLE x; --\\'");
    }
}
