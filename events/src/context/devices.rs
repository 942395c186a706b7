//! A device in the path, as it is told.

use classifiers::{DeviceFacts, IdLineFacts};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::Side;
use crate::sentence::{counted, span_text};
use crate::time::UtcTime;

/// A device that resets in others' names.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct DeviceItem {
    /// Its number in this run, from 1.
    pub id: u32,
    /// Its resets so far.
    pub resets: u32,
    /// Resets of it that went to both ends of their connection.
    pub both_ends: u32,
    /// Hosts in whose names it reset; 32 for 32 or more.
    pub senders: u8,
    /// Hosts that it reset; 32 for 32 or more.
    pub victims: u8,
    /// Routers between it and the sensor, if it begins with a usual hop limit.
    pub hops: u8,
    /// On whose side of the sensor it sits.
    pub side: Side,
    /// It is at most so far away, one way; absent if it never answered too soon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub one_way_ms_max: Option<f64>,
    /// Its resets share one IP-ID counter.
    pub id_line: bool,
    /// Times that the counter began anew elsewhere.
    pub id_jumps: u32,
    /// Its first reset.
    pub first: UtcTime,
    /// Its last reset.
    pub last: UtcTime,
}

impl From<&DeviceFacts> for DeviceItem {
    fn from(facts: &DeviceFacts) -> Self {
        let [first, last] = facts.seen.map(|time| UtcTime(time.0));
        Self {
            id: facts.device,
            resets: facts.resets,
            both_ends: facts.both_ends,
            senders: facts.senders,
            victims: facts.victims,
            hops: facts.hops,
            side: if facts.on_server_side { Side::Server } else { Side::Client },
            one_way_ms_max: facts.one_way_ns_max.map(|ns| (ns as f64 / 1e3).ceil() / 1e3),
            id_line: facts.has_id_line,
            id_jumps: facts.jumps,
            first,
            last,
        }
    }
}

impl DeviceItem {
    /// Whether it did more than the one reset that is told anyway: one says little of where its
    /// device sits.
    pub(super) const fn is_known(&self) -> bool {
        self.resets > 1
    }

    /// The same with its number.
    pub(super) fn sentence(&self) -> String {
        format!("Device {} of this run sits {}.", self.id, self.text())
    }

    /// Where it is and what it did, in words.
    pub(super) fn text(&self) -> String {
        let place = match self.hops {
            0 => "on this link".to_owned(),
            hops => format!("between hop {hops} and {}", u16::from(hops) + 1),
        };
        let bound = self.one_way_ms_max.map_or_else(String::new, |ms| {
            format!(", at most {} from this sensor", span_text(ms / 1e3))
        });
        let side = self.side.name();
        let both = match self.both_ends {
            0 => String::new(),
            both => format!(", {both} of them to both ends"),
        };
        let line = match (self.id_line, self.id_jumps) {
            (false, _) => String::new(),
            (true, 0) => "; one IP-ID counter".to_owned(),
            (true, jumps) => {
                format!("; one IP-ID counter, begun anew {}", counted(u64::from(jumps), "time"))
            }
        };
        format!(
            "{place}{bound}, on the {side}'s side: {} in the name of {}, to {}{both}{line}",
            counted(u64::from(self.resets), "reset"),
            at_least(self.senders, "host"),
            at_least(self.victims, "host"),
        )
    }
}

fn at_least(count: u8, noun: &str) -> String {
    let more = if count >= DeviceFacts::MANY { " or more" } else { "" };
    format!("{count}{more} {noun}{}", if count == 1 { "" } else { "s" })
}

/// One IP-ID counter behind resets in several names.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct IdLineItem {
    /// Resets on it.
    pub resets: u32,
    /// Hosts in whose names they were although their own packets come from elsewhere; 8 for more.
    pub senders: u8,
    /// IP ID of a neighbour of this reset on the line.
    pub neighbour: u16,
}

impl IdLineItem {
    pub(super) fn sentence(&self) -> String {
        format!(
            "Its IP ID lies on one counter, next to {}, with {} in the name of {} that sit elsewhere.",
            self.neighbour,
            counted(u64::from(self.resets), "reset"),
            counted(u64::from(self.senders), "host")
        )
    }
}

impl From<&IdLineFacts> for IdLineItem {
    fn from(facts: &IdLineFacts) -> Self {
        Self { resets: facts.resets, senders: facts.senders, neighbour: facts.neighbour }
    }
}

#[cfg(test)]
mod tests {
    use super::DeviceItem;
    use crate::event::Side;
    use crate::time::UtcTime;

    #[test]
    fn a_device_is_placed_and_counted_in_one_sentence() {
        let mut device = DeviceItem {
            id: 1,
            resets: 41,
            both_ends: 0,
            senders: 32,
            victims: 9,
            hops: 3,
            side: Side::Server,
            one_way_ms_max: Some(1.1),
            id_line: true,
            id_jumps: 0,
            first: UtcTime(0),
            last: UtcTime(0),
        };
        assert_eq!(
            device.text(),
            "between hop 3 and 4, at most 1.10 ms from this sensor, on the server's side: 41 resets in \
             the name of 32 or more hosts, to 9 hosts; one IP-ID counter"
        );
        (device.hops, device.one_way_ms_max, device.resets) = (0, None, 1);
        (device.senders, device.victims, device.both_ends, device.id_line) = (1, 1, 1, false);
        assert_eq!(
            device.text(),
            "on this link, on the server's side: 1 reset in the name of 1 host, to 1 host, 1 of \
             them to both ends"
        );
    }
}
