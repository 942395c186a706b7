//! The collector's thread: sockets and files, real lines on loopback, events told anew.

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use collector::ServerTlsOptions;
use collector::logs::{LogFile, LogListen, LogOptions, Logs, Revision, Transport};
use events::{Event, UtcTime};

const PATIENCE: Duration = Duration::from_secs(30);

fn listen(transport: Transport, tls: ServerTlsOptions) -> LogListen {
    let address = "127.0.0.1:0".parse().unwrap();
    LogListen { transport, address, allow: vec!["127.0.0.0/8".to_owned()], timezone: None, tls }
}

fn start(options: &LogOptions) -> (Logs, Receiver<Revision>) {
    let (sender, revisions) = channel();
    let logs = Logs::start(options, move |revision| sender.send(revision).is_ok()).unwrap();
    (logs, revisions)
}

fn address(logs: &Logs, via: &str) -> SocketAddr {
    logs.addresses().iter().find(|(name, _)| *name == via).unwrap().1
}

fn now_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64
}

/// A reset of just now in a connection of its own, and the line of a firewall about it.
fn flow(number: u16) -> (Event, String) {
    let mut event = crate::models()[0].clone();
    event.id = format!("{number:016x}");
    event.ts = UtcTime(now_ns() - 3_000_000_000);
    event.age_s = Some(4.0);
    event.capture.midstream = false;
    event.client.port = 30_000 + number;
    let line = format!(
        "<189>logid=\"0000000013\" type=\"traffic\" devname=\"fgt-9\" eventtime={} srcip={} srcport={} dstip={} dstport={} \
         proto=6 action=\"server-rst\" policyid=7 duration=4 sentbyte=1 rcvdbyte=2",
        event.ts.0, event.client.ip, event.client.port, event.server.ip, event.server.port
    );
    (event, line)
}

/// Waits for a revision of each.
fn all_told(revisions: &Receiver<Revision>, events: &[Event]) {
    let mut missing: Vec<&str> = events.iter().map(|event| event.id.as_str()).collect();
    while !missing.is_empty() {
        let revision = revisions.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{missing:?}"));
        assert_eq!(revision.sensor, "tap");
        assert_eq!(revision.event.corroboration[0].source, "fgt-9");
        missing.retain(|id| *id != revision.event.id);
    }
}

#[test]
fn lines_by_udp_tcp_and_tls_and_from_a_file_reach_their_events() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fw.log");
    std::fs::write(&path, "").unwrap();
    let (tls, certificate) = certified(folder.path());
    let none = ServerTlsOptions::default;
    let options = LogOptions {
        listen: vec![
            listen(Transport::Udp, none()),
            listen(Transport::Tcp, none()),
            listen(Transport::Tls, tls),
        ],
        file: vec![LogFile {
            path: path.clone(),
            source: None,
            timezone: None,
            from_beginning: true,
        }],
        directory: folder.path().join("positions"),
        ..LogOptions::default()
    };
    let (logs, revisions) = start(&options);
    let flows: Vec<(Event, String)> = (0..12).map(flow).collect();
    for (event, _) in &flows {
        logs.event("tap", event);
    }
    let mut tcp = TcpStream::connect(address(&logs, "tcp")).unwrap();
    let mut encrypted = tls_client(address(&logs, "tls"), certificate);
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    for (number, (_, line)) in flows.iter().enumerate() {
        match number % 5 {
            0 => drop(udp.send_to(line.as_bytes(), address(&logs, "udp")).unwrap()),
            1 => write!(tcp, "{} {line}", line.len()).unwrap(),
            2 => writeln!(tcp, "{line}").unwrap(),
            3 => writeln!(encrypted, "{line}").unwrap(),
            _ => writeln!(file, "{line}").unwrap(),
        }
    }
    writeln!(tcp, "nobody writes so").unwrap();
    encrypted.flush().unwrap();
    let events: Vec<Event> = flows.into_iter().map(|(event, _)| event).collect();
    all_told(&revisions, &events);
    // The line of garbage stood behind one that was read.
    let rows = logs.list().sources;
    let of = |via: &str| rows.iter().find(|row| row.via == via && row.source == "fgt-9").unwrap();
    assert_eq!(["udp", "tls", "file"].map(|via| of(via).sessions), [3, 2, 2]);
    assert!(rows.iter().all(|row| row.product == "fortigate" || row.garbage > 0));
    assert_eq!(logs.counts().not_allowed, 0);
}

