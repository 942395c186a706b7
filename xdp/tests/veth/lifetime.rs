//! What stays and what goes: death, second openings, errors that name their cause.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use xdp::{Attachment, Error, Interface, Options, Sender};

use crate::namespace::{Veth, WATCHED, ip, with_veth};
use crate::{chain, open, options, wait_until};

/// Makes this test binary attach in a process of its own; see [`child`].
const CHILD: &str = "RSTSCOPE_TEST_CHILD";

/// Not a test: what [`spawn`] runs.
#[test]
#[ignore = "started by other tests"]
fn child() {
    let Ok(frames) = std::env::var(CHILD) else { return };
    let wanted = Options { frames: frames.parse().unwrap(), ..options() };
    match Attachment::open(&wanted) {
        Ok(_held) => {
            println!("\nattached");
            // Until killed, or the test that started us is gone.
            let mut nothing = String::new();
            std::io::stdin().read_to_string(&mut nothing).unwrap();
        }
        Err(error) => println!("\nrefused: {}", chain(&error)),
    }
}

/// Runs [`child`] under `wrapper`, a program and its arguments; returns it with its outcome.
fn spawn(wrapper: &[&str], frames: u32) -> (Child, String) {
    let this = std::env::current_exe().unwrap();
    let this = this.to_str().unwrap();
    let arguments = [this, "--exact", "lifetime::child", "--ignored", "--nocapture"];
    let command: Vec<&str> = wrapper.iter().copied().chain(arguments).collect();
    let mut child = Command::new(command[0])
        .args(&command[1..])
        .env(CHILD, frames.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // Borrowed: the child still writes when it ends.
    let lines = BufReader::new(child.stdout.as_mut().unwrap()).lines().map(Result::unwrap);
    let outcome =
        lines.into_iter().find(|line| line.starts_with("attached") || line.starts_with("refused"));
    let outcome = outcome.expect("the child says what happened");
    (child, outcome)
}

#[test]
fn a_killed_process_leaves_nothing_behind() {
    with_veth(Veth::default(), || {
        let (mut child, outcome) = spawn(&[], 64);
        assert_eq!(outcome, "attached");
        let interface = Interface::query(WATCHED).unwrap();
        assert!(interface.program_id().is_some());
        assert!(interface.is_promiscuous());

        child.kill().unwrap();
        child.wait().unwrap();
        wait_until("program gone", || Interface::query(WATCHED).unwrap().program_id().is_none());
        wait_until("promiscuous mode gone", || {
            !Interface::query(WATCHED).unwrap().is_promiscuous()
        });
        assert!(!ip(&format!("link show {WATCHED}")).contains("xdp"));
        // And the queue can be had at once, although its socket may take a moment to go.
        open(&options());
    });
}

#[test]
fn dropping_the_attachment_detaches() {
    with_veth(Veth::default(), || {
        let held = open(&options());
        assert!(ip(&format!("link show {WATCHED}")).contains("xdp"));
        drop(held);
        assert_eq!(Interface::query(WATCHED).unwrap().program_id(), None);
        for _ in 0..20 {
            open(&options());
        }
    });
}

#[test]
fn a_second_opening_names_the_holder() {
    with_veth(Veth::default(), || {
        let (mut child, outcome) = spawn(&[], 64);
        assert_eq!(outcome, "attached");
        let id = Interface::query(WATCHED).unwrap().program_id().unwrap();
        let error = Attachment::open(&options()).err().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let Error::InterfaceBusy { holder, .. } = &error else { panic!("{}", chain(&error)) };
        assert_eq!(holder.program_id, id);
        assert_eq!(holder.program_name.as_deref(), Some("rstscope"));
        let expected = format!(
            "interface rs-b is busy: an XDP program id {id} (\"rstscope\") is already attached in \
             native mode by process"
        );
        assert!(error.to_string().starts_with(&expected), "{error}");
        assert!(error.to_string().contains(&format!("pid {}", child.id())), "{error}");
    });
}

#[test]
fn errors_name_what_is_wrong_with_an_interface() {
    with_veth(Veth::default(), || {
        let refused = |options: &Options| chain(&Attachment::open(options).err().unwrap());
        let nobody = refused(&Options::new("rs-nobody"));
        assert!(nobody.starts_with("interface rs-nobody does not exist"), "{nobody}");
        let long = refused(&Options::new("a-name-that-is-too-long-for-an-interface"));
        assert!(long.contains("does not exist"), "{long}");
        let queue = refused(&Options { queues: Some(vec![0, 3]), ..options() });
        assert!(queue.starts_with("interface rs-b has no receive queue 3, it has 1"), "{queue}");
        let twice = refused(&Options { queues: Some(vec![0, 0]), ..options() });
        assert!(twice.starts_with("option queues = [0, 0]"), "{twice}");
        ip(&format!("link set {WATCHED} down"));
        let down = refused(&options());
        assert_eq!(down, "interface rs-b is down; run \"ip link set rs-b up\"");
    });
}

#[test]
fn an_interface_of_the_host_is_left_alone_unless_allowed() {
    with_veth(Veth::default(), || {
        for (family, address) in [("-4", "192.0.2.2/24"), ("-6", "2001:db8::2/64")] {
            ip(&format!("{family} addr add {address} dev {WATCHED}"));
            let error = Attachment::open(&options()).err().unwrap().to_string();
            assert!(error.starts_with("interface rs-b carries the host's own address"), "{error}");
            open(&Options { host_interface: true, ..options() });
            ip(&format!("{family} addr del {address} dev {WATCHED}"));
            open(&options());
        }
    });
}

#[test]
fn missing_capabilities_are_named() {
    with_veth(Veth::default(), || {
        let without = ["setpriv", "--bounding-set", "-bpf,-sys_admin,-net_raw"];
        let (mut child, outcome) = spawn(&without, 64);
        child.wait().unwrap();
        assert!(outcome.starts_with("refused: missing capabilities: CAP_NET_RAW"), "{outcome}");
        assert!(outcome.contains("CAP_BPF") && !outcome.contains("CAP_NET_ADMIN"), "{outcome}");
    });
}

#[test]
fn four_capabilities_and_enough_memlock_are_enough() {
    with_veth(Veth::default(), || {
        let few = "-all,+net_admin,+net_raw,+bpf,+perfmon";
        let limited = ["prlimit", "--memlock=1048576", "setpriv", "--bounding-set", few];
        let (mut child, outcome) = spawn(&limited, 64);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(outcome, "attached");
    });
}

#[test]
fn too_little_lockable_memory_is_said_with_numbers() {
    with_veth(Veth::default(), || {
        let limited = ["prlimit", "--memlock=65536", "setpriv", "--bounding-set", "-ipc_lock"];
        let (mut child, outcome) = spawn(&limited, 1024);
        child.wait().unwrap();
        assert!(
            outcome.contains("queue 0 of rs-b needs 2048 KiB of locked memory, the limit")
                && outcome.contains("is 64 KiB"),
            "{outcome}"
        );
    });
}

#[test]
fn an_interface_that_goes_is_noticed_while_waiting() {
    with_veth(Veth::default(), || {
        let (_attachment, mut queue) = open(&options());
        assert!(!queue.wait(Duration::from_millis(1)).unwrap());
        ip(&format!("link set {WATCHED} down"));
        assert!(matches!(queue.check().unwrap_err(), Error::InterfaceDown { .. }));
        ip(&format!("link set {WATCHED} up"));
        queue.check().unwrap();
        ip(&format!("link del {WATCHED}"));
        let error = queue.wait(Duration::from_millis(1)).unwrap_err();
        assert!(matches!(error, Error::InterfaceGone { .. }), "{error}");
        assert_eq!(queue.receive(), 0);
    });
}

#[test]
fn a_queue_that_has_a_socket_is_busy() {
    with_veth(Veth::default(), || {
        let other = Sender::open(WATCHED, 0).unwrap();
        let error = Attachment::open(&options()).err().unwrap();
        let text = error.to_string();
        assert!(text.starts_with("bind queue 0 of rs-b: device busy"), "{text}");
        // Nothing of the failed attempt stays.
        assert_eq!(Interface::query(WATCHED).unwrap().program_id(), None);
        drop(other);
        open(&options());
    });
}

#[test]
fn a_program_that_nobody_holds_is_named_with_its_cure() {
    with_veth(Veth::default(), || {
        let object = concat!(env!("CARGO_MANIFEST_DIR"), "/bpf/generate.bpf.o");
        ip(&format!("link set dev {WATCHED} xdp object {object} section xdp"));
        let error = Attachment::open(&options()).err().unwrap().to_string();
        assert!(error.contains("(\"generate\") is already attached in native mode"), "{error}");
        assert!(error.contains("\"ip link set dev rs-b xdpdrv off\" removes it"), "{error}");
        ip(&format!("link set {WATCHED} xdp off"));
        open(&options());
    });
}
