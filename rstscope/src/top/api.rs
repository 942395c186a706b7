//! The feed of a running sensor: its local API.

use super::arguments::TopArguments;
use super::feed::{Ask, EVENTS_MAX, Feed, SERVERS_MAX, Told};
use crate::client::Client;

/// A client of one sensor.
pub(crate) struct Api(Client);

impl Api {
    pub(crate) fn new(arguments: &TopArguments) -> anyhow::Result<Self> {
        Client::new(&arguments.connect, &arguments.client).map(Self)
    }

    pub(crate) fn name(&self) -> String {
        self.0.base().to_owned()
    }
}

impl Feed for Api {
    fn answer(&mut self, ask: &Ask) -> Result<Told, String> {
        match ask {
            Ask::Snapshot { only } => {
                let pairs = pairs(only, SERVERS_MAX);
                self.0.get("/api/v1/snapshot", &pairs).map(Box::new).map(Told::Snapshot)
            }
            Ask::Events { only } => {
                self.0.get("/api/v1/events", &pairs(only, EVENTS_MAX)).map(Told::Events)
            }
            Ask::Sheet { id, width } => {
                let pairs = [("width", (*width).clamp(40, 400).to_string())];
                self.0.get(&format!("/api/v1/events/{id}"), &pairs).map(Box::new).map(Told::Sheet)
            }
        }
    }
}

/// Filters and a limit as the address has them.
fn pairs(only: &[String], limit: usize) -> Vec<(&'static str, String)> {
    let filters = only.iter().map(|filter| ("only", filter.clone()));
    filters.chain([("limit", limit.to_string())]).collect()
}
