//! Our metrics as another engine reads them: VictoriaMetrics (Debian's 1.79) scrapes a server and answers PromQL.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]

#[path = "../../delivery/tests/servers/mod.rs"]
mod servers;
mod support;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use collector::Options;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use servers::Process;
use support::{anywhere, events, fed, serve};

/// The engine; ends with the test.
struct Engine {
    _process: Process,
    url: String,
    _directory: tempfile::TempDir,
}

impl Engine {
    /// Scrapes `target` each second.
    fn start(target: SocketAddr) -> Option<Self> {
        let program = servers::found(Path::new("/usr/bin/victoria-metrics"))?;
        let directory = tempfile::tempdir().unwrap();
        let scrape = format!(
            "scrape_configs: [{{job_name: rstscope, scrape_interval: 1s, static_configs: [{{targets: [\"{target}\"]}}]}}]"
        );
        let config = directory.path().join("scrape.yml");
        std::fs::write(&config, scrape).unwrap();
        let address = format!("127.0.0.1:{}", servers::free_port());
        let mut command = Command::new(program);
        command
            .arg(format!("-httpListenAddr={address}"))
            .arg(format!("-storageDataPath={}", directory.path().join("data").display()))
            .arg(format!("-promscrape.config={}", config.display()))
            // What came just now counts.
            .args(["-search.latencyOffset=1ms", "-search.disableCache"]);
        let url = format!("http://{address}/api/v1/query");
        Some(Self { _process: Process::start(command), url, _directory: directory })
    }

    /// Each series of the answer, by its labels; nothing while nobody answers.
    fn ask(&self, question: &str) -> Option<BTreeMap<Labels, f64>> {
        let question = utf8_percent_encode(question, NON_ALPHANUMERIC);
        let mut answer = ureq::get(format!("{}?query={question}", self.url)).call().ok()?;
        let answer: Value = serde_json::from_reader(answer.body_mut().as_reader()).unwrap();
        let series = answer["data"]["result"].as_array().unwrap();
        let series = series.iter().map(|series| {
            let labels = series["metric"].as_object().unwrap().iter();
            let labels = labels.map(|(name, text)| (name.clone(), text.as_str().unwrap().into()));
            let ours = labels.filter(|(name, _)| !["job", "instance"].contains(&name.as_str()));
            (ours.collect(), series["value"][1].as_str().unwrap().parse().unwrap())
        });
        Some(series.collect())
    }

    /// The one number that is the answer.
    fn number(&self, question: &str) -> f64 {
        let answer = self.ask(question).unwrap();
        assert_eq!(answer.len(), 1, "{question}: {answer:?}");
        *answer.values().next().unwrap()
    }
}

type Labels = BTreeMap<String, String>;

/// What a line of the exposition says; nothing of a comment.
fn read(line: &str) -> Option<(Labels, f64)> {
    let (series, value) = line.rsplit_once(' ').filter(|_| !line.starts_with('#'))?;
    let (name, rest) = series.split_once('{').unwrap_or((series, "}"));
    let mut labels: Labels = [("__name__".to_owned(), name.to_owned())].into();
    for label in rest.strip_suffix('}').unwrap().split("\",").filter(|label| !label.is_empty()) {
        let (name, text) = label.split_once("=\"").unwrap();
        labels.insert(name.to_owned(), text.trim_end_matches('"').to_owned());
    }
    Some((labels, value.parse().unwrap()))
}

#[test]
fn another_engine_answers_with_our_numbers() {
    let server = serve(&anywhere(), &fed(&Options::default()));
    let Some(engine) = Engine::start(server.local_addr()) else { return };
    let begun = Instant::now();
    while engine.ask("rst_events_total").is_none_or(|series| series.is_empty()) {
        assert!(begun.elapsed() < Duration::from_secs(60), "nothing is scraped");
        std::thread::sleep(Duration::from_millis(50));
    }
    let text = ureq::get(format!("http://{}/metrics", server.local_addr())).call().unwrap();
    let text = text.into_body().read_to_string().unwrap();
    let counted = |labels: &Labels| COUNTED.iter().any(|name| labels["__name__"].starts_with(name));
    let ours: BTreeMap<Labels, f64> =
        text.lines().filter_map(read).filter(|(labels, _)| counted(labels)).collect();
    let theirs = engine.ask(&format!("{{__name__=~\"({}).*\"}}", COUNTED.join("|"))).unwrap();
    assert!(ours.len() > 40, "{ours:?}");
    assert_eq!(theirs, ours);
    let resets: Vec<_> = events().iter().filter(|event| event.counts()).collect();
    assert_eq!(engine.number("sum(rst_events_total)"), resets.len() as f64);
    let aborted = resets.iter().filter(|event| event.verdict.impact.name() == "aborted");
    let share = aborted.clone().count() as f64 / resets.len() as f64;
    let asked = engine.number("sum(rst_events_total{impact=\"aborted\"}) / sum(rst_events_total)");
    assert!((asked - share).abs() < 1e-9, "{asked}, not {share}");
    // The median lies in the bucket that ours lies in.
    let mut ages: Vec<f64> = aborted.filter_map(|event| event.age_s).collect();
    ages.sort_by(f64::total_cmp);
    let median = ages[ages.len() / 2];
    let of = "sum by (le) (rst_time_to_reset_seconds_bucket{impact=\"aborted\"})";
    let asked = engine.number(&format!("histogram_quantile(0.5, {of})"));
    let below = |bound: f64| ages.iter().filter(|age| **age <= bound).count() as f64;
    assert!(asked > 0.0 && asked.is_finite(), "{asked}, and the median is {median}");
    let bounds = engine.ask(of).unwrap();
    for (labels, count) in bounds {
        let bound: f64 = labels["le"].parse().unwrap();
        assert_eq!(count, below(bound), "up to {bound} s");
    }
}

/// What does not change while nothing happens.
const COUNTED: [&str; 4] =
    ["rst_events_total", "rst_connections_total", "rst_time_to_reset_seconds", "rst_sensor_lost"];
