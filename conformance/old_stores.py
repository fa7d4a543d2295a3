"""Unpacks the stores that old MLflow packages wrote, and imports them."""

import subprocess
import sys
import tarfile
from pathlib import Path

from herd import SAMPLES, Herd, environment

OLD_STORES = SAMPLES / "old_stores"
# Fixed, so that the suite does not depend on the time zone of the machine.
ZONE = ("--timezone", "Europe/Berlin")


def unpack(name, folder):
    with tarfile.open(OLD_STORES / f"mlflow-{name}.tar.gz") as packed:
        packed.extractall(folder, filter="data")
    return Path(folder)


def imported(folder, source, *arguments):
    """A herd in a new folder with an imported source, and the report of the import."""
    folder.mkdir()
    herd = Herd(folder)
    return herd, herd.ask("import", source, *ZONE, *arguments)


def fill(address, folder):
    """Writes the content of the old stores to a server, with the installed MLflow."""
    command = [sys.executable, OLD_STORES / "make.py", address]
    told = {**environment(), "TZ": "Europe/Berlin"}
    subprocess.run(command, cwd=folder, env=told, check=True, capture_output=True)


def kinds(report):
    return sorted({finding["kind"] for finding in report["audit"]})
