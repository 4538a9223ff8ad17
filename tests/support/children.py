"""Processes that a test began, or had begun by the program."""

from __future__ import annotations

import time
from pathlib import Path


def alive(pid: int) -> bool:
    """Whether it runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def gone(pid: int) -> bool:
    """Whether it has ended, or does so within some seconds."""
    for _ in range(400):
        if not alive(pid):
            return True
        time.sleep(0.05)
    return False
