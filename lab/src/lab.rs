//! A built lab: the hosts, the witness, and the order to play scenarios.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

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
    /// Serialises changes of the firewall's rules.
    settings: Mutex<()>,
}

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
            settings: Mutex::new(()),
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

    /// Plays several scenarios at once; `finished` is called as each ends, from its own thread.
    pub fn run_all<F>(&self, scenarios: &[Scenario], finished: F)
    where
        F: Fn(Scenario, Result<Vec<Truth>, Error>) + Sync,
    {
        std::thread::scope(|scope| {
            for &scenario in scenarios {
                // Addresses and ports are given out in the order of the list, whatever thread runs first.
                let stage = self.stage(scenario);
                let finished = &finished;
                scope.spawn(move || finished(scenario, self.play(scenario, &stage)));
            }
        });
    }

    fn play(&self, scenario: Scenario, stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
        let mut truths = scenario.play(stage)?;
        // A last reset may still be on its way to the tap, and the kernel's word on its way to us.
        std::thread::sleep(WITNESS_DELAY + self.options.delays.round_trip());
        for truth in &mut truths {
            truth.kernel_heard = self.witness.is_ok();
            if matches!(truth.origin, "client" | "server") {
                let mut heard = self.kernel_resets(truth.client, truth.server).into_iter();
                truth.kernel_reason = heard.next().map(|reset| reset.reason);
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

    /// An empty table that rules can be hung into, and a connection tracker that forgets soon and forgives nothing.
    fn prepare_firewall(&self) -> Result<(), Error> {
        self.firewall_rules(
            "table inet lab {\n chain forward { type filter hook forward priority 0; }\n}\n",
        )?;
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

    /// Loads rules into the firewall (`nft(8)`).
    pub(crate) fn firewall_rules(&self, rules: &str) -> Result<(), Error> {
        let _one_at_a_time = self.settings.lock().unwrap_or_else(PoisonError::into_inner);
        self.topology.firewall().tool("nft", &["-f", "-"], rules).map(drop)
    }
}
