//! Statements over HTTP. Source: ClickHouse, "HTTP interface".

use std::time::Duration;

use serde::de::DeserializeOwned;
use ureq::Agent;

use super::parameters::Parameters;
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
        self.execute_with(what, statement, &Parameters::default())
    }

    /// The same with values beside it.
    pub(super) fn execute_with(
        &self,
        what: &str,
        statement: &str,
        parameters: &Parameters,
    ) -> Result<(), ClickHouseError> {
        self.post(what, statement, true, parameters).map(drop)
    }

    /// The answer, without white space around it.
    pub(super) fn text(
        &self,
        what: &str,
        question: &str,
        in_database: bool,
    ) -> Result<String, ClickHouseError> {
        let none = Parameters::default();
        self.post(what, question, in_database, &none).map(|text| text.trim().to_owned())
    }

    /// The rows of an answer, each read from a JSON object of its columns. What comes from outside stands in
    /// `parameters` and never in the text of the question.
    pub(super) fn rows<T: DeserializeOwned>(
        &self,
        what: &str,
        question: &str,
        parameters: &Parameters,
    ) -> Result<Vec<T>, ClickHouseError> {
        let question = format!("{question}\n{ANSWER_SETTINGS}\nFORMAT JSONEachRow");
        let answer = self.post(what, &question, true, parameters)?;
        let read = |line: &str| {
            serde_json::from_str(line)
                .map_err(|error| self.failed(what, format!("an answer that is not ours: {error}")))
        };
        answer.lines().filter(|line| !line.is_empty()).map(read).collect()
    }

    /// Inserts rows; they are there when this returns.
    pub(super) fn insert(&self, table: &str, rows: &str) -> Result<(), ClickHouseError> {
        let statement =
            format!("INSERT INTO {table} SETTINGS async_insert = 0 FORMAT JSONEachRow\n{rows}");
        self.execute(&format!("insert into {table}"), &statement)
    }

    fn post(
        &self,
        what: &str,
        statement: &str,
        in_database: bool,
        parameters: &Parameters,
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
        for (name, value) in parameters.iter() {
            request = request.query(format!("param_{name}"), value);
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

    pub(super) fn failed(&self, what: &str, why: String) -> ClickHouseError {
        ClickHouseError::Statement { what: what.to_owned(), url: self.url.clone(), why }
    }
}

/// What an answer may be at most, and how numbers of 64 bits are told. The time that it may take is that of the
/// request: what nobody waits for any more is given up.
const ANSWER_SETTINGS: &str = "SETTINGS max_result_rows = 500000, result_overflow_mode = 'throw', \
    output_format_json_quote_64bit_integers = 0, cancel_http_readonly_queries_on_client_close = 1, \
    do_not_merge_across_partitions_select_final = 1";
/// Bytes of an answer.
const ANSWER_BYTES_MAX: u64 = 256 << 20;
/// Characters of what the server said that go into a message.
const SAID_CHARS_MAX: usize = 400;
