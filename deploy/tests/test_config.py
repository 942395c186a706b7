"""Every configuration that is shipped is one that the sensor takes."""

import os
import pathlib
import subprocess
import tempfile
import unittest

from package import DEPLOY, binary


class Samples(unittest.TestCase):
    """deploy/config/*.toml"""

    def test_rstscope_config_check_takes_each(self):
        samples = sorted((DEPLOY / "config").glob("*.toml"))
        self.assertGreater(len(samples), 4)
        for sample in samples:
            with self.subTest(sample.name):
                self.check(sample)

    def test_what_a_sample_suggests_in_comments_is_taken_too(self):
        for sample in sorted((DEPLOY / "config").glob("*.toml")):
            lines = sample.read_text(encoding="utf-8").splitlines()
            # A line that is commented out has no blank after its sign.
            woken = [line[1:] if line[:1] == "#" and line[1:2].isalpha() else line for line in lines]
            with self.subTest(sample.name):
                path = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()), sample.name)
                path.write_text("\n".join(woken), encoding="utf-8")
                self.check(path)

    def test_a_sink_that_this_build_lacks_is_named_with_the_way_to_one(self):
        path = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()), "kafka.toml")
        path.write_text('sink = [{ kind = "kafka" }]\n', encoding="utf-8")
        said = subprocess.run([binary(), "config", "check", path], check=False, capture_output=True, text=True)
        self.assertEqual(said.returncode, 1)
        self.assertIn("built without Kafka", said.stderr)
        self.assertIn("--features kafka", said.stderr)

    def check(self, path):
        """`rstscope config check` of a file."""
        command = [binary(), "config", "check", path]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("RSTSCOPE_")}
        checked = subprocess.run(
            command, check=False, env=clean, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.assertEqual(checked.returncode, 0, checked.stdout)


if __name__ == "__main__":
    unittest.main()
