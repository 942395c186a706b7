//! A built lab: the hosts, the witness, and the order to play scenarios.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use crate::kernel::{KernelReset, Witness};
use crate::options::{Delays, Family, Options};
use crate::scenario::{Scenario, Stage};
use crate::topology::{TAP_INTERFACE, Topology};
use crate::truth::Truth;
use crate::{Error, Namespace};

/// Namespaces with real kernels, joined to a network with a firewall and a tap.
///
/// It may be shared between threads. Dropping it removes everything; so does the end of the process.
#[derive(Debug)]
pub struct Lab {
    options: Options,
    topology: Topology,
    witness: Result<Witness, String>,
    runs: AtomicU64,
    /// Serialises changes of rules; holds the chains that were made.
    settings: Mutex<HashSet<(Place, String)>>,
}

/// Scenarios played at the same time: they mostly wait, but two cores shall keep the time of a path.
const PLAYERS_MAX: usize = 40;

/// What the kernel says may still be in its pipe for this long after a scenario.
const WITNESS_DELAY: Duration = Duration::from_millis(60);

impl Lab {
    /// Builds the network. Needs root, `ip`, `tc`, `nft` and `ethtool`; takes about a third of a second.
    pub fn build(options: &Options) -> Result<Self, Error> {
        options.check()?;
        let topology = Topology::build(options)?;
        // Without a tracing file system the lab still works; every truth then says that no kernel was heard.
        let witness = Witness::start();
        let lab = Self {
            options: options.clone(),
            topology,
            witness,
            runs: AtomicU64::new(0),
            settings: Mutex::default(),
        };
        lab.prepare_firewall()?;
        Ok(lab)
    }

