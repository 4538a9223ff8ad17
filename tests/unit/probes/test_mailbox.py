"""A test message is taken out whole, although somebody else opens the mailbox just then."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from mailwizard.probes import mailbox, taken

HEAD, BODY = "Return-Path: <>\nX-Mailwizard: mark-1\n\n", "the body\n"
# what opens the mailbox: as soon as the message is found in new, it is in cur (maildir(5))
FIND = """#!/bin/sh
/usr/bin/find "$@"
mv {0}/new/* {0}/cur/ 2>/dev/null
exit 0
"""


@pytest.mark.parametrize("script", [mailbox._LOOK, taken._LOOK])
def test_a_message_that_moves_is_taken_whole(script: str, tmp_path: Path) -> None:
    box, programs = tmp_path / "Maildir", tmp_path / "bin"
    for folder in (programs, *(box / name for name in ("new", "cur", "tmp"))):
        folder.mkdir(parents=True)
    (box / "new/1.x.host").write_text(HEAD + BODY)
    (programs / "find").write_text(FIND.format(box))
    (programs / "find").chmod(0o755)
    env = {"PATH": f"{programs}:{os.environ['PATH']}"}
    argv = ["sh", "-c", script, "sh", "mark-1", str(box), "10", "one"]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=20, check=False)
    first, _, rest = done.stdout.partition("\n")
    assert (done.returncode, rest.strip()) == (0, HEAD.strip()), done
    assert first.split()[0] in (f"{box}/cur/1.x.host", hashlib.sha256(BODY.encode()).hexdigest())
    assert [path for path in box.rglob("*") if path.is_file()] == []
