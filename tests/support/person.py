"""Somebody who drives the line face in a terminal."""

from __future__ import annotations

import json
import os
import re
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pexpect
from support.clocks import HUNG

ROOT = Path(__file__).parents[2]
FAKE = ROOT / "tests/unit/plain/fake_engine.py"


class Person:
    """Somebody at a terminal, who reads until the next prompt and types a line."""

    def __init__(self, memory: Path, term: str, *arguments: str) -> None:
        self.memory = memory
        self.term = term
        self.log = StringIO()
        environ = {
            **os.environ,
            "TERM": term,
            "NO_COLOR": "1",
            "PYTHONPATH": str(ROOT / ".package"),
        }
        environ.pop("SSH_CONNECTION", None)
        self.child = pexpect.spawn(
            sys.executable,
            [str(FAKE), str(memory), *arguments],
            env=environ,
            encoding="utf-8",
            timeout=HUNG,
            dimensions=(24, 80),
        )
        self.child.logfile_read = self.log
        self.child.delaybeforesend = None

    def sees(self, text: str) -> None:
        self.child.expect_exact(text)

    def types(self, text: str, after: str) -> None:
        """Wait for the prompt, and answer it."""
        self.sees(after)
        self.sees(":")
        self.child.send(text + "\r")

    def picks(self, choice: str, question: str) -> None:
        """Type the number of a choice."""
        self.sees(question)
        self.child.expect(rf"(\d+)\. {re.escape(choice)}")
        number = self.child.match
        assert isinstance(number, re.Match)
        self.types(number[1], "Number [1-")

    def begins(self) -> None:
        """Go to the proposal of the first step with the defaults."""
        self.types("", "Number, or Enter")
        self.picks("Yes", "Install them?")
        self.types("", "[mail.example.org]")
        self.types("", "[none]")

    def ends(self) -> int:
        self.child.expect(pexpect.EOF)
        self.child.close()
        return int(self.child.exitstatus if self.child.exitstatus is not None else -1)

    @property
    def kept(self) -> dict[str, Any]:
        kept: dict[str, Any] = json.loads(self.memory.read_text())
        return kept