#[test]
fn a_file_is_followed_over_a_restart_without_repeating_or_losing_lines() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fw.log");
    let flows: Vec<(Event, String)> = (100..112).map(flow).collect();
    let options = LogOptions {
        file: vec![LogFile {
            path: path.clone(),
            source: None,
            timezone: None,
            from_beginning: true,
        }],
        directory: folder.path().join("positions"),
        ..LogOptions::default()
    };
    for half in flows.chunks(6) {
        let (logs, revisions) = start(&options);
        for (event, _) in half {
            logs.event("tap", event);
        }
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(&path).unwrap();
        for (_, line) in half {
            writeln!(file, "{line}").unwrap();
        }
        let events: Vec<Event> = half.iter().map(|(event, _)| event.clone()).collect();
        all_told(&revisions, &events);
        let rows = logs.list().sources;
        assert_eq!(rows.iter().map(|row| row.lines).sum::<u64>(), 6, "no line is read twice");
    }
}

#[test]
fn strangers_are_not_heard() {
    let mut stranger = listen(Transport::Udp, ServerTlsOptions::default());
    stranger.allow = vec!["192.0.2.0/24".to_owned()];
    let options = LogOptions { listen: vec![stranger], ..LogOptions::default() };
    let (logs, _revisions) = start(&options);
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    udp.send_to(b"x", address(&logs, "udp")).unwrap();
    until("the datagram is counted", || logs.counts().not_allowed == 1);
    assert_eq!(logs.list().losses["not_allowed"], 1);
    assert!(logs.list().sources.is_empty());
}

/// Hands over events of several flows, enough to learn a clock; their lines.
fn told(logs: &Logs, numbers: std::ops::Range<u16>) -> (Vec<Event>, String) {
    let (events, lines): (Vec<Event>, Vec<String>) = numbers.map(flow).unzip();
    events.iter().for_each(|event| logs.event("tap", event));
    (events, lines.join("\n") + "\n")
}

/// Waits until it is so.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..3000 {
        if is_so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{what}");
}

#[test]
fn connections_that_say_nothing_keep_nobody_out() {
    let mut listen = listen(Transport::Tcp, ServerTlsOptions::default());
    listen.allow = vec!["127.0.0.0/24".to_owned(), "127.0.9.0/24".to_owned()];
    let options = LogOptions {
        listen: vec![listen],
        connections: 8,
        connections_per_sender: 4,
        first_line_s: 1,
        ..LogOptions::default()
    };
    let (logs, revisions) = start(&options);
    let (events, lines) = told(&logs, 300..306);
    let address = address(&logs, "tcp");
    let from = |ip: &str| {
        let socket =
            socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        let source: SocketAddr = format!("{ip}:0").parse().unwrap();
        socket.bind(&source.into()).unwrap();
        socket.connect(&address.into()).unwrap();
        TcpStream::from(socket)
    };
    // More than there are places, from two who may and one who may not; half a line is none.
    let idle: Vec<TcpStream> = ["127.0.0.2", "127.0.0.3", "127.1.0.1"]
        .iter()
        .flat_map(|ip| (0..6).map(|_| from(ip)))
        .collect();
    for mut stream in &idle {
        let _ = stream.write_all(b"<189>logid");
    }
    let mut late = from("127.0.9.1");
    write!(late, "{lines}").unwrap();
    all_told(&revisions, &events);
    until("one has given way", || logs.counts().connections_silent == 1);
    let losses = logs.list().losses;
    assert_eq!((losses["not_allowed"], losses["connections_refused"]), (6, 4), "{losses:?}");
    // Each who comes costs one who is silent; who has spoken may be silent for longer.
    let mut later = from("127.0.9.2");
    let (events, lines) = told(&logs, 306..308);
    let (one, other) = lines.split_at(lines.find('\n').unwrap() + 1);
    write!(late, "{one}").unwrap();
    write!(later, "{other}").unwrap();
    all_told(&revisions, &events);
    assert_eq!(logs.counts().connections_silent, 2);
    let is_open = |stream: &TcpStream| {
        stream.set_nonblocking(true).unwrap();
        let peeked = stream.peek(&mut [0]);
        peeked.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    };
    // While nobody waits, silence is no fault: the others finish the lines that they began long ago.
    let silent: Vec<&TcpStream> = idle.iter().filter(|stream| is_open(stream)).collect();
    assert_eq!(silent.len(), 6);
    for mut stream in silent {
        stream.write_all(b"=\"1\"\n").unwrap();
    }
    until("their lines are read", || {
        let rows = logs.list().sources;
        rows.iter()
            .filter(|row| row.source.starts_with("127.0.0."))
            .map(|row| row.lines)
            .sum::<u64>()
            == 6
    });
    assert_eq!(logs.counts().messages_cut, 2, "of those who gave way");
}

