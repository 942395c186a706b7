//! Whom to ask: the API of a running process, or a store's directory.

use std::path::Path;

use anyhow::{Context as _, anyhow};
use collector::{
    BurstRow, DeviceRow, DisagreementRow, EventDetail, EventList, IdleHistogram, Overview, RowList,
    SensorRow, ServerDetail, ServerList, Store,
};
use events::ServerRange;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::words::{View, Words};
use crate::client::{Client, ClientArguments};

/// Who answers.
pub(super) enum Source {
    Api(Box<Client>),
    Files(Box<Store>),
}

/// An answer, whoever gave it.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Answer {
    Overview(Overview),
    Servers(ServerList),
    Server(Box<ServerDetail>),
    Events(EventList),
    Event(Box<EventDetail>),
    Idle(IdleHistogram),
    Bursts(RowList<BurstRow>),
    Devices(RowList<DeviceRow>),
    Sensors(Vec<SensorRow>),
    Disagreements(RowList<DisagreementRow>),
}

impl Source {
    /// # Errors
    /// `base` is no URL, or a file that it wants cannot be read.
    pub(super) fn of_api(base: &str, arguments: &ClientArguments) -> anyhow::Result<Self> {
        Ok(Self::Api(Box::new(Client::new(base, arguments)?)))
    }

    /// # Errors
    /// There is no store.
    pub(super) fn of_files(directory: &Path) -> anyhow::Result<Self> {
        Ok(Self::Files(Box::new(Store::open_to_read(directory)?)))
    }

    /// # Errors
    /// Nobody answers, the store cannot be read, or there is no such thing.
    pub(super) fn answer(&self, words: &Words) -> anyhow::Result<Answer> {
        match self {
            Self::Api(client) => ask_api(client, words),
            Self::Files(store) => ask_files(store, words),
        }
    }
}

fn ask_files(store: &Store, words: &Words) -> anyhow::Result<Answer> {
    let ask = &words.ask;
    Ok(match &words.view {
        View::Overview => Answer::Overview(store.overview(ask)?),
        View::Servers => Answer::Servers(store.servers(ask)?),
        View::Server(server) => {
            let found = store.server(*server, ask)?;
            Answer::Server(Box::new(found.with_context(|| nothing(*server))?))
        }
        View::Events => Answer::Events(store.history(ask)?),
        View::Event(id) => {
            let found = store.event(id)?;
            let lost = || format!("no event {id:?} is kept; \"rstscope query events\" lists them");
            Answer::Event(Box::new(found.with_context(lost)?))
        }
        View::Idle => Answer::Idle(store.idle(ask)?),
        View::Bursts => Answer::Bursts(store.bursts(ask)?),
        View::Devices => Answer::Devices(store.devices(ask)?),
        View::Sensors => Answer::Sensors(store.sensors()?),
        View::Disagreements => Answer::Disagreements(store.disagreements(ask)?),
    })
}

fn nothing(server: ServerRange) -> String {
    format!("nothing is known of {} in that time", super::sheet::server(server))
}

fn ask_api(client: &Client, words: &Words) -> anyhow::Result<Answer> {
    let ask = &words.ask;
    let mut pairs = vec![
        ("from", ask.from.to_string()),
        ("to", ask.to.to_string()),
        ("limit", ask.limit.to_string()),
        ("offset", ask.offset.to_string()),
    ];
    pairs.extend(ask.sensor.iter().map(|sensor| ("sensor", sensor.clone())));
    pairs.extend(words.conditions.iter().map(|condition| ("only", condition.clone())));
    Ok(match &words.view {
        View::Overview => Answer::Overview(get(client, "overview", &pairs)?),
        View::Servers => Answer::Servers(get(client, "servers", &pairs)?),
        View::Server(server) => {
            // An address may hold brackets and a slash.
            let name = super::sheet::server(*server);
            let name = name.replace('[', "%5B").replace(']', "%5D").replace('/', "%2F");
            Answer::Server(Box::new(get(client, &format!("servers/{name}"), &pairs)?))
        }
        View::Events => Answer::Events(get(client, "history", &pairs)?),
        View::Event(id) => {
            let is_plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric());
            let id = if is_plain { id.as_str() } else { "0" };
            Answer::Event(Box::new(get(client, &format!("history/{id}"), &[])?))
        }
        View::Idle => Answer::Idle(get(client, "idle", &pairs)?),
        View::Bursts => Answer::Bursts(get(client, "bursts", &pairs)?),
        View::Devices => Answer::Devices(get(client, "devices", &pairs)?),
        View::Sensors => Answer::Sensors(get(client, "sensors", &[])?),
        View::Disagreements => Answer::Disagreements(get(client, "disagreements", &pairs)?),
    })
}

fn get<T: DeserializeOwned>(
    client: &Client,
    name: &str,
    pairs: &[(&str, String)],
) -> anyhow::Result<T> {
    client.get(&format!("/api/v1/{name}"), pairs).map_err(|why| anyhow!(why))
}
