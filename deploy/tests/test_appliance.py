"""What an appliance must survive, with every reset told once.

A fresh Debian 12, systemd as its first process, the package, a tap, and an OpenTelemetry collector beside it. Whatever
happens, each reset that was made while the tap showed it reaches the collector exactly once, and no XDP program stays
where no sensor runs. What a killed sensor had not judged yet is lost with it, so tests wait before they kill.
"""

import collections
import pathlib
import signal
import tempfile
import unittest

from appliance import ONE_LINE, installed, page, start
from machine import wait_until
from receiver import Receiver

SINK = 'sink = [{ kind = "otlp", encoding = "json", send = { retry_s_max = 1.0 } }]\n'
SPOOL = "/var/lib/rstscope"
# A verdict may wait 5 s for its watch and 32 s for others of its kind.
TOLD_AFTER_S = 75


class Appliance(unittest.TestCase):
    """One machine for all: it goes on from one misfortune to the next."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.appliance = installed(ONE_LINE + SINK)
        cls.addClassCleanup(cls.appliance.__exit__, None, None, None)
        cls.links, cls.machine = cls.appliance.__enter__()
        # A small disk of its own, which can be filled.
        cls.machine.run("mkdir", "-p", SPOOL)
        cls.machine.run("mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", SPOOL)
        cls.receiver = Receiver(cls.links.appliance, pathlib.Path(folder.name, "records"))
        cls.receiver.start()
        cls.addClassCleanup(cls.receiver.stop)
        start(cls.links, cls.machine)

    def assert_told_once(self, ports):
        """Waits until each of these resets is with the collector, and looks that none of all is there twice."""

        def missing():
            return set(ports) - {record["client.port"] for record in self.receiver.records()}

        try:
            wait_until("all resets are told", lambda: not missing(), TOLD_AFTER_S)
        except AssertionError as error:
            raise AssertionError(f"{error}: missing {sorted(missing())} of {ports}\n{self.machine.journal()}") from None
        records = self.receiver.records()
        self.assertEqual({record["rst.status"] for record in records}, {"final"})
        made = {port for _, port in self.links.made}
        times = collections.Counter(record["client.port"] for record in records)
        self.assertEqual({port: count for port, count in times.items() if count > 1 or port not in made}, {})
        uids = [(record["event.id"], record["rst.sequence"]) for record in records]
        self.assertEqual(len(set(uids)), len(uids))
        causes = {record["client.port"]: record["rst.impact"] for record in records}
        for kind, port in self.links.made:
            self.assertEqual(causes.get(port, kind), kind)

    def process(self):
        """The sensor's number, once it is up."""

        def main():
            number = self.machine.property("MainPID")
            return number if number != "0" and self.machine.property("ActiveState") == "active" else None

        return wait_until("the sensor runs", main, 60)

    def metric(self, name):
        """The sum of a metric's series, or nothing while nobody answers."""
        text = page(self.links, "/metrics")
        values = [float(line.split()[-1]) for line in text.splitlines() if line.startswith((f"{name} ", f"{name}{{"))]
        return sum(values) if values else None

    def await_link(self, state):
        """Waits until the sensor knows the state of its link."""
        wait_until(f"the link is known to be {state}", lambda: self.metric("rst_sensor_link_up") == state, 60)

    def test_kill_9(self):
        self.assert_told_once(self.links.make(2, 2))
        first = self.process()
        self.machine.kill(first, signal.SIGKILL)
        wait_until("another one runs", lambda: self.process() != first)
        self.await_link(1)
        self.assertEqual(len(self.links.programs()), 1)
        self.assert_told_once(self.links.make(2, 2))

    def test_interface_down_and_up(self):
        first = self.process()
        self.links.set_tap("down")
        self.await_link(0)
        self.links.set_tap("up")
        self.await_link(1)
        self.assertEqual(self.process(), first)
        self.assert_told_once(self.links.make(2, 2))

    def test_link_flap(self):
        first = self.process()
        for _ in range(3):
            self.links.set_carrier("down")
            self.await_link(0)
            self.links.set_carrier("up")
            self.await_link(1)
        self.assertEqual(self.process(), first)
        self.assert_told_once(self.links.make(2, 2))

    def test_interface_disappears_and_returns(self):
        ports = self.links.make(2, 2)
        self.links.unplug()
        self.assert_told_once(ports)
        self.links.plug()
        self.process()
        self.await_link(1)
        self.assertEqual(len(self.links.programs()), 1)
        self.assert_told_once(self.links.make(2, 2))

    def test_full_disk(self):
        # dd ends with an error when the disk is full: that is what is wanted.
        self.machine.run("dd", "if=/dev/zero", f"of={SPOOL}/ballast", "bs=64k", check=False)
        self.receiver.stop()
        ports = self.links.make(2, 2)
        wait_until("the full disk is noticed", lambda: self.metric("rst_spool_up") == 0, TOLD_AFTER_S)
        self.machine.run("rm", f"{SPOOL}/ballast")
        wait_until("the disk takes events again", lambda: self.metric("rst_spool_up") == 1, TOLD_AFTER_S)
        self.receiver.start()
        self.assert_told_once(ports)

    def test_collector_stopped(self):
        self.receiver.stop()
        ports = self.links.make(2, 2)
        waiting = lambda: (self.metric("rst_sink_waiting_events") or 0) >= len(ports)
        wait_until("the events wait in the spool", waiting, TOLD_AFTER_S)
        # Not even a sensor that is killed meanwhile forgets them.
        first = self.process()
        self.machine.kill(first, signal.SIGKILL)
        wait_until("another one runs", lambda: self.process() != first)
        self.receiver.start()
        self.assert_told_once(ports)

    def test_zz_nothing_is_left_when_it_is_stopped(self):
        self.machine.run("systemctl", "stop", "rstscope")
        self.assertEqual(self.links.programs(), [])
        self.assertEqual(self.machine.property("Result"), "success")
        start(self.links, self.machine)


if __name__ == "__main__":
    unittest.main()
