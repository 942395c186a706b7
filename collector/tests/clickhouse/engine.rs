//! The current engine of ClickHouse (chdb, a Python package) behind HTTP. It ends with the test; what it holds
//! outlives that it is killed.
#![allow(dead_code, reason = "each test uses its part")]

use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use collector::ClickHouseOptions;

use super::servers::{self, Process};

pub(crate) struct Engine {
    pub(crate) process: Process,
    pub(crate) options: ClickHouseOptions,
    _directory: tempfile::TempDir,
}

impl Engine {
    pub(crate) fn start() -> Option<Self> {
        let python = servers::program("venv/bin/python")?;
        let (directory, port) = (tempfile::tempdir().unwrap(), servers::free_port());
        let mut command = Command::new(python);
        command
            .args(["-c", include_str!("server.py")])
            .arg(directory.path().join("engine"))
            .arg(port.to_string());
        let process = Process::start(command);
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(120), "the engine does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        let url = format!("http://127.0.0.1:{port}");
        let options = ClickHouseOptions { url, ..ClickHouseOptions::default() };
        Some(Self { process, options, _directory: directory })
    }

    pub(crate) fn ask(&self, question: &str) -> String {
        let mut response = ureq::post(&self.options.url)
            .header("x-clickhouse-database", "rstscope")
            .send(question)
            .unwrap();
        response.body_mut().read_to_string().unwrap().trim().to_owned()
    }
}
