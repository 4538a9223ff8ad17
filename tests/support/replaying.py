"""The functions of the exported script, run by bash over files of a test."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from mailwizard.render import render

FACTS = {"version": "1", "made": "now", "system_id": "debian", "system_version": "13"}
# the tools that a test has no use for, and what is looked up in them
STUBS = """
chown() { :; }
ip() { printf '2: eth0 inet 10.0.0.5/24\\n3: eth0 inet6 2001:db8::5/64\\n'; }
"""


def functions(places: Mapping[str, str]) -> str:
    """All functions of the script, and none of its checks of the host; paths are moved."""
    text = render("export/replay.sh.j2", map_suffix="db", **FACTS)
    begin, end = text.index("# needs PATH"), len(text)
    said = 'say() { :; }\nfail() { printf "FAIL %s\\n" "$*" >&2; exit 1; }\n'
    said += 'refuse() { printf "refused: %s\\n" "$*" >&2; exit 3; }\n'
    body = text[begin:end]
    for path, moved in places.items():
        body = body.replace(path, moved)
    start = "set -euo pipefail\numask 022\nexport LC_ALL=C.UTF-8\nchanged=0 unfinished=0\n"
    return f"{start}{said}{STUBS}{body}"


def replay(
    lines: str, folder: Path, places: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """These lines of a script, run in an empty folder."""
    script = folder / "replay.sh"
    script.write_text(f"{functions(places or {})}\n{lines}\n", "utf-8", "surrogateescape")
    bin_path = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    return subprocess.run(
        ["bash", str(script)], cwd=folder, env=bin_path, capture_output=True, check=False
    )
