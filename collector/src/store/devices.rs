//! Boxes in the path that sent resets, added up from the events that are kept.

use std::collections::{BTreeMap, BTreeSet};

use events::{Endpoint, Event, UtcTime};

use super::Reading;
use super::error::StoreError;
use super::row::{self, Stored};
use super::search::{ANY, page};
use super::tally::{named_rows, worst_first};
use crate::history::{Ask, DeviceRow};
use crate::impacts::ImpactCounts;

impl Reading<'_> {
    /// # Errors
    /// The store cannot be read, or not in time.
    pub(super) fn devices(&self, ask: &Ask) -> Result<Vec<DeviceRow>, StoreError> {
        let mut devices: BTreeMap<DeviceKey, DeviceTally> = BTreeMap::new();
        self.each_newest(ask, row::HAS_DEVICE, |sensor, event| {
            let Some(device) = event.context.as_ref().and_then(|context| context.device.as_ref())
            else {
                return;
            };
            let name = format!("device {}", device.id);
            let key = (sensor.to_owned(), name, device.first.0);
            devices.entry(key).or_default().add(event, Some(device.hops));
        })?;
        self.each_event(ask, ANY, |volume, event| {
            if event.origin.is_device() && !event.has_device {
                let sensor = volume.words.sensor(event.sensor).to_owned();
                let key = (sensor, event.origin.name().to_owned(), 0);
                devices.entry(key).or_default().add_stored(event);
            }
            Ok(())
        })?;
        let mut rows: Vec<DeviceRow> =
            devices.into_iter().map(|(key, tally)| tally.row(key)).collect();
        rows.sort_by(|left, right| worst_first(&left.resets, &right.resets));
        Ok(page(rows, ask))
    }
}

/// Sensor, name and first reset of a device: its number begins anew with every run of the sensor.
type DeviceKey = (String, String, u64);

#[derive(Default)]
struct DeviceTally {
    hops: Option<Option<u8>>,
    resets: ImpactCounts,
    causes: BTreeMap<&'static str, ImpactCounts>,
    servers: BTreeSet<Endpoint>,
    last: UtcTime,
    example: String,
}

impl DeviceTally {
    fn add(&mut self, event: &Event, hops: Option<u8>) {
        let verdict = &event.verdict;
        self.resets.add(verdict.impact, 1);
        self.causes.entry(verdict.cause.name()).or_default().add(verdict.impact, 1);
        self.servers.insert(event.server);
        self.hops =
            Some(self.hops.map_or(hops, |known| known.filter(|known| Some(*known) == hops)));
        if event.ts >= self.last {
            (self.last, self.example) = (event.ts, event.id.clone());
        }
    }

    fn add_stored(&mut self, event: &Stored) {
        self.resets.add(event.impact, 1);
        self.causes.entry(event.cause.name()).or_default().add(event.impact, 1);
        self.servers.insert(event.server);
        if event.ts >= self.last {
            (self.last, self.example) = (event.ts, format!("{:016x}", event.id));
        }
    }

    fn row(self, (sensor, device, _): DeviceKey) -> DeviceRow {
        let causes = self.causes.iter().map(|(name, counts)| (*name, counts));
        DeviceRow {
            sensor,
            device,
            hops: self.hops.flatten(),
            resets: self.resets,
            causes: named_rows(causes),
            servers: self.servers.len() as u64,
            last: self.last,
            example: self.example,
        }
    }
}
