//! ClickHouse as a past that is asked.

use events::{Evidence, ServerRange};

use super::{ClickHouse, ClickHouseError};
use crate::history::{
    Ask, BurstRow, DeviceRow, DisagreementRow, EventDetail, EventList, IdleHistogram, OFFSET_MAX,
    Overview, RowList, SensorRow, ServerDetail, ServerList,
};
use crate::order::ServerOrder;
use crate::past::{NO_EVENT, NO_EVIDENCE, NO_SERVER, NoAnswer, Past, unknown};
use crate::store::StoreError;

impl Past for ClickHouse {
    fn overview(&self, ask: &Ask) -> Result<Overview, NoAnswer> {
        Ok(Self::overview(self, ask)?)
    }

    fn servers(&self, ask: &Ask, order: &ServerOrder) -> Result<ServerList, NoAnswer> {
        Ok(Self::servers(self, ask, order)?)
    }

    fn server(&self, server: ServerRange, ask: &Ask) -> Result<ServerDetail, NoAnswer> {
        Self::server(self, server, ask)?.ok_or_else(|| unknown(NO_SERVER))
    }

    fn idle(&self, ask: &Ask) -> Result<IdleHistogram, NoAnswer> {
        Ok(Self::idle(self, ask)?)
    }

    fn events(&self, ask: &Ask) -> Result<EventList, NoAnswer> {
        if ask.offset > OFFSET_MAX {
            return Err(StoreError::TooFar { offset: ask.offset }.into());
        }
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

impl From<ClickHouseError> for NoAnswer {
    fn from(error: ClickHouseError) -> Self {
        Self::Later(format!(
            "{error} (if it took too long, ask for a shorter time, fewer rows or one server, or raise timeout_s \
             of store.clickhouse; \"curl {}/ping\" tells whether the server lives)",
            error.url()
        ))
    }
}
