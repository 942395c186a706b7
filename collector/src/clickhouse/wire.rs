//! What is inserted, against a real server of Debian (18.16): its HTTP and its `JSONEachRow`, in tables of types
//! that it knows. It is too old for our own tables, which is refused.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use bytes::Bytes;
use events::{Connections, Event, Minute, RecordKind, ServerRange, ServiceRow};

use super::client::Client;
use super::{ClickHouse, ClickHouseError, ClickHouseOptions, rows};
use crate::receive::Arrival;

/// The server; ends with the test.
struct Server {
    process: Child,
    options: ClickHouseOptions,
    _directory: tempfile::TempDir,
}

impl Server {
    fn start() -> Option<Self> {
        let program = Path::new("/usr/sbin/clickhouse-server");
        if !program.exists() {
            let why = format!("no {}; \"deploy/prepare.sh test\" gets it", program.display());
            assert!(std::env::var("CI").as_deref() != Ok("true"), "SKIPPED in CI: {why}");
            #[allow(clippy::print_stderr, reason = "a test that is skipped says so")]
            {
                eprintln!("SKIPPED: {why}");
            }
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        let (http, tcp) = (free_port(), free_port());
        let place = directory.path().display();
        let config = format!(
            "<yandex><logger><level>information</level><console>1</console></logger>
             <listen_host>127.0.0.1</listen_host><http_port>{http}</http_port><tcp_port>{tcp}</tcp_port>
             <path>{place}/data/</path><tmp_path>{place}/tmp/</tmp_path>
             <mark_cache_size>5242880</mark_cache_size><users_config>users.xml</users_config>
             <default_profile>default</default_profile><default_database>default</default_database></yandex>"
        );
        let users = "<yandex><profiles><default></default></profiles><users><default><password></password>
             <networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota></default>
             </users><quotas><default></default></quotas></yandex>";
        std::fs::write(directory.path().join("config.xml"), config).unwrap();
        std::fs::write(directory.path().join("users.xml"), users).unwrap();
        let mut process = Command::new(program)
            .arg(format!("--config-file={place}/config.xml"))
            .current_dir(directory.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(process.stderr.take().unwrap());
        let mut lines = said.lines().map_while(Result::ok);
        let is_ready = lines.any(|line| line.contains("Ready for connections"));
        assert!(is_ready, "the server ended before it was ready");
        // Whoever writes on must find a reader.
        std::thread::spawn(move || lines.count());
        let options = ClickHouseOptions {
            url: format!("http://127.0.0.1:{http}"),
            database: "default".to_owned(),
            ..ClickHouseOptions::default()
        };
        Some(Self { process, options, _directory: directory })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn rows_are_inserted_over_http_as_json_lines() {
    let Some(server) = Server::start() else { return };
    let client = Client::new(&server.options).unwrap();
    client.execute("make a table", EVENTS).unwrap();
    client.execute("make a table", SERVICES).unwrap();
    let event: Event =
        serde_json::from_str(include_str!("../../../delivery/src/test_event.json")).unwrap();
    let json = "{\"text\":\"it's \\\\ a line\\n\u{fc}\"}";
    let arrival = Arrival {
        session: 7,
        sequence: u64::MAX,
        sensor: "it's here".to_owned(),
        kind: RecordKind::Event,
        is_test: false,
        json: Bytes::from(json),
    };
    insert(&client, "events", &rows::event(&arrival, &event).repeat(1000)).unwrap();
    let at = ServerRange { ip: [10, 0, 0, 1].into(), port: Some(443), prefix: None };
    let connections = Connections { opened: 5, ..Connections::default() };
    let minute =
        Minute { services: vec![ServiceRow { server: at, connections }; 3], ..Minute::default() };
    insert(&client, "services", &rows::minute_services(&arrival, &minute, 20_000)).unwrap();
    let asked = |question: &str| client.text("ask", question, true).unwrap();
    assert_eq!(
        asked(
            "SELECT count(), uniqExact(id), any(sensor), max(sequence), any(server_port) FROM events"
        ),
        "1000\t1\tit\\'s here\t18446744073709551615\t443"
    );
    assert_eq!(asked("SELECT any(hex(json)) FROM events"), hex(json));
    assert_eq!(asked("SELECT sum(opened), any(server_ip) FROM services"), "15\t::ffff:10.0.0.1");
    let lost = insert(&client, "nowhere", "{}").unwrap_err().to_string();
    assert!(lost.contains("insert into nowhere") && lost.contains("doesn't exist"), "{lost}");
    let old = ClickHouse::open(&server.options).err().unwrap();
    assert!(
        matches!(&old, ClickHouseError::TooOld { found, .. } if found.starts_with("18.")),
        "{old}"
    );
}

/// As `Client::insert`, without what this old one does not know.
fn insert(client: &Client, table: &str, rows: &str) -> Result<(), ClickHouseError> {
    let statement = format!("INSERT INTO {table} FORMAT JSONEachRow\n{rows}");
    client.execute(&format!("insert into {table}"), &statement)
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02X}")).collect()
}

const EVENTS: &str = "CREATE TABLE events (id FixedString(16), version UInt32, sensor String, session UInt64,
    sequence UInt64, ts String, client_ip String, client_port UInt16, server_ip String, server_port UInt16,
    community_id String, origin String, origin_confidence Float64, cause String, cause_confidence Float64,
    impact String, stage String, effect String, role String, agreement String, json String) ENGINE = Log";
const SERVICES: &str =
    "CREATE TABLE services (sensor String, minute String, day UInt16, row UInt32, start UInt32,
    server_ip String, server_port UInt16, server_prefix UInt8, opened UInt64, midstream UInt64,
    established UInt64, closed_well UInt64, reset UInt64, timed_out UInt64, unanswered UInt64,
    still_open UInt64) ENGINE = Log";
