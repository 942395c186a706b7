"""The Debian package as the tests install it, built once a run.

The binary inside is the quick build (profile dev), which other tests use as well; the package that is shipped differs
from it by `PROFILE=release` alone. `PACKAGE=FILE.deb` takes one that is there.
"""

import atexit
import functools
import os
import pathlib
import shutil
import subprocess
import tempfile

DEPLOY = pathlib.Path(__file__).resolve().parent.parent
UNIT = DEPLOY / "systemd/rstscope.service"
COLLECTOR_UNIT = DEPLOY / "systemd/rstscope-collect.service"


@functools.cache
def built(version=None):
    """Path of the package, as a version of one's own choice if wanted."""
    if version is None and "PACKAGE" in os.environ:
        return pathlib.Path(os.environ["PACKAGE"]).resolve()
    environment = dict(os.environ, PROFILE=os.environ.get("PROFILE", "dev"))
    if version:
        environment["VERSION"] = version
    command = [DEPLOY / "package.sh"]
    output = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
    path = (DEPLOY.parent / output.splitlines()[-1]).resolve()
    assert path.suffix == ".deb", output
    # cargo-deb clears away the packages of other versions.
    return pathlib.Path(shutil.copy(path, _folder()))


@functools.cache
def binary():
    """Path of the program, as it is in the package."""
    folder = _folder()
    subprocess.run(["dpkg-deb", "--extract", built(), folder], check=True)
    return pathlib.Path(folder, "usr/bin/rstscope")


def _folder():
    """A folder that is gone when the tests are over."""
    folder = tempfile.mkdtemp(prefix="rstscope-package.")
    atexit.register(shutil.rmtree, folder)
    return folder