#[test]
fn a_flood_on_a_socket_does_not_keep_files_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fw.log");
    let file = LogFile { path: path.clone(), source: None, timezone: None, from_beginning: true };
    let options = LogOptions {
        listen: vec![listen(Transport::Tcp, ServerTlsOptions::default())],
        file: vec![file],
        directory: folder.path().join("positions"),
        ..LogOptions::default()
    };
    let (logs, revisions) = start(&options);
    let (events, lines) = told(&logs, 310..316);
    let is_over = Arc::new(AtomicBool::new(false));
    let flood = {
        let (address, is_over) = (address(&logs, "tcp"), Arc::clone(&is_over));
        std::thread::spawn(move || {
            let mut stream = TcpStream::connect(address).unwrap();
            let lines = "nobody writes so\n".repeat(4096);
            while !is_over.load(Ordering::Relaxed) {
                stream.write_all(lines.as_bytes()).unwrap();
            }
        })
    };
    // It waits for its reader by now: there is always a next line.
    until("the flood has begun", || logs.list().sources.iter().any(|row| row.lines > 20_000));
    std::fs::write(&path, lines).unwrap();
    all_told(&revisions, &events);
    is_over.store(true, Ordering::Relaxed);
    flood.join().unwrap();
}

#[test]
fn what_the_kernel_drops_is_counted_to_the_last_datagram() {
    let options = LogOptions {
        listen: vec![listen(Transport::Udp, ServerTlsOptions::default())],
        ..LogOptions::default()
    };
    // The reader stands still from its first revision on until it is let go.
    let (stands, standing) = channel();
    let (go, going) = channel::<()>();
    let logs = Logs::start(&options, move |_| {
        stands.send(()).unwrap();
        going.recv().is_ok()
    })
    .unwrap();
    let (_, lines) = told(&logs, 320..326);
    let address = address(&logs, "udp");
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    for line in lines.lines() {
        udp.send_to(line.as_bytes(), address).unwrap();
    }
    standing.recv_timeout(PATIENCE).expect("an event is told anew");
    const SENT: u64 = 5000;
    for _ in 0..SENT {
        udp.send_to(&[b'x'; 1000], address).unwrap();
    }
    drop(go);
    let counted = || {
        let (counts, rows) = (logs.counts(), logs.list().sources);
        let read = rows.iter().map(|row| row.lines).sum::<u64>();
        (read, counts.datagrams_lost, counts.datagrams_lost_in_kernel)
    };
    until("each is read or lost", || {
        let (read, lost, lost_in_kernel) = counted();
        read + lost + lost_in_kernel == SENT + 6
    });
    let (read, lost, lost_in_kernel) = counted();
    println!("{read} read, {lost} lost, {lost_in_kernel} lost in the kernel");
    assert!(read > 6 && lost_in_kernel > 0);
    assert_eq!(logs.list().losses["datagrams_lost_in_kernel"], lost_in_kernel);
}

