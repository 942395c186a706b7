//! The demo on real kernels: a lab of namespaces, and the sensor on its tap.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use events::Start;
use lab::{Lab, Options, Scenario};

use super::Played;
use super::judge::{Done, about};
use super::told::{Events, Told};
use crate::config::{Config, LinkSection};
use crate::sensor;

/// What stands above the results.
pub(crate) const TITLE: &str =
    "LIVE: ten resets of real Linux kernels in namespaces, sensed through AF_XDP on the tap";

/// Builds the lab, senses its tap while ten scenarios run, and returns both stories.
pub(crate) fn play() -> anyhow::Result<Played> {
    let options = Options::default();
    let lab = Lab::build(&options).context("build the lab")?;
    tracing::info!("the lab is built");
    let stop = AtomicBool::new(false);
    let (sender, started) = channel();
    let mut sink = Told { on_start: Some(sender), ..Told::default() };
    let seen = sink.events.clone();
    let done = std::thread::scope(|scope| {
        let _stop_at_the_end = StopOnDrop(&stop);
        let sensing = scope.spawn(|| {
            let link = vec![LinkSection::parse(lab.tap_interface())];
            let config = Config { link, ..Config::default() };
            let watch = || Ok(sensor::watch(&config, &stop, &mut sink));
            lab.tap().run(watch)
        });
        let mut done = Vec::new();
        let started = loop {
            match started.recv_timeout(POLL_INTERVAL) {
                Err(_) if !sensing.is_finished() => {}
                started => break started.ok(),
            }
        };
        if let Some(start) = started {
            note_inputs(&start);
            done = make_resets(&lab, options.idle);
            wait_for_verdicts(&done, &seen);
        }
        stop.store(true, Ordering::Relaxed);
        let sensed = sensing.join().expect("the sensor does not panic");
        sensed.context("enter the tap's namespace")??;
        Ok::<_, anyhow::Error>(done)
    })?;
    Ok(Played { done, told: sink })
}

/// Plays the ten scenarios at once and says on standard error how it goes.
fn make_resets(lab: &Lab, idle: Duration) -> Vec<Done> {
    let total = Scenario::DEMO.len();
    note(&format!(
        "making {total} kinds of resets; the idle session takes {} s ...",
        idle.as_secs()
    ));
    let finished = Mutex::new((0, Vec::new()));
    lab.run_all(&Scenario::DEMO, |scenario, result| {
        let mut finished = finished.lock().unwrap_or_else(PoisonError::into_inner);
        finished.0 += 1;
        note(&format!("  {:>2} of {total} done: {}", finished.0, scenario.name()));
        match result {
            Ok(truths) => finished.1.extend(truths.into_iter().map(Done::from)),
            Err(error) => {
                tracing::error!("scenario {}: {error}", scenario.name());
                finished.1.push(Done::failed(scenario.name(), &error.to_string()));
            }
        }
    });
    let mut done = finished.into_inner().unwrap_or_else(PoisonError::into_inner).1;
    let place = |done: &Done| Scenario::DEMO.iter().position(|item| item.name() == done.scenario);
    done.sort_by_key(place);
    done
}

/// Waits until every flow has its final verdict, or no more can come.
fn wait_for_verdicts(done: &[Done], seen: &Events) {
    let deadline = Instant::now() + VERDICT_WAIT_MAX;
    let is_missing = || {
        let seen = seen.lock();
        done.iter().any(|done| about(done, &seen).is_none())
    };
    while is_missing() && Instant::now() < deadline {
        std::thread::sleep(POLL_INTERVAL);
    }
}

fn note_inputs(start: &Start) {
    for input in &start.inputs {
        note(&format!("sensing {}: {}", input.name, input.mode));
    }
}

fn note(text: &str) {
    use io::Write as _;
    // Nobody listens to standard error: no reason to end the demo.
    let _ = writeln!(io::stderr(), "{text}");
}

/// Ends the sensor even if the demo panics, so that the scope can be left.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// The watch after a reset takes 5 s at most; then windows are handed over once a second.
const VERDICT_WAIT_MAX: Duration = Duration::from_secs(8);
