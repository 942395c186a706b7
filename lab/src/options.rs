//! What a lab shall look like.

use std::time::Duration;

use crate::Error;

/// How a lab is built. `Options::default()` is what the demo uses.
#[derive(Clone, Debug)]
pub struct Options {
    /// Seeds ports, MAC addresses and the habits of the injector.
    pub seed: u64,
    /// Which IP version the scenarios speak. Both are always configured.
    pub family: Family,
    /// One-way delays of the two long legs.
    pub delays: Delays,
    /// Which side of the firewall is copied to the tap.
    pub tap_point: TapPoint,
    /// Routers between the firewall and the server, 1 to 4: a server's packet arrives at the client-side tap with
    /// a hop limit of 64 − 1 − this, the firewall's own with 64.
    pub routers_behind_firewall: usize,
    /// How long the scenario `idle_session_forgotten` stays silent; the firewall forgets after a third of it.
    pub idle: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 1,
            family: Family::Mixed,
            delays: Delays::default(),
            tap_point: TapPoint::ClientSide,
            routers_behind_firewall: 2,
            idle: Duration::from_secs(31),
        }
    }
}

impl Options {
    pub(crate) fn check(&self) -> Result<(), Error> {
        let longest = Duration::from_millis(200);
        for (option, delay) in [
            ("delays.client_leg", self.delays.client_leg),
            ("delays.server_leg", self.delays.server_leg),
        ] {
            if delay > longest {
                let expected = "at most 200 ms, because the scenarios wait for round trips";
                return Err(Error::Option { option, value: format!("{delay:?}"), expected });
            }
        }
        if !(1..=4).contains(&self.routers_behind_firewall) {
            let value = self.routers_behind_firewall.to_string();
            return Err(Error::Option {
                option: "routers_behind_firewall",
                value,
                expected: "1 to 4",
            });
        }
        if !(Duration::from_secs(3)..=Duration::from_secs(3600)).contains(&self.idle) {
            let value = format!("{:?}", self.idle);
            return Err(Error::Option { option: "idle", value, expected: "3 s to 1 h" });
        }
        Ok(())
    }
}

/// One-way delays, at most 200 ms each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delays {
    /// Between the client's router and the firewall.
    pub client_leg: Duration,
    /// Between the firewall and the first router behind it.
    pub server_leg: Duration,
}

impl Default for Delays {
    fn default() -> Self {
        Self { client_leg: Duration::from_millis(8), server_leg: Duration::from_millis(15) }
    }
}

impl Delays {
    /// Round trip between client and server, without the time in the kernels.
    pub fn round_trip(self) -> Duration {
        2 * (self.client_leg + self.server_leg)
    }
}

/// Which IP version the scenarios speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
    /// Every other scenario speaks IPv6, the first one IPv4.
    Mixed,
}

/// Where the copy for the sensor is taken.
///
/// The scenarios are written for the client's side: there each of them shows its reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TapPoint {
    /// The firewall's interface toward the client: holds what the firewall sends to the client.
    ClientSide,
    /// The firewall's interface toward the server: holds what the firewall sends to the server.
    ServerSide,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_can_be_built_and_nonsense_cannot() {
        assert!(Options::default().check().is_ok());
        assert!(Options { routers_behind_firewall: 0, ..Options::default() }.check().is_err());
        assert!(Options { idle: Duration::ZERO, ..Options::default() }.check().is_err());
        let delays = Delays { client_leg: Duration::from_secs(1), ..Delays::default() };
        assert!(Options { delays, ..Options::default() }.check().is_err());
    }
}
