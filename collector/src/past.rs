//! The questions that a store of the past answers, whichever store it is.

use events::{Evidence, ServerRange};

use crate::clickhouse::{ClickHouse, ClickHouseError};
use crate::history::{
    Ask, BurstRow, DeviceRow, DisagreementRow, EventDetail, EventList, IdleHistogram, Overview,
    RowList, SensorRow, ServerDetail, ServerList,
};
use crate::order::ServerOrder;
use crate::store::{Store, StoreError};

/// What is asked of the past. Answers may take seconds: each is asked for in a thread that may wait.
pub trait Past: Send + Sync {
    /// What happened, the denominator beside it.
    ///
    /// # Errors
    /// As [`NoAnswer`] says.
    fn overview(&self, ask: &Ask) -> Result<Overview, NoAnswer>;

    /// Servers, in an order.
    ///
    /// # Errors
    /// As [`NoAnswer`] says.
    fn servers(&self, ask: &Ask, order: &ServerOrder) -> Result<ServerList, NoAnswer>;

    /// One server.
    ///
    /// # Errors
    /// As [`NoAnswer`] says.
    fn server(&self, server: ServerRange, ask: &Ask) -> Result<ServerDetail, NoAnswer>;

    /// Silences before resets.
    ///
    /// # Errors
    /// As [`NoAnswer`] says.
    fn idle(&self, ask: &Ask) -> Result<IdleHistogram, NoAnswer>;

    /// Events, newest first.
    ///
    /// # Errors
    /// As [`NoAnswer`] says.
    fn events(&self, ask: &Ask) -> Result<EventList, NoAnswer>;

    /// One event.
    ///
    /// # Errors
    /// As [`NoAnswer`] says.
    fn event(&self, id: &str) -> Result<EventDetail, NoAnswer>;

    /// The packets of an event.
    ///
    /// # Errors
    /// As [`NoAnswer`] says.
    fn evidence(&self, id: &str) -> Result<Evidence, NoAnswer>;

    /// Many connections cut together.
    ///
    /// # Errors
    /// As [`NoAnswer`] says.
    fn bursts(&self, ask: &Ask) -> Result<RowList<BurstRow>, NoAnswer>;

    /// Devices in the path that sent resets.
    ///
    /// # Errors
    /// As [`NoAnswer`] says.
    fn devices(&self, ask: &Ask) -> Result<RowList<DeviceRow>, NoAnswer>;

    /// Who sends.
    ///
    /// # Errors
    /// As [`NoAnswer`] says.
    fn sensors(&self) -> Result<Vec<SensorRow>, NoAnswer>;

    /// Sessions whose logged culprit is wrong.
    ///
    /// # Errors
    /// As [`NoAnswer`] says.
    fn disagreements(&self, ask: &Ask) -> Result<RowList<DisagreementRow>, NoAnswer>;
}

/// Why a question has no answer; texts are for the one who asked, with what to do.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NoAnswer {
    /// It cannot be meant, or not be answered by what is kept.
    #[error("{0}")]
    Wrong(String),
    /// There is no such thing, or no longer.
    #[error("{0}")]
    Unknown(String),
    /// Not now: it took too long, or the store is busy or damaged.
    #[error("{0}")]
    Later(String),
}

/// A store that has a method of its own for each question: its errors, and what it does not know of, become [`NoAnswer`].
macro_rules! answers_by_own_methods {
    ($store:ty) => {
        impl Past for $store {
            fn overview(&self, ask: &Ask) -> Result<Overview, NoAnswer> {
                Ok(Self::overview(self, ask)?)
            }

            fn servers(&self, ask: &Ask, order: &ServerOrder) -> Result<ServerList, NoAnswer> {
                Ok(self.servers_by(ask, order)?)
            }

            fn server(&self, server: ServerRange, ask: &Ask) -> Result<ServerDetail, NoAnswer> {
                Self::server(self, server, ask)?.ok_or_else(|| unknown(NO_SERVER))
            }

            fn idle(&self, ask: &Ask) -> Result<IdleHistogram, NoAnswer> {
                Ok(Self::idle(self, ask)?)
            }

            fn events(&self, ask: &Ask) -> Result<EventList, NoAnswer> {
                Ok(self.history(ask)?)
            }

            fn event(&self, id: &str) -> Result<EventDetail, NoAnswer> {
                Self::event(self, id)?.ok_or_else(|| unknown(NO_EVENT))
            }

            fn evidence(&self, id: &str) -> Result<Evidence, NoAnswer> {
                Self::evidence(self, id)?.ok_or_else(|| unknown(NO_EVIDENCE))
            }

            fn bursts(&self, ask: &Ask) -> Result<RowList<BurstRow>, NoAnswer> {
                Ok(Self::bursts(self, ask)?)
            }

            fn devices(&self, ask: &Ask) -> Result<RowList<DeviceRow>, NoAnswer> {
                Ok(Self::devices(self, ask)?)
            }

            fn sensors(&self) -> Result<Vec<SensorRow>, NoAnswer> {
                Ok(Self::sensors(self)?)
            }

            fn disagreements(&self, ask: &Ask) -> Result<RowList<DisagreementRow>, NoAnswer> {
                Ok(Self::disagreements(self, ask)?)
            }
        }
    };
}

answers_by_own_methods!(Store);
answers_by_own_methods!(ClickHouse);

impl From<StoreError> for NoAnswer {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::TooFar { .. } => Self::Wrong(error.to_string()),
            _ => Self::Later(error.to_string()),
        }
    }
}

impl From<ClickHouseError> for NoAnswer {
    fn from(error: ClickHouseError) -> Self {
        match error {
            ClickHouseError::TooFar(_) => Self::Wrong(error.to_string()),
            _ => Self::Later(format!(
                "{error} (if it took too long, ask for a shorter time, fewer rows or one server, or raise \
                 timeout_s of store.clickhouse; \"curl {}/ping\" tells whether the server lives)",
                error.url()
            )),
        }
    }
}

fn unknown(text: &str) -> NoAnswer {
    NoAnswer::Unknown(text.to_owned())
}

const NO_SERVER: &str =
    "this server had no connection and no reset in the time asked for; ask for a longer time";
const NO_EVENT: &str = "no such event is kept: it never came here, or its day is over";
const NO_EVIDENCE: &str = "its packets are not kept: evidence is off at the sensor, not sent for this kind of reset, or newer packets \
                           took its place";