#[test]
fn broken_streams_are_counted_by_what_broke() {
    let folder = tempfile::tempdir().unwrap();
    let (tls, certificate) = certified(folder.path());
    let options = LogOptions {
        listen: vec![
            listen(Transport::Tcp, ServerTlsOptions::default()),
            listen(Transport::Tls, tls),
        ],
        ..LogOptions::default()
    };
    let (logs, _revisions) = start(&options);
    let counted = |name: &str, expected: Option<u64>| {
        until(name, || logs.list().losses.get(name).copied() == expected);
    };
    let connect = |via: &str| TcpStream::connect(address(&logs, via)).unwrap();
    // No handshake; one that ends; one with somebody who is not trusted. Who only looks breaks nothing.
    connect("tls").write_all(b"<189>plain text\n").unwrap();
    connect("tls").write_all(&[22, 3, 1]).unwrap();
    let stranger = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let mut refusing = tls_client(address(&logs, "tls"), stranger.cert.der().clone());
    assert!(refusing.write_all(b"x").is_err());
    drop((connect("tls"), connect("tcp")));
    for via in ["tls", "tcp"] {
        // As health checks of load balancers leave.
        let probe = connect(via);
        socket2::SockRef::from(&probe).set_linger(Some(Duration::ZERO)).unwrap();
    }
    counted("tls_failed", Some(3));
    // Amid a line, amid a counted message, and in TLS without its goodbye.
    connect("tcp").write_all(b"<189>whole\n<189>srcport=44").unwrap();
    connect("tcp").write_all(b"10 <189>ab").unwrap();
    let mut encrypted = tls_client(address(&logs, "tls"), certificate);
    encrypted.write_all(b"<189>whole\n<189>half").unwrap();
    encrypted.flush().unwrap();
    // Closed with tickets of the session unread, it would send a reset.
    encrypted.sock.shutdown(std::net::Shutdown::Write).unwrap();
    counted("messages_cut", Some(3));
    drop(encrypted);
    // A reset: what was whole is read.
    let reset = connect("tcp");
    (&reset).write_all(b"<189>whole\n").unwrap();
    until("it is read", || logs.list().sources.iter().map(|row| row.lines).sum::<u64>() == 3);
    socket2::SockRef::from(&reset).set_linger(Some(Duration::ZERO)).unwrap();
    drop(reset);
    counted("connections_broken", Some(1));
    let losses = logs.list().losses;
    let expected = [("connections_broken", 1), ("messages_cut", 3), ("tls_failed", 3)];
    assert_eq!(losses, expected.map(|(name, count)| (name.to_owned(), count)).into());
}

#[test]
fn what_is_too_long_is_counted_however_it_comes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fw.log");
    let file = LogFile { path: path.clone(), source: None, timezone: None, from_beginning: true };
    let options = LogOptions {
        listen: vec![
            listen(Transport::Udp, ServerTlsOptions::default()),
            listen(Transport::Tcp, ServerTlsOptions::default()),
        ],
        file: vec![file],
        directory: folder.path().join("positions"),
        ..LogOptions::default()
    };
    let (logs, _revisions) = start(&options);
    let long = format!("{}\n", "x".repeat(20_000));
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    udp.send_to(long.as_bytes(), address(&logs, "udp")).unwrap();
    let mut tcp = TcpStream::connect(address(&logs, "tcp")).unwrap();
    write!(tcp, "{long}").unwrap();
    std::fs::write(&path, &long).unwrap();
    until("each is counted", || logs.list().losses.get("too_long") == Some(&3));
    assert!(logs.list().sources.is_empty(), "none is read");
}

/// A certificate for whoever listens, and for those who trust him.
fn certified(
    folder: &std::path::Path,
) -> (ServerTlsOptions, rustls::pki_types::CertificateDer<'static>) {
    let signed = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let pem = |name: &str, text: String| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        Some(path)
    };
    let tls = ServerTlsOptions {
        certificate_file: pem("cert.pem", signed.cert.pem()),
        key_file: pem("key.pem", signed.signing_key.serialize_pem()),
        client_ca_file: None,
    };
    (tls, signed.cert.der().clone())
}

type Encrypted = rustls::StreamOwned<rustls::ClientConnection, TcpStream>;

fn tls_client(
    address: SocketAddr,
    certificate: rustls::pki_types::CertificateDer<'static>,
) -> Encrypted {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = "localhost".try_into().unwrap();
    let connection = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    rustls::StreamOwned::new(connection, TcpStream::connect(address).unwrap())
}
