"""The systemd unit: its score, and the sensor at work under it, in a machine that systemd booted."""

import re
import signal
import subprocess
import unittest

from appliance import drop_in, installed, start, told
from machine import wait_until
from package import COLLECTOR_UNIT, UNIT

SCORE_MAX = 2.0
COLLECTOR_SCORE_MAX = 1.2
# A verdict may wait 5 s for its watch and 32 s for others of its kind.
TOLD_AFTER_S = 75
CAPABILITIES = {"CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_BPF", "CAP_PERFMON"}


class Unit(unittest.TestCase):
    """What can be said without starting it."""

    def test_it_scores_well(self):
        for unit, most in ((UNIT, SCORE_MAX), (COLLECTOR_UNIT, COLLECTOR_SCORE_MAX)):
            command = ["systemd-analyze", "security", "--offline=true", "--no-pager", unit]
            analysed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            score = float(re.search(r"exposure level for \S+: ([0-9.]+)", analysed).group(1))
            self.assertLessEqual(score, most, analysed)


class Service(unittest.TestCase):
    """One machine for all: it is booted, and the package is installed."""

    @classmethod
    def setUpClass(cls):
        cls.appliance = installed()
        cls.addClassCleanup(cls.appliance.__exit__, None, None, None)
        cls.links, cls.machine = cls.appliance.__enter__()

    def tearDown(self):
        self.machine.run("systemctl", "stop", "rstscope")

    def test_it_verifies(self):
        self.assertEqual(self.machine.out("systemd-analyze", "verify", "--man=no", "rstscope.service").strip(), "")

    def test_it_senses_with_all_restrictions_in_force(self):
        start(self.links, self.machine)
        process = self.machine.property("MainPID")
        status = self.machine.read_process(process, "status")
        self.assertRegex(status, r"NoNewPrivs:\s1\n")
        self.assertRegex(status, r"Seccomp:\s2\n")
        self.assertNotRegex(status, r"Uid:\s0\b")
        self.assertEqual(self.machine.property("StatusErrno"), "0")
        (port,) = self.links.make(0, 1)
        wait_until("the reset is told", lambda: told(self.links, port), TOLD_AFTER_S)
        self.assertNotIn("WARN lock memory", self.machine.journal())

    def test_only_the_keeper_holds_capabilities(self):
        drop_in(self.machine, "sink", "[Service]\nEnvironment='RSTSCOPE_SINK=[{ kind = \"otlp\" }]'\n")
        self.addCleanup(drop_in, self.machine, "sink", "")
        start(self.links, self.machine)
        process = self.machine.property("MainPID")
        command = f"cd /proc/{process}/task; for t in *; do echo $(cat $t/comm) $(grep ^CapPrm $t/status); done"
        permitted = {}
        for line in self.machine.out("sh", "-c", command).splitlines():
            name, _, mask = line.rsplit(maxsplit=2)
            permitted[name] = int(mask, 16)
        for name in ("rstscope", "worker-0", "api", "spool", "sink-otlp"):
            self.assertEqual(permitted.get(name), 0, permitted)
        self.assertNotEqual(permitted.pop("keeper"), 0)
        self.assertEqual(set(permitted.values()), {0}, permitted)
        self.assertNotIn("capabilities of a thread", self.machine.journal())

    def test_workers_are_pinned_and_told_to_be_so(self):
        start(self.links, self.machine)
        process = self.machine.property("MainPID")
        threads = self.machine.out("sh", "-c", f"grep -H ^worker- /proc/{process}/task/*/comm").splitlines()
        self.assertTrue(threads)
        for line in threads:
            thread = line.split("/")[4]
            affinity = self.machine.out("taskset", "-cp", thread)
            self.assertRegex(affinity, r": \d+\n$")
        self.assertNotIn("could not be pinned", self.machine.journal())

    def test_each_capability_is_needed_and_its_lack_is_named(self):
        for missing in sorted(CAPABILITIES):
            with self.subTest(missing):
                left = " ".join(sorted(CAPABILITIES - {missing} | {"CAP_IPC_LOCK"}))
                fewer = f"[Service]\nRestart=no\nAmbientCapabilities=\nAmbientCapabilities={left}\n"
                drop_in(self.machine, "zz-fewer", f"{fewer}CapabilityBoundingSet=\nCapabilityBoundingSet={left}\n")
                self.addCleanup(drop_in, self.machine, "zz-fewer", "")
                self.machine.run("journalctl", "--rotate")
                self.machine.run("journalctl", "--vacuum-time=1us")
                started = self.machine.run("systemctl", "start", "rstscope", check=False)
                self.assertNotEqual(started.returncode, 0)
                self.assertIn(missing, self.machine.journal())
                self.assertEqual(self.links.programs(), [])
                self.machine.run("systemctl", "reset-failed", "rstscope")

    def test_a_sensor_that_hangs_is_started_again(self):
        drop_in(self.machine, "watchdog", "[Service]\nWatchdogSec=5s\n")
        self.addCleanup(drop_in, self.machine, "watchdog", "")
        start(self.links, self.machine)
        first = self.machine.property("MainPID")
        self.machine.kill(first, signal.SIGSTOP)

        def again():
            now = self.machine.property("MainPID")
            return now not in ("0", first) and self.machine.property("ActiveState") == "active"

        wait_until("it was killed and started again", again, 30)
        self.assertGreater(int(self.machine.property("NRestarts")), 0)

    def test_a_reload_keeps_the_process(self):
        start(self.links, self.machine)
        first = self.machine.property("MainPID")
        self.machine.run("systemctl", "reload", "rstscope")
        (port,) = self.links.make(1, 0)
        wait_until("a reset after the reload is told", lambda: told(self.links, port), TOLD_AFTER_S)
        self.assertEqual(self.machine.property("MainPID"), first)


if __name__ == "__main__":
    unittest.main()
