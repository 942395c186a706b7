"""The container file builds an image whose program runs. No registry is needed: the base is the cached Debian."""

import shutil
import subprocess
import tempfile
import unittest

from machine import base
from package import DEPLOY, built


class Container(unittest.TestCase):
    """buildah needs no daemon and, with chroot isolation, no container runtime."""

    def test_the_image_has_the_program(self):
        with tempfile.TemporaryDirectory() as folder:
            buildah = ["buildah", "--storage-driver", "vfs", "--root", f"{folder}/root", "--runroot", f"{folder}/run"]

            def run(*command):
                done = subprocess.run([*buildah, *command], check=False, capture_output=True, text=True)
                self.assertEqual(done.returncode, 0, f"{command}: {done.stdout}{done.stderr}")
                return done.stdout.strip()

            container = run("from", "scratch")
            run("copy", "--quiet", container, base(), "/")
            run("commit", "--quiet", "--rm", container, "localhost/debian:bookworm")
            context = f"{folder}/context"
            subprocess.run(["mkdir", context], check=True)
            shutil.copy(built(), f"{context}/rstscope_of_the_test.deb")
            build = ["build", "--isolation", "chroot", "--build-arg", "BASE=localhost/debian:bookworm"]
            run(*build, "--file", str(DEPLOY / "container/Containerfile"), "--tag", "rstscope", context)
            container = run("from", "localhost/rstscope")
            self.assertIn("rstscope 0.", run("run", "--isolation", "chroot", container, "rstscope", "version"))
            # A clean end: layers are mounted nowhere when the folder goes.
            run("rm", "--all")


if __name__ == "__main__":
    unittest.main()
