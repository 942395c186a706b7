//! What the sensor may be told: its part of the command line, and of the configuration.

use clap::{Args, ValueEnum};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the sensor may be told.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Sensor")]
pub(crate) struct SensorArguments {
    /// Seed of the Community ID [default: 0]; must be that of the other tools
    #[arg(long, value_name = "SEED")]
    pub(crate) community_id_seed: Option<u16>,
    /// Connections remembered at a time, rounded up to a power of two; 132 bytes each
    #[arg(long, value_name = "N", value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(16..=1 << 28))]
    pub(crate) flows: Option<usize>,
    /// What tells connections apart besides addresses and ports; many networks give the two
    /// directions of one connection different tags and tunnel numbers
    #[arg(long, value_enum, value_name = "PART", value_delimiter = ',')]
    pub(crate) key_scope: Vec<KeyPart>,
    /// Which packets are looked at. `control` is for links too fast for all of them: SYN, FIN and RST,
    /// the first segments of each direction, then one a second, and all for 5 s after an end; the
    /// network driver leaves out the rest. What is not known then is said so. Captures are read as
    /// such a link would have shown them
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(crate) capture: Option<CaptureChoice>,
    /// With --capture control: segments of a direction that are seen at once
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    pub(crate) first_packets: Option<u8>,
    /// What is kept of the server names that clients ask for (TLS SNI, HTTP Host), to tell resets by
    /// name from others; a hash cannot be turned back and differs from run to run. Names bear on
    /// the cause only, never on who sent a reset
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(crate) names: Option<NamesChoice>,
}

/// Values of --names.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum NamesChoice {
    /// Nothing: names are not read
    Off,
    /// A keyed hash
    #[default]
    Hash,
    /// The names themselves, in memory and in reports
    Plain,
}

/// Values of --capture.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CaptureChoice {
    /// All TCP
    #[default]
    All,
    /// What begins and ends connections, and a ration of the rest
    Control,
}

/// Values of --key-scope.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum KeyPart {
    /// The VLAN identifiers
    Vlan,
    /// The innermost tunnel
    Tunnel,
}
