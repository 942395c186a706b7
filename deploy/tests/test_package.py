"""The package installs, upgrades, is removed and purged, and leaves nothing behind."""

import re
import subprocess
import unittest

from appliance import CONFIGURATION, lift_limit
from links import Links
from machine import Machine
from package import built

# What changes by itself while a machine runs, and what dpkg and systemd keep of everything that ever was.
LIVELY = re.compile(
    r"/(proc|sys|dev|run|tmp|\.before|var/tmp|var/log|var/cache|var/lib/dpkg|var/lib/systemd)(/|$)"
    r"|/etc/(passwd|group|shadow|gshadow|subuid|subgid)-?$|/etc/\.pwd\.lock$|/etc/machine-id$|/root/\."
)


def files(machine):
    """Every path of the machine that stays put."""
    found = machine.out("find", "/", "-xdev", "-not", "-type", "s").splitlines()
    return {path for path in found if not LIVELY.match(path)}


class Package(unittest.TestCase):
    """One machine for the whole life of the package."""

    def test_what_is_inside_is_what_belongs_there(self):
        listed = subprocess.run(["dpkg-deb", "--contents", built()], check=True, capture_output=True, text=True)
        inside = {line.split()[5].lstrip(".") for line in listed.stdout.splitlines()}
        for path in (
            "/usr/bin/rstscope",
            CONFIGURATION,
            "/usr/lib/systemd/system/rstscope.service",
            "/usr/lib/systemd/system/rstscope-collect.service",
            "/etc/rstscope/collector.toml",
            "/usr/lib/sysusers.d/rstscope.conf",
            "/usr/share/man/man1/rstscope.1.gz",
            "/usr/share/bash-completion/completions/rstscope",
            "/usr/share/zsh/vendor-completions/_rstscope",
            "/usr/share/fish/vendor_completions.d/rstscope.fish",
            "/usr/share/doc/rstscope/examples/one-port.toml",
        ):
            self.assertIn(path, inside)
        outside = [path for path in inside if not path.startswith(("/usr/", "/etc/rstscope/")) and path.count("/") > 2]
        self.assertEqual(outside, [])

    def test_lintian_finds_no_error(self):
        command = ["lintian", "--fail-on", "error", "--tag-display-limit", "0", "--allow-root", built()]
        checked = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.assertEqual(checked.returncode, 0, checked.stdout)
        warnings = {line.split()[2] for line in checked.stdout.splitlines() if line.startswith("W: ")}
        self.assertEqual(warnings - ACCEPTED_WARNINGS, set(), checked.stdout)

    def test_it_installs_upgrades_is_removed_and_purged(self):
        with Links() as links, Machine(links.appliance) as machine:
            lift_limit(machine)
            before = files(machine)
            machine.put(built(), "/tmp/old.deb")
            machine.put(built("9.9.9-1"), "/tmp/new.deb")

            machine.run("dpkg", "--install", "/tmp/old.deb")
            self.assertIn("rstscope 0.", machine.out("rstscope", "version"))
            self.assertIn("rstscope", machine.out("id", "rstscope"))
            self.assertEqual(machine.property("ActiveState"), "inactive")
            self.assertEqual(machine.property("UnitFileState"), "disabled")
            self.assertNotIn("failed", machine.out("systemctl", "is-system-running"))

            # An upgrade keeps what the operator wrote, restarts what ran, and what was enabled stays so.
            mine = 'link = [{ interfaces = ["tap0"] }]\n'
            machine.write(CONFIGURATION, mine)
            machine.run("systemctl", "enable", "--now", "rstscope")
            first = machine.property("MainPID")
            machine.run("dpkg", "--install", "--force-confdef", "--force-confold", "/tmp/new.deb")
            self.assertIn("9.9.9-1", machine.out("dpkg-query", "--show", "rstscope"))
            self.assertEqual(machine.read(CONFIGURATION), mine)
            self.assertEqual(machine.property("ActiveState"), "active")
            self.assertEqual(machine.property("UnitFileState"), "enabled")
            self.assertNotEqual(machine.property("MainPID"), first)

            # Removed: it no longer runs, what was configured and spooled is kept.
            machine.run("dpkg", "--remove", "rstscope")
            self.assertEqual(machine.property("ActiveState"), "inactive")
            self.assertEqual(links.programs(), [])
            self.assertEqual(machine.read(CONFIGURATION), mine)
            self.assertIn("/var/lib/rstscope", files(machine))

            machine.run("dpkg", "--purge", "rstscope")
            self.assertEqual(files(machine) ^ before, set())
            self.assertEqual(machine.run("dpkg-query", "--show", "rstscope", check=False).returncode, 1)


# None so far; what is meant so is said in deploy/debian/overrides.
ACCEPTED_WARNINGS = set()

if __name__ == "__main__":
    unittest.main()
