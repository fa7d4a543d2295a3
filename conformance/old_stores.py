"""The stores that old MLflow packages made, unpacked, and what an import of them has to bring."""

import subprocess
import sys
import tarfile
from pathlib import Path

from herd import SAMPLES, Herd, environment

OLD_STORES = SAMPLES / "old_stores"
# In no place does the suite depend on the zone of the machine.
ZONE = ("--timezone", "Europe/Berlin")


def unpack(name, folder):
    with tarfile.open(OLD_STORES / f"mlflow-{name}.tar.gz") as packed:
        packed.extractall(folder, filter="data")
    return Path(folder)


def imported(folder, source, *arguments):
    """A herd in a new folder, with everything that a source holds."""
    folder.mkdir()
    herd = Herd(folder)
    return herd, herd.ask("import", source, *ZONE, *arguments)


def fill(address, folder):
    """Writes what every old store holds through the client of this MLflow."""
    command = [sys.executable, OLD_STORES / "make.py", address]
    told = {**environment(), "TZ": "Europe/Berlin"}
    subprocess.run(command, cwd=folder, env=told, check=True, capture_output=True)


def kinds(report):
    return sorted({finding["kind"] for finding in report["audit"]})
