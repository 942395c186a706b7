//! The feed of a running sensor: its local API.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use collector::Refusal;
use serde::de::DeserializeOwned;
use ureq::Agent;

use super::arguments::TopArguments;
use super::feed::{Ask, EVENTS_MAX, Feed, SERVERS_MAX, Told};

/// A client of one sensor.
pub(crate) struct Api {
    agent: Agent,
    base: String,
    authorization: Option<String>,
}

impl Api {
    pub(crate) fn new(arguments: &TopArguments) -> anyhow::Result<Self> {
        let base = arguments.connect.trim_end_matches('/').to_owned();
        let is_url = base.starts_with("http://") || base.starts_with("https://");
        ensure!(is_url, "--connect {base:?} is no URL; write for example http://127.0.0.1:9477");
        let authorization = match &arguments.token_file {
            None => None,
            Some(path) => {
                let token = std::fs::read_to_string(path)
                    .with_context(|| format!("read the token from {}", path.display()))?;
                Some(format!("Bearer {}", token.trim()))
            }
        };
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .build()
            .into();
        Ok(Self { agent, base, authorization })
    }

    pub(crate) fn name(&self) -> String {
        self.base.clone()
    }

    fn get<T: DeserializeOwned>(&self, path: &str, pairs: &[(&str, String)]) -> Result<T, String> {
        let mut request = self.agent.get(format!("{}{path}", self.base));
        for (name, value) in pairs {
            request = request.query(name, value);
        }
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        let mut response = request.call().map_err(|error| {
            format!("no answer from {}: {error}; is \"rstscope run\" running there?", self.base)
        })?;
        let status = response.status();
        let body = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
        let body =
            body.map_err(|error| format!("the answer of {} ends early: {error}", self.base))?;
        if !status.is_success() {
            let refusal: Result<Refusal, _> = serde_json::from_slice(&body);
            let why = refusal.map_or_else(|_| String::new(), |refusal| refusal.error);
            return Err(format!("{} says {}: {why}", self.base, status.as_u16()));
        }
        serde_json::from_slice(&body).map_err(|error| {
            format!("{} does not answer as a sensor of this version does: {error}", self.base)
        })
    }
}

impl Feed for Api {
    fn answer(&mut self, ask: &Ask) -> Result<Told, String> {
        match ask {
            Ask::Snapshot { only } => {
                let pairs = pairs(only, SERVERS_MAX);
                self.get("/api/v1/snapshot", &pairs).map(Box::new).map(Told::Snapshot)
            }
            Ask::Events { only } => {
                self.get("/api/v1/events", &pairs(only, EVENTS_MAX)).map(Told::Events)
            }
            Ask::Sheet { id, width } => {
                let pairs = [("width", (*width).clamp(40, 400).to_string())];
                self.get(&format!("/api/v1/events/{id}"), &pairs).map(Box::new).map(Told::Sheet)
            }
        }
    }
}

/// Filters and a limit as the address has them.
fn pairs(only: &[String], limit: usize) -> Vec<(&'static str, String)> {
    let filters = only.iter().map(|filter| ("only", filter.clone()));
    filters.chain([("limit", limit.to_string())]).collect()
}

/// A sensor that does not answer in this time is not there.
const PATIENCE: Duration = Duration::from_secs(5);
/// A page of events is some 4 MB.
const ANSWER_BYTES_MAX: u64 = 64 << 20;
