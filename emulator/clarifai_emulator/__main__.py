"""Runs the command ``clarifai-emulator``, also as ``python -m clarifai_emulator``."""

import os
import signal
import sys


def main() -> None:
    """Run the command line; ends the process."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # Ctrl-C while the command is imported ends it without a traceback; after that see ``interruption.py``.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    _open_closed_streams()
    from clarifai_emulator.cli.main import main as run

    run()


def _open_closed_streams() -> None:
    """Open standard streams that a shell has closed (``>&-``); else the next socket would be standard output."""
    for fd, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)
            os.dup2(null, fd)
            if null > 2:
                os.close(null)
            setattr(sys, name, open(fd, "w" if fd else "r", closefd=False))  # noqa: SIM115 - as long as the process


if __name__ == "__main__":
    main()
