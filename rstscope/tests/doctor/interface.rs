//! Faults of an interface and its card.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::{SENDING, WATCHED, diagnosis, doctor, found_and_mended, program, sh, with_veth};

/// Looks without attaching, and for as short as can be.
const ALONE: &str = "--watch 0";
const SHORT: &str = "--watch 1";
/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn an_interface_that_is_down_is_set_up() {
    with_veth(1, || {
        sh(&format!("ip link set {WATCHED} down"));
        found_and_mended("up", "FAIL", ALONE);
    });
}

#[test]
fn an_interface_without_carrier_is_found_with_the_end_that_is_down() {
    with_veth(1, || {
        sh(&format!("ip link set {SENDING} down"));
        found_and_mended("carrier", "FAIL", ALONE);
    });
}

#[test]
fn an_interface_with_an_address_is_left_to_a_person() {
    with_veth(1, || {
        sh(&format!("ip address add 10.9.8.7/24 dev {WATCHED}"));
        sh(&format!("ip link set {WATCHED} mtu 1400"));
        let fixed = doctor(&format!("{ALONE} --fix --yes"));
        fixed.assert("address", "FAIL");
        assert!(sh(&format!("ip address show {WATCHED}")).contains("10.9.8.7"));
        fixed.assert("frame size", "WARN");
        assert!(sh(&format!("ip link show {WATCHED}")).contains("mtu 1400"));
        fixed.assert("native xdp", "NOT_CHECKED");
        found_and_mended("address", "FAIL", ALONE);
    });
}

#[test]
fn a_foreign_program_is_named_and_left_to_a_person() {
    for (how, mode) in [("xdpgeneric", "generic mode"), ("xdpdrv", "native mode")] {
        with_veth(1, move || {
            let object = concat!(env!("CARGO_MANIFEST_DIR"), "/../xdp/bpf/rstscope.bpf.o");
            sh(&format!("ip link set dev {WATCHED} {how} obj {object} sec xdp.frags"));
            let fixed = doctor(&format!("{ALONE} --fix --yes"));
            fixed.assert("xdp program", "FAIL");
            let says = fixed.find("xdp program").unwrap()["says"].as_str().unwrap().to_owned();
            assert!(says.contains("program id") && says.contains(mode), "{says}");
            found_and_mended("xdp program", "FAIL", ALONE);
        });
    }
}

#[test]
fn vlan_tags_that_are_taken_off_stay_on() {
    with_veth(1, || {
        sh(&format!("ethtool -K {WATCHED} rxvlan on"));
        found_and_mended("vlan tags", "WARN", ALONE);
    });
}

#[test]
fn checksums_that_the_sender_leaves_out_are_put_in() {
    with_veth(1, || {
        sh(&format!("ethtool -K {SENDING} tx on"));
        found_and_mended("checksums", "WARN", ALONE);
    });
}

#[test]
fn an_mtu_below_ethernets_is_raised() {
    with_veth(1, || {
        sh(&format!("ip link set {WATCHED} mtu 1400"));
        found_and_mended("frame size", "WARN", ALONE);
    });
}

#[test]
fn gro_does_harm_in_generic_mode_only() {
    with_veth(1, || {
        sh(&format!("ethtool -K {WATCHED} gro on"));
        let native = doctor(SHORT);
        native.assert("native xdp", "OK");
        native.assert("gro", "OK");
        let generic = || {
            let arguments = format!("--interface {WATCHED} --json {SHORT}");
            let mut command = program(&arguments);
            diagnosis(command.env("RSTSCOPE_CAPTURE__GENERIC", "true").output().unwrap())
        };
        let found = generic();
        found.assert("native xdp", "WARN");
        found.mend("gro", "FAIL");
        generic().assert("gro", "OK");
    });
}

#[test]
fn queues_fewer_than_the_other_end_has_refuse_native_mode() {
    with_veth(2, || {
        sh(&format!("ethtool -L {WATCHED} rx 1"));
        let found = doctor(SHORT);
        found.assert("zero copy", "OK");
        found.mend("native xdp", "WARN");
        doctor(SHORT).assert("native xdp", "OK");
    });
}

#[test]
fn queues_more_than_cores_are_made_fewer() {
    with_veth(4, || {
        let on_one_core = || {
            let program = env!("CARGO_BIN_EXE_rstscope");
            let arguments = ["-c", "0", program, "doctor", "--json", "--watch", "0", "-i", WATCHED];
            diagnosis(Command::new("taskset").args(arguments).output().unwrap())
        };
        on_one_core().mend("queues", "WARN");
        on_one_core().assert("queues", "OK");
    });
}

#[test]
fn many_faults_at_once_are_mended_in_one_go() {
    with_veth(2, || {
        sh(&format!("ethtool -L {WATCHED} rx 1"));
        sh(&format!("ethtool -K {WATCHED} rxvlan on"));
        sh(&format!("ip link set {WATCHED} mtu 1300"));
        sh(&format!("ip link set {WATCHED} down"));
        let before = doctor(SHORT);
        before.assert("up", "FAIL");
        before.assert("native xdp", "NOT_CHECKED");
        let after = doctor(&format!("{SHORT} --fix --yes"));
        for name in ["up", "carrier", "vlan tags", "frame size", "native xdp", "promiscuous"] {
            after.assert(name, "OK");
        }
        assert_eq!(after.code, 0, "{}", after.summary());
    });
}

#[test]
fn a_running_sensor_is_asked_and_not_disturbed() {
    with_veth(1, || {
        // Its API is on loopback.
        sh("ip link set lo up");
        let mut sensor = Command::new(env!("CARGO_BIN_EXE_rstscope"))
            .args(["run", "--quiet", "-i", WATCHED])
            .env("RSTSCOPE_CAPTURE__FRAMES", "64")
            .env("RSTSCOPE_SENSOR__FLOWS", "1024")
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let start = Instant::now();
        // Until it has told of its queues, which it does once a second.
        loop {
            // One that tries the interface would hold it while the sensor wants to attach to it.
            let found = doctor(ALONE);
            if found.level("mode in force") == "OK" || start.elapsed() > PATIENCE {
                break;
            }
        }
        let found = doctor(SHORT);
        let ended = sensor.try_wait().unwrap();
        sensor.kill().unwrap();
        sensor.wait().unwrap();
        assert_eq!(ended, None, "the sensor ended: {}", found.summary());
        found.assert("mode in force", "OK");
        found.assert("xdp program", "OK");
        assert_eq!(found.level("native xdp"), "", "nothing is tried beside it");
    });
}

#[test]
fn an_interface_that_is_not_there_is_said_so() {
    with_veth(1, || {
        let output = program("--interface rs-nobody --json").output().unwrap();
        diagnosis(output).assert("interface", "FAIL");
    });
}

#[test]
fn nothing_is_mended_unasked() {
    with_veth(1, || {
        sh(&format!("ip link set {WATCHED} down"));
        let output = program(&format!("--interface {WATCHED} --fix --watch 0")).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&output.stderr).contains("--yes"));
        assert!(!sh(&format!("ip link show {WATCHED}")).contains("state UP"));
    });
}

#[test]
fn a_person_reads_it_in_eighty_columns_without_colours_in_a_file() {
    with_veth(2, || {
        let output = program(&format!("--interface {WATCHED} --watch 0")).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(!text.contains('\u{1b}'), "{text}");
        assert!(text.contains("machine\n") && text.contains(&format!("\n{WATCHED}\n")), "{text}");
        assert!(text.contains("ethtool -K rs-b rxvlan off"), "{text}");
    });
}
