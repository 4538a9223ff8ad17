"""Questions to a library of the system's own Python, which our environment does not have.

One process for each library answers them all, one after the other: to start Python and to import
the library takes a hundred times as long as an answer.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from mailwizard.model import Look
from mailwizard.probes.deadline import CannotAsk, Trouble

PYTHON = "/usr/bin/python3"
SECONDS = 20
MISSING = 3

# What the library itself prints is no answer. A pipe that is closed in the middle of a question
# ends the process by a signal (fcntl(2), O_ASYNC): whoever asked is gone, and it may well hang.
_LOOP = """
import fcntl, json, os, select, sys
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
sys.stdout = sys.stderr
# script
fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
plain = fcntl.fcntl(0, fcntl.F_GETFL)
for line in sys.stdin:
    fcntl.fcntl(0, fcntl.F_SETFL, plain | os.O_ASYNC)
    if select.select([0], [], [], 0)[0]:
        break
    number, _, asked = line.partition(" ")
    told = json.dumps(answer(json.loads(asked)))
    fcntl.fcntl(0, fcntl.F_SETFL, plain)
    print(number, told, file=answers, flush=True)
"""


@dataclass(frozen=True, slots=True)
class Library:
    """A library of the system's Python; its script defines `answer`, or ends with MISSING."""

    name: str
    package: str
    script: str

    @property
    def argv(self) -> list[str]:
        return [PYTHON, "-I", "-c", _LOOP.replace("# script", self.script)]

    def ask(self, look: Look, asked: object) -> Any:
        """What the script answers to a JSON value; raises CannotAsk."""
        done = look.consult(self.argv, json.dumps(asked), timeout=SECONDS)
        if done.code in {MISSING, 127}:
            raise CannotAsk(Trouble.GARBLED, f"{self.name} is missing ({self.package})")
        if not done.ok:
            last = done.err.strip().splitlines()[-1:] or [f"code {done.code}"]
            raise CannotAsk(Trouble.GARBLED, f"{self.name}: {last[0][:200]}")
        try:
            return json.loads(done.out)
        except ValueError:
            raise self.nonsense() from None

    def nonsense(self) -> CannotAsk:
        """What to raise when an answer is not what was asked for."""
        return CannotAsk(Trouble.GARBLED, f"{self.name}: its answer makes no sense")
