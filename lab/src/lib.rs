//! Real resets: namespaces with real kernels that make labelled resets.
//!
//! A [`Lab`] is a small network made of anonymous network namespaces: a client, its router, a firewall, one or
//! more routers and a server, each a real Linux TCP/IP stack, with two long wires on both sides of the firewall.
//! One interface of the firewall is copied to a tap, where a sensor, a test or a [`Recorder`] listens. A
//! [`Scenario`] makes real sockets, real firewall rules or a forging device reset a connection and returns the
//! [`Truth`]: who did it and why, with the word of the kernel that sent the reset.
//!
//! ```no_run
//! use lab::{Lab, Options, Scenario};
//! let lab = Lab::build(&Options::default())?;
//! for truth in lab.run(Scenario::Refused)? {
//!     assert_eq!((truth.origin, truth.cause), ("server", "port_closed"));
//! }
//! # Ok::<(), lab::Error>(())
//! ```
//!
//! A sensor that shall watch live moves a thread into [`Lab::tap_namespace`] and listens on [`Lab::tap_interface`];
//! then [`Lab::run_all`] plays the scenarios at once and hands over each truth as soon as it is known.
//!
//! Map:
//! - `lab`: the built network and how scenarios are played; `options`: what it shall look like.
//! - `topology`: hosts, wires, tap; on `namespace`, `address`, `delay` and `packet_socket`.
//! - `scenario`: the catalogue, and one file for each family of recipes.
//! - `endpoint`: the sockets of both ends; `injector`: the device that forges, `forgery`: how its resets look;
//!   `hand`: a TCP of our own; `frame`: raw segments.
//! - `software`: real servers and their idle timers; `flood`: innocents by the thousand; `damage`: what bad taps do.
//! - `kernel`: the trace point that names the reason; `truth`: the labels; `record`: captures with labels.
//!
//! **Invariant:** nothing is left behind, even when the process is killed: no namespace has a name, and the tracing
//! instance is removed by a janitor that outlives us for a moment. Only `tracefs`, if nobody had mounted it, stays
//! mounted on `/sys/kernel/tracing`.
//! **Invariant:** this crate knows nothing of the sensor: its truths come from what was done, never from a verdict.

#![forbid(unsafe_code)]

mod address;
mod damage;
mod delay;
mod endpoint;
mod error;
mod flood;
mod forgery;
mod frame;
mod hand;
mod injector;
mod kernel;
mod lab;
mod namespace;
mod options;
mod packet_socket;
mod random;
mod record;
mod scenario;
mod software;
mod topology;
mod truth;

pub use damage::{Damage, DamageKind, Damaged};
pub use error::Error;
pub use flood::{Flood, Flooded};
pub use frame::Seen;
pub use kernel::KernelReset;
pub use lab::Lab;
pub use namespace::Namespace;
pub use options::{Delays, Family, Options, TapPoint};
pub use record::{Recorder, Recording, record};
pub use scenario::Scenario;
pub use truth::{ORIGINS, Placed, Truth};