    /// Name of the interface on which the sensor listens, inside [`Lab::tap_namespace`].
    pub fn tap_interface(&self) -> &'static str {
        TAP_INTERFACE
    }

    /// The namespace of the tap, as a path to open and to give to `setns`. Valid while the lab lives.
    pub fn tap_namespace(&self) -> PathBuf {
        self.topology.tap().path()
    }

    /// The host of the tap: [`Namespace::run`] runs a closure in it, `AsFd` gives the descriptor for `setns`.
    pub fn tap(&self) -> &Namespace {
        self.topology.tap()
    }

    /// One-way delays of the legs.
    pub fn delays(&self) -> Delays {
        self.options.delays
    }

    /// Why no kernel can be heard here, if so.
    pub fn kernel_silence(&self) -> Option<&str> {
        self.witness.as_ref().err().map(String::as_str)
    }

    /// Frames the delaying wires lost; 0 unless the machine is badly overloaded.
    pub fn frames_lost(&self) -> u64 {
        self.topology.frames_lost()
    }

    /// Resets the kernels of the lab said they sent in the flow between these two.
    pub fn kernel_resets(&self, one: SocketAddr, other: SocketAddr) -> Vec<KernelReset> {
        self.witness.as_ref().map_or_else(|_| Vec::new(), |witness| witness.about(one, other))
    }

    /// Resets the kernels of the lab said they sent on connections from or to `end`.
    pub(crate) fn kernel_resets_at(&self, end: SocketAddr) -> Vec<KernelReset> {
        self.witness.as_ref().map_or_else(|_| Vec::new(), |witness| witness.at(end))
    }

    /// Plays one scenario to its end and says what was done. May be called from several threads at once.
    pub fn run(&self, scenario: Scenario) -> Result<Vec<Truth>, Error> {
        self.play(scenario, &self.stage(scenario))
    }

    /// Plays several scenarios at once, [`PLAYERS_MAX`] of them; `finished` is called as each ends, from the thread
    /// that played it.
    pub fn run_all<F>(&self, scenarios: &[Scenario], finished: F)
    where
        F: Fn(Scenario, Result<Vec<Truth>, Error>) + Sync,
    {
        // Addresses and ports are given out in the order of the list, whatever thread runs first.
        let stages: Vec<_> =
            scenarios.iter().map(|&scenario| (scenario, self.stage(scenario))).collect();
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..stages.len().min(PLAYERS_MAX) {
                scope.spawn(|| {
                    while let Some((scenario, stage)) =
                        stages.get(next.fetch_add(1, Ordering::Relaxed))
                    {
                        finished(*scenario, self.play(*scenario, stage));
                    }
                });
            }
        });
    }

    fn play(&self, scenario: Scenario, stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
        let mut truths = scenario.play(stage)?;
        // A last reset may still be on its way to the tap, and the kernel's word on its way to us.
        std::thread::sleep(WITNESS_DELAY + self.options.delays.round_trip());
        for truth in &mut truths {
            truth.kernel_heard = self.witness.is_ok();
            if matches!(truth.origin, "client" | "server") && !truth.by_hand {
                let not_before = truth.since.map_or(Duration::ZERO, uptime_at);
                let heard = self.kernel_resets(truth.client, truth.server).into_iter();
                truth.kernel_reason =
                    heard.filter(|reset| reset.uptime >= not_before).map(|r| r.reason).next();
                truth.narrow_by_kernel();
            }
        }
        Ok(truths)
    }

    fn stage(&self, scenario: Scenario) -> Stage<'_> {
        let number = self.runs.fetch_add(1, Ordering::Relaxed);
        let v6 = match self.options.family {
            Family::V4 => false,
            Family::V6 => true,
            Family::Mixed => number % 2 == 1,
        };
        Stage::new(self, scenario, number, v6, self.options.seed)
    }

    /// Empty tables that rules can be hung into, and a connection tracker that forgets soon and forgives nothing.
    fn prepare_firewall(&self) -> Result<(), Error> {
        for place in [Place::Firewall, Place::ClientRouter] {
            self.rules(place, TABLE)?;
        }
        let forgotten_s = (self.options.idle.as_secs() / 3).max(1).to_string();
        self.topology.firewall().sysctl(&[
            ("net/netfilter/nf_conntrack_tcp_timeout_established", &forgotten_s),
            // A packet in the middle of an unknown connection is invalid, not a new connection.
            ("net/netfilter/nf_conntrack_tcp_loose", "0"),
        ])
    }

    /// The namespaces.
    pub(crate) fn topology(&self) -> &Topology {
        &self.topology
    }

    /// How long an idle session is left alone.
    pub(crate) fn idle(&self) -> Duration {
        self.options.idle
    }

    /// Loads rules (`nft(8)`).
    pub(crate) fn rules(&self, place: Place, rules: &str) -> Result<(), Error> {
        let _one_at_a_time = self.settings.lock().unwrap_or_else(PoisonError::into_inner);
        self.nft(place, rules)
    }

    /// Adds a rule to `chain`, which is made and joined to the base chain (name, definition) if it is new.
    pub(crate) fn hang(
        &self,
        place: Place,
        (base, definition): (&str, &str),
        chain: &str,
        rule: &str,
    ) -> Result<(), Error> {
        let mut chains = self.settings.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rules = String::new();
        if chains.insert((place, chain.to_owned())) {
            rules = format!(
                "add chain inet lab {base} {{ {definition} }}\nadd chain inet lab {chain}\n\
                 add rule inet lab {base} jump {chain}\n"
            );
        }
        rules.push_str(&format!("add rule inet lab {chain} {rule}\n"));
        self.nft(place, &rules)
    }

    fn nft(&self, place: Place, rules: &str) -> Result<(), Error> {
        let host = match place {
            Place::Firewall => self.topology.firewall(),
            Place::ClientRouter => self.topology.client_router(),
        };
        host.tool("nft", &["-f", "-"], rules).map(drop)
    }
}

/// Where rules can be hung in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    /// Between tap and server: what it sends to the client passes the tap.
    Firewall,
    /// In front of the tap: what it drops on the way to the client has passed the tap.
    ClientRouter,
}

/// Its chains come with the first rule in them: a chain that translates addresses wakes the connection tracker.
const TABLE: &str = "table inet lab { }\n";

/// Uptime (`CLOCK_MONOTONIC`) at a time since the epoch. The two clocks are compared now; a second's step of the
/// epoch in between would be noticed by more than us.
fn uptime_at(since_epoch: Duration) -> Duration {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let uptime = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC)
        .map_or(Duration::ZERO, Duration::from);
    uptime.saturating_sub(now.saturating_sub(since_epoch))
}
