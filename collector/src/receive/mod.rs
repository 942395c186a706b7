//! Where records of sensors come in: OTLP over HTTP and gRPC, NATS JetStream.
//!
//! ```text
//! OTLP/HTTP --\
//! OTLP/gRPC ---> Desk: lines, names --> Intake: one thread, one commit for many --> Keep: the store
//! NATS -------/        refused: counted, told, kept aside
//! ```
//!
//! | file | what |
//! |---|---|
//! | `options.rs` | [`ReceiveOptions`]: where, for whom, how much |
//! | `keep.rs` | [`Keep`]: what a store must do; [`Arrival`], [`Kept`] |
//! | `line.rs` | one line into an [`Arrival`], or why not |
//! | `intake.rs` | many requests into one commit |
//! | `desk.rs` | what every receiver does with records |
//! | `gate.rs` | tokens, places |
//! | `inflate.rs` | gzip and zstd, bounded |
//! | `otlp/` | OTLP requests and answers |
//! | `listen.rs` | sockets, TLS |
//! | `nats.rs` | JetStream |
//! | `aside.rs` | what nobody can read is kept for a person |
//! | `counts.rs` | [`ReceiveState`]: counters |
//!
//! **Invariant:** a sender hears that a record is taken only when the store has committed it or refused it for
//! good; whoever hears nothing sends it again, and the store knows it by its name.

mod aside;
mod counts;
mod desk;
mod error;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod fuzz;
mod gate;
mod inflate;
mod intake;
mod keep;
pub(crate) mod line;
mod listen;
mod nats;
mod options;
mod otlp;

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use tokio::runtime::Runtime;
use tokio::sync::watch;

pub use counts::{ReceiveState, ReceiverState, RecordCount};
pub use error::ReceiveError;
pub use intake::Gather;
pub use keep::{Arrival, Keep, KeepError, Kept};
pub use options::{NatsOptions, ReceiveOptions};

use crate::options::Listen;
use crate::tls::ServerTls;
use aside::Aside;
use counts::{Counts, StoreCounts};
use desk::Desk;
use gate::Gate;
use intake::Intake;
use listen::{Listening, Protocol};
use nats::Nats;

/// All receivers at work; they end when dropped, after what is under way.
pub struct Receivers {
    addresses: Vec<(&'static str, SocketAddr)>,
    counts: Vec<Arc<Counts>>,
    store: Arc<StoreCounts>,
    stop: watch::Sender<bool>,
    runtime: Option<Runtime>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
    intake: Option<JoinHandle<()>>,
}

impl Receivers {
    /// Binds what is to be listened on and begins.
    ///
    /// # Errors
    /// An option cannot be as it is, a file cannot be read, or an address cannot be bound.
    pub fn start(
        options: &ReceiveOptions,
        keep: Arc<dyn Keep>,
        gather: Gather,
    ) -> Result<Self, ReceiveError> {
        options.check().map_err(ReceiveError::Option)?;
        let token = options.token_file.as_deref().map(gate::read_token).transpose()?;
        let aside = Aside::open(options.refused_directory.as_deref(), options.refused_bytes_max)?;
        let (intake, thread) = Intake::start(keep, gather)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(RUNTIME_THREADS)
            .thread_name("receive")
            .enable_all()
            .build()
            .map_err(|source| ReceiveError::Thread { source })?;
        let (stop, stopped) = watch::channel(false);
        let mut receivers = Self {
            addresses: Vec::new(),
            counts: Vec::new(),
            store: Arc::clone(&intake.counts),
            stop,
            runtime: Some(runtime),
            tasks: Vec::new(),
            intake: Some(thread),
        };
        let begin =
            Begin { options, token, intake: Arc::new(intake), aside: Arc::new(aside), stopped };
        receivers.listen(&begin, Protocol::Http1)?;
        receivers.listen(&begin, Protocol::Http2)?;
        receivers.consume(&begin)?;
        Ok(receivers)
    }

    fn listen(&mut self, begin: &Begin<'_>, protocol: Protocol) -> Result<(), ReceiveError> {
        let (name, address, router): (_, _, fn(Gate) -> Router) = match protocol {
            Protocol::Http1 => ("otlp_http", begin.options.otlp_http, otlp::http::router),
            Protocol::Http2 => ("otlp_grpc", begin.options.otlp_grpc, otlp::grpc::router),
        };
        let Listen::At(address) = address else { return Ok(()) };
        let listener = listen::bind(name, address)?;
        let address = listener.local_addr().map_err(|source| ReceiveError::Bind {
            what: name,
            address,
            source,
        })?;
        let desk = self.desk(begin, name, address.to_string());
        let listening = Listening {
            listener,
            protocol,
            tls: ServerTls::new(&begin.options.tls, &[protocol.name()])?,
            routes: router(Gate::new(begin.options, desk, begin.token.clone())),
            connections: begin.options.connections,
            timeout: Duration::from_secs(begin.options.request_timeout_s),
        };
        self.addresses.push((name, address));
        self.spawn(listen::run(listening, begin.stopped.clone()));
        Ok(())
    }

    fn consume(&mut self, begin: &Begin<'_>) -> Result<(), ReceiveError> {
        let Some(options) = &begin.options.nats else { return Ok(()) };
        let desk = self.desk(begin, "nats", options.servers.join(", "));
        desk.counts.set_up(Err("not connected yet".to_owned()));
        let nats = Nats::new(options.clone(), desk, begin.options.body_bytes_max);
        let runtime = self.runtime.as_ref().expect("it lives until the end");
        let connect = runtime.block_on(nats.connect_options())?;
        self.spawn(nats.run(connect, begin.stopped.clone()));
        Ok(())
    }

    fn desk(&mut self, begin: &Begin<'_>, name: &'static str, address: String) -> Desk {
        let counts = Arc::new(Counts::new(name, address));
        self.counts.push(Arc::clone(&counts));
        Desk { intake: Arc::clone(&begin.intake), counts, aside: Arc::clone(&begin.aside) }
    }

    fn spawn(&mut self, work: impl Future<Output = ()> + Send + 'static) {
        let runtime = self.runtime.as_ref().expect("it lives until the end");
        self.tasks.push(runtime.spawn(work));
    }

    /// Where the receivers listen: name and address of each.
    #[must_use]
    pub fn addresses(&self) -> &[(&'static str, SocketAddr)] {
        &self.addresses
    }

    /// How it goes.
    #[must_use]
    pub fn state(&self) -> ReceiveState {
        self.store.state(self.counts.iter().map(|counts| counts.state()).collect())
    }
}

impl Drop for Receivers {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(runtime) = self.runtime.take() {
            for task in self.tasks.drain(..) {
                let _ = runtime.block_on(task);
            }
            runtime.shutdown_timeout(LAST_WORK);
        }
        // Ends with the last desk, which the runtime held.
        if let Some(thread) = self.intake.take() {
            let _ = thread.join();
        }
    }
}

/// What all receivers share at their start.
struct Begin<'o> {
    options: &'o ReceiveOptions,
    token: Option<Arc<str>>,
    intake: Arc<Intake>,
    aside: Arc<Aside>,
    stopped: watch::Receiver<bool>,
}

/// Reading is little work beside storing.
const RUNTIME_THREADS: usize = 2;
/// Time for what was handed over when the receivers end.
const LAST_WORK: Duration = Duration::from_secs(5);
