"""The ``herdbook`` command of an installed wheel. It runs the same code as the binary."""

from __future__ import annotations

import signal
import sys

from . import _native


def main() -> int:
    """Runs one command with the arguments of this process and returns its exit status."""
    # Python's handler would delay Ctrl-C until the command is done. Trainings handle it themselves.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return _native.main(sys.argv)


if __name__ == "__main__":
    sys.exit(main())
