"""The ``herdbook`` command of an installed wheel: the command line's own code."""

from __future__ import annotations

import signal
import sys

from . import _native


def main() -> int:
    """Runs one command with this process's arguments and answers its exit status."""
    # Python would only note a Ctrl-C until the command is done; trainings catch it themselves.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return _native.main(sys.argv)


if __name__ == "__main__":
    sys.exit(main())
