"""The single file that release/build makes, built from a copy of the sources."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("wizard", "steps", "templates", ".package", "release")
FILES = ("mailwizard", "pyproject.toml", "requirements.txt", "LICENSE")


def copied(to: Path) -> Path:
    """A copy of all that is shipped or builds it, because building leaves folders beside it."""
    unwanted = shutil.ignore_patterns("__pycache__")
    for name in FOLDERS:
        shutil.copytree(ROOT / name, to / name, symlinks=True, ignore=unwanted)
    for name in FILES:
        shutil.copy(ROOT / name, to)
    return to


def build(checkout: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """What came of release/build in this checkout, with the Python that runs the tests."""
    return subprocess.run(
        [checkout / "release/build"],
        env={**os.environ, "PYTHON": sys.executable, **env},
        capture_output=True,
        text=True,
        check=False,
    )
