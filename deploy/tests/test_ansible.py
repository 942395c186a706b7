"""The Ansible role: its form, what its linter says, and that what it would write is taken.

It is not run against a machine: a fresh Debian has no Python.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import venv

from machine import CACHE
from package import DEPLOY, binary

ROLE = DEPLOY / "ansible"
PACKAGES = ["ansible-core==2.19.14", "ansible-lint==26.10.1"]
VARIABLES = {
    "ansible_managed": "by a test",
    "ansible_python_interpreter": sys.executable,
    "rstscope_links": [{"name": "border", "interfaces": ["east0", "west0"]}, {"interfaces": ["eth1"]}],
    "rstscope_configuration": "[sensor]\nflows = 65536\n",
    "rstscope_collectors": ["192.0.2.7"],
    "rstscope_queues": 4,
}
RENDER = """
- hosts: localhost
  connection: local
  gather_facts: false
  vars_files: ["{role}/roles/rstscope/defaults/main.yml"]
  tasks:
    - ansible.builtin.template:
        src: "{role}/roles/rstscope/templates/{{{{ item }}}}.j2"
        dest: "{folder}/{{{{ item }}}}"
        mode: "0644"
      loop: [rstscope.toml, collectors.conf, cards.conf]
"""


def tools():
    """The folder of Ansible's programs, installed once into the cache."""
    home = CACHE / "ansible"
    if not (home / "done").exists():
        venv.create(home, with_pip=True, clear=True)
        subprocess.run([home / "bin/pip", "install", "--quiet", *PACKAGES], check=True)
        (home / "done").touch()
    return home / "bin"


def run(*command, **variables):
    """Runs one of Ansible's programs in the role's folder; fails with what it says."""
    environment = dict(os.environ, PATH=f"{tools()}:{os.environ['PATH']}", **variables)
    done = subprocess.run(
        command, check=False, cwd=ROLE, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert done.returncode == 0, f"{command}: {done.stdout}"


@unittest.skipIf(sys.version_info < (3, 11), "ansible-core 2.19 wants Python 3.11")
class Role(unittest.TestCase):
    """What can be said without a machine."""

    def test_form_and_lint(self):
        run("ansible-playbook", "--syntax-check", "--inventory", "localhost,", "site.yml")
        run("ansible-lint", "--offline", "--nocolor", "site.yml")

    def test_what_it_writes_is_taken(self):
        with tempfile.TemporaryDirectory() as folder:
            playbook = pathlib.Path(folder, "render.yml")
            playbook.write_text(RENDER.format(role=ROLE, folder=folder), encoding="utf-8")
            variables = ["--extra-vars", json.dumps(VARIABLES)]
            run("ansible-playbook", "--inventory", "localhost,", *variables, str(playbook))
            subprocess.run([binary(), "config", "check", f"{folder}/rstscope.toml"], check=True)
            allowed = pathlib.Path(folder, "collectors.conf").read_text(encoding="utf-8")
            self.assertIn("\nIPAddressAllow=192.0.2.7\n", allowed)
            cards = pathlib.Path(folder, "cards.conf").read_text(encoding="utf-8")
            self.assertEqual(cards.count("ethtool -K"), 3)


if __name__ == "__main__":
    unittest.main()
