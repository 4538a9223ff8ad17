"""The walk: which steps, one after the other, and what remains to be said at the end."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress

from mailwizard import closing, show
from mailwizard.errors import BadAnswer, WizardError
from mailwizard.heard import Heard
from mailwizard.model import Step
from mailwizard.plain.contract import Engine
from mailwizard.plain.keys import signing_keys
from mailwizard.plain.packages import Packages
from mailwizard.plain.page import Move, Page
from mailwizard.plain.records import LABEL, show_records
from mailwizard.plain.terminal import Leave, Terminal
from mailwizard.stages import NOT_BEGUN, State

STAY = True
"""After this, what comes next is asked again."""

_WELCOME = """
This sets up a mail server on this host, one step after the other. A step explains itself and
asks; shows every change before it is made; makes it; and then talks to the running services to
see that it works. The next step begins when the checks of this one pass.

Nothing is changed before you say so. Ctrl+C stops at any time: every answer and every change
is saved, and the next start goes on from there.
"""

_LATER = """
Check everything at any time:
  sudo mailwizard check
What belongs into the DNS, and what is there:
  sudo mailwizard dns
How far each step is:
  sudo mailwizard status
Take back a step:
  sudo mailwizard undo STEP
The same set-up as one script, or as an answer file:
  sudo mailwizard export --format sh -o setup.sh
  sudo mailwizard export --format answers -o answers.toml"""


class Walk:
    """From the first screen to the summary."""

    def __init__(self, engine: Engine, terminal: Terminal, assume_yes: bool) -> None:
        self._engine = engine
        self._terminal = terminal
        self._assume_yes = assume_yes
        self._heard = Heard()
        self._packages = Packages(engine, terminal, lambda: [step.id for step in self._wanted()])

    def run(self) -> int:
        """Walk until every wanted step is done; the exit code of the program."""
        self._terminal.heading("mailwizard")
        if self._begun():
            self._resume()
        else:
            self._begin()
        return self._finish()

    def exit_code(self) -> int:
        """1 when a step is known to have failed, else 0: stopping early is nobody's failure."""
        return int(any(status.state is State.FAILED for status in self._engine.states()))

    def _begin(self) -> None:
        self._terminal.lines(show.paragraphs(_WELCOME, self._terminal.width))
        if "SSH_CONNECTION" in os.environ and not {"TMUX", "STY"} & set(os.environ):
            self._terminal.say("\nOver SSH: if the connection breaks, log in and start again.")
        self._choose_steps()
        self._steps_from(0)

    def _resume(self) -> None:
        """Look at what earlier runs left before offering to go on: no flag is trusted."""
        self._terminal.say("Some steps were set up before. They are checked again first.")
        begun = self._begun()
        failed = [each for each in self._wanted() if each.id in begun and not self._holds(each)]
        self._status()
        first = self._engine.next_step()
        nearest = failed[0].id if failed and first is None else first
        go_on = f"Go on with {nearest}" if nearest else "Finish"
        choices: tuple[tuple[str, Callable[[], bool | None]], ...] = (
            (go_on, lambda: self._steps_from(self._place(nearest))),
            ("Choose the steps anew, then go through all of them", self._anew),
            ("Go to one step", self._go_to),
            ("Undo a step", self._undo),
            (LABEL, self._records),
            ("The signing keys: see them, change them", self._keys),
            ("Stop here", self._stop),
        )
        while True:
            _, act = choices[self._terminal.choose("What next?", [text for text, _ in choices])]
            if act() is not STAY:
                return

    def _records(self) -> bool:
        show_records(self._engine, self._terminal)
        return STAY

    def _holds(self, step: Step) -> bool:
        try:
            return self._page(step).check()
        except WizardError as error:
            self._terminal.problem(error)
            return False

    def _stop(self) -> None:
        raise Leave

    def _anew(self) -> None:
        self._choose_steps()
        self._steps_from(0)

    def _go_to(self) -> bool:
        if (step := self._pick("Which step?")) is None:
            return STAY
        self._steps_from(self._place(step.id))
        return not STAY

    def _undo(self) -> bool:
        if (step := self._pick("Take back which step?")) is None:
            return STAY
        self._page(step).undo()
        return not STAY

    def _keys(self) -> bool:
        signing_keys(self._engine, self._terminal)
        return STAY

    def _pick(self, question: str) -> Step | None:
        steps = self._wanted()
        texts = [f"{step.id}: {step.title}" for step in steps]
        picked = self._terminal.choose(question, [*texts, "None of them"])
        return steps[picked] if picked < len(steps) else None

    def _choose_steps(self) -> None:
        """Show the steps; optional ones are switched on and off by their number."""
        while True:
            self._terminal.heading("The steps")
            wanted = {step.id for step in self._wanted()}
            for number, step in enumerate(self._engine.steps, 1):
                optional = "on, optional" if step.id in wanted else "off, optional"
                note = f" ({optional})" if step.optional else ""
                line = f"{step.id}: {step.title}{note}"
                self._terminal.lines(show.fold(line, self._terminal.width, f"{number:>3}. "))
            if not any(step.optional for step in self._engine.steps):
                return
            self._terminal.say("\nA number switches an optional step on or off. Enter goes on.")
            if not (typed := self._terminal.ask("Number, or Enter:")):
                return
            self._switch(typed, wanted)

    def _switch(self, typed: str, wanted: set[str]) -> None:
        steps = self._engine.steps
        if not typed.isdecimal() or not 1 <= int(typed) <= len(steps):
            self._terminal.say(f"Not accepted: type a number from 1 to {len(steps)}, or Enter.")
        elif not (step := steps[int(typed) - 1]).optional:
            self._terminal.say(f"{step.id} cannot be left out: other steps build on it.")
        elif step.id in self._begun():
            self._terminal.say(f"{step.id} is set up already; undo it instead.")
        else:
            self._engine.set_enabled(step.id, step.id not in wanted)

    def _steps_from(self, number: int) -> None:
        """Go from step to step, forth and back, until the last one is done."""
        with suppress(BadAnswer):  # an answer is still missing: the first step that needs them asks
            self._packages.offer(assume_yes=self._assume_yes)
        while number < len(steps := self._wanted()):
            step = steps[number]
            move = self._page(step).run(f"Step {number + 1} of {len(steps)}: {step.title}")
            if move is Move.BACK:
                if number == 0:
                    self._terminal.say("This is the first step.")
                number = max(number - 1, 0)
            elif step in self._wanted():
                number += 1

    def _finish(self) -> int:
        self._terminal.heading("How it stands")
        self._status()
        if self._engine.next_step() is None:
            self._terminal.say("\nEvery step is verified by its checks.")
            self._open_points()
        self._terminal.lines(_LATER.splitlines())
        return self.exit_code()

    def _open_points(self) -> None:
        """What does not work yet, or could not be asked: the DNS itself is asked once more."""
        self._terminal.say("\nThe DNS is being asked ...")
        _, said = closing.dns_verdict(self._engine.look_up(self._engine.records()))
        self._terminal.lines(show.fold(said, self._terminal.width))
        points = closing.open_points(self._heard.verdicts)
        points = [one for one in points if not one.id.startswith(f"{closing.RECORDS}:")]
        if points:
            self._terminal.say("\nStill open:")
        for one in points:
            word = show.VERDICT_WORDS[one.result.outcome]
            text = f"{one.title}: {one.result.said}"
            self._terminal.lines(show.marked(word, text, width=self._terminal.width))

    def _status(self) -> None:
        colour, width = self._terminal.colour, self._terminal.width
        self._terminal.say()
        self._terminal.lines(show.status_lines(self._engine.states(), colour=colour, width=width))

    def _begun(self) -> set[str]:
        return {each.id for each in self._engine.states() if each.state not in NOT_BEGUN}

    def _wanted(self) -> tuple[Step, ...]:
        left_out = {each.id for each in self._engine.states() if each.state is State.SKIPPED}
        return tuple(step for step in self._engine.steps if step.id not in left_out)

    def _place(self, step_id: str | None) -> int:
        ids = [step.id for step in self._wanted()]
        return ids.index(step_id) if step_id in ids else len(ids)

    def _page(self, step: Step) -> Page:
        return Page(
            self._engine,
            self._terminal,
            self._packages,
            step,
            self._heard,
            assume_yes=self._assume_yes,
        )
