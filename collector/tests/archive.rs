//! Parquet files of whole hours, read back by the same crate and by pyarrow's engine of another make.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]

#[path = "../../delivery/tests/servers/mod.rs"]
mod servers;

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use collector::{Archive, Incoming, Store, StoreOptions};
use events::{Event, UtcTime};
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::RowAccessor as _;

fn put(store: &Store, numbers: std::ops::Range<u64>, hour_s: u64, apart_ns: u64) {
    let template: Event =
        serde_json::from_str(include_str!("../../delivery/src/test_event.json")).unwrap();
    let lines: Vec<Vec<u8>> = numbers
        .map(|number| {
            let mut event = template.clone();
            event.id = format!("{number:016x}");
            event.ts = UtcTime(hour_s * 1_000_000_000 + number * apart_ns);
            let body = serde_json::to_string(&event).unwrap();
            let sequence = number + 1;
            let head = format!(
                "{{\"uid\":\"00000000000000aa-{sequence}\",\"sequence\":{sequence},\"sensor\":\"s\","
            );
            (head + "\"record\":\"event\"," + &body[1..]).into_bytes()
        })
        .collect();
    let batch: Vec<Incoming<'_>> = lines.iter().map(|line| Incoming::read(line).unwrap()).collect();
    assert!(store.put(&batch).unwrap().refused.is_empty());
}

/// Identifiers, in their order, of all rows; the columns must say what the JSON says.
fn read(path: &Path) -> Vec<String> {
    let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
    let rows = reader.get_row_iter(None).unwrap();
    rows.map(|row| {
        let row = row.unwrap();
        let event: Event = serde_json::from_str(row.get_string(16).unwrap()).unwrap();
        assert_eq!(row.get_string(1).unwrap(), &event.id);
        assert_eq!((row.get_string(2).unwrap().as_str(), row.get_int(6).unwrap()), ("s", 443));
        assert_eq!(row.get_string(9).unwrap(), event.verdict.cause.name());
        event.id
    })
    .collect()
}

#[test]
fn each_hour_is_a_file_that_holds_every_event_once() {
    let directory = tempfile::tempdir().unwrap();
    let options =
        StoreOptions { directory: directory.path().join("store"), ..StoreOptions::default() };
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let hour_s = now_s / 3600 * 3600 - 2 * 3600;
    let now = UtcTime((hour_s + 2 * 3600 + 600) * 1_000_000_000);
    let store = Arc::new(Store::open(&options).unwrap());
    put(&store, 0..3000, hour_s, 2_000_000_000);
    let archive = Archive::new(Arc::clone(&store), &options.directory, 90);
    assert_eq!(archive.catch_up(now).unwrap(), 2);
    assert_eq!(archive.catch_up(now).unwrap(), 0, "nothing is written twice");
    let files = || -> Vec<_> {
        let entries = std::fs::read_dir(options.directory.join("parquet")).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect::<BTreeSet<_>>().into_iter().collect()
    };
    let all = |from: u64, to: u64| (from..to).map(|n| format!("{n:016x}")).collect::<Vec<_>>();
    assert_eq!(files().iter().map(|path| read(path)).collect::<Vec<_>>().concat(), all(0, 3000));
    assert_eq!(read(&files()[0]), all(0, 1800));
    // Late ones make the file be written anew; a torn one too, and what was left half written does no harm.
    put(&store, 3000..3010, hour_s - 6000 + 100, 2_000_000_000);
    std::fs::write(&files()[1], b"PAR1 torn").unwrap();
    std::fs::write(options.directory.join("parquet/events-x.unfinished"), b"").unwrap();
    drop((archive, store));
    let store = Arc::new(Store::open(&options).unwrap());
    let archive = Archive::new(store, &options.directory, 90);
    assert_eq!(archive.catch_up(now).unwrap(), 2);
    let files: Vec<_> =
        files().into_iter().filter(|path| path.extension().unwrap() == "parquet").collect();
    let read: Vec<String> = files.iter().flat_map(|path| read(path)).collect();
    assert_eq!(read.iter().collect::<BTreeSet<_>>().len(), 3010);
    assert_eq!(read.len(), 3010);
    another_engine_reads(&files[0], 1810);
}

#[test]
fn a_file_keeps_what_the_store_dropped_and_one_that_fails_holds_up_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let store = |name: &str| {
        let directory = directory.path().join(name);
        Arc::new(Store::open(&StoreOptions { directory, ..StoreOptions::default() }).unwrap())
    };
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let hour_s = now_s / 3600 * 3600 - 2 * 3600;
    let now = UtcTime((hour_s + 2 * 3600 + 600) * 1_000_000_000);
    let name = |hour_s: u64| {
        let text = UtcTime(hour_s * 1_000_000_000).to_string();
        directory.path().join(format!("parquet/events-{text:.13}"))
    };
    // Where the first hour's file is to be begun, something else is in the way.
    let in_the_way = name(hour_s).with_extension("unfinished");
    std::fs::create_dir_all(&in_the_way).unwrap();
    let whole = store("whole");
    put(&whole, 1..3001, hour_s, 2_000_000_000);
    let archive = Archive::new(whole, directory.path(), 90);
    let error = archive.catch_up(now).unwrap_err().to_string();
    assert!(error.contains("unfinished") || error.contains("events-"), "{error}");
    let file = |hour_s: u64| name(hour_s).with_extension("parquet");
    assert_eq!(read(&file(hour_s + 3600)).len(), 1201, "the hour after it is there");
    std::fs::remove_dir(&in_the_way).unwrap();
    assert_eq!(archive.catch_up(now).unwrap(), 1);
    // A store that has fewer of them now.
    let rest = store("rest");
    put(&rest, 1701..1901, hour_s, 2_000_000_000);
    assert_eq!(Archive::new(rest, directory.path(), 90).catch_up(now).unwrap(), 0);
    assert_eq!(read(&file(hour_s)).len(), 1799);
}

/// The engine of ClickHouse reads Parquet as well.
fn another_engine_reads(path: &Path, rows: u64) {
    let Some(python) = servers::program("venv/bin/python") else { return };
    let question = format!(
        "SELECT count(), uniqExact(id), min(JSONExtractString(json, 'id') = id), any(impact) FROM file('{}', Parquet)",
        path.display()
    );
    let script = "import chdb, sys; print(chdb.query(sys.argv[1], 'TabSeparated'))";
    let output =
        std::process::Command::new(python).args(["-c", script, &question]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(said.trim(), format!("{rows}\t{rows}\t1\taborted"), "{output:?}");
}
