"""Cleans up after a process that was killed: waits until its pipe closes without a farewell."""

import subprocess
import sys
from pathlib import Path

from lab.place import Slot, taking

FAREWELL = b"done"


class Reaper:
    """A watching process, started for one slot of the lab."""

    def __init__(self, slot: Slot) -> None:
        argv = [sys.executable, "-c", START, str(Path(__file__).parents[1]), str(slot.number)]
        self._process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True, cwd="/"
        )

    def dismiss(self) -> None:
        """Tell it that everything has been cleaned up."""
        self._process.communicate(FAREWELL, timeout=20)


START = "import sys; sys.path.insert(0, sys.argv[1]); import lab.reaper as r; r.watch(sys.argv[2])"


def watch(number: str) -> None:
    """Wait for the end of the process that holds a slot, and sweep the slot unless it did so."""
    if sys.stdin.buffer.read() == FAREWELL:
        return
    with taking():
        slot = Slot.try_number(int(number))
    if slot is not None:
        slot.sweep()
        slot.release()
