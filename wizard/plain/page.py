"""One step: explained, asked, shown, confirmed, applied, and proved by its checks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum, auto

from mailwizard import show
from mailwizard.errors import WizardError
from mailwizard.events import Event, Failed, Gate, ProbeDone, Proposed
from mailwizard.heard import Heard
from mailwizard.model import Step
from mailwizard.plain.contract import Engine
from mailwizard.plain.form import Form
from mailwizard.plain.packages import Packages
from mailwizard.plain.records import LABEL, show_records
from mailwizard.plain.terminal import Leave, Terminal
from mailwizard.show import VERDICT_WORDS
from mailwizard.stages import NOT_BEGUN, StepPlan


class Move(Enum):
    """Where the walk goes from here."""

    NEXT = auto()
    BACK = auto()
    AGAIN = auto()


def leave() -> Move:
    """Stop the walk from within a menu."""
    raise Leave


Choice = tuple[str, Callable[[], "Move | None"]]


class Page:
    """The face of one step."""

    def __init__(
        self,
        engine: Engine,
        terminal: Terminal,
        packages: Packages,
        step: Step,
        heard: Heard,
        *,
        assume_yes: bool = False,
    ) -> None:
        self._engine = engine
        self._terminal = terminal
        self._packages = packages
        self._step = step
        self._heard = heard
        self._assume_yes = assume_yes
        self._checks: list[ProbeDone] = []
        self._overwrite: frozenset[str] = frozenset()

    def run(self, title: str) -> Move:
        """Walk through the step until its gate opens or the person goes elsewhere."""
        self._terminal.heading(title)
        self._terminal.lines(show.paragraphs(self._step.explain, self._terminal.width))
        form = Form(self._engine, self._terminal, self._step)
        move = Move.AGAIN
        while move is Move.AGAIN:
            if not form.ask():
                return Move.BACK
            try:
                move = self._propose()
            except WizardError as error:
                self._terminal.problem(error)
                move = self.repair()
        return move

    def check(self) -> bool:
        """Ask every probe of the step; whether its gate is open."""
        self._terminal.say(f"\nChecking {self._step.id}:")
        self._checks.clear()
        return self._follow(self._engine.probe(self._step.id))

    def undo(self) -> bool:
        """Take back what the step changed, and first what builds on it; whether it was done."""
        builds_on = self._engine.dependents((self._step.id,))
        if builds_on:
            self._terminal.say(f"\nThese steps build on it: {', '.join(builds_on)}.")
            self._terminal.say("They are taken back first.")
        question = f"Put back everything that {self._step.id} changed?"
        if self._terminal.choose(question, ("No, leave it", "Yes, take it back")) == 0:
            return False
        self._follow(self._engine.undo((*builds_on, self._step.id)))
        return True

    def repair(self) -> Move:
        """Offer what can be done about a step that is not done, until one choice leads on."""
        return self._menu(
            f"{self._step.id} is not done. What next?",
            (
                ("Check again (changes nothing)", lambda: self._opened(self.check())),
                ("Try again: apply what is missing, then check", self._apply),
                ("Change the answers", lambda: Move.AGAIN),
                ("Show the dialogue of a check", self.dialogue),
                (LABEL, self._records),
                self._undoing(),
                ("A shell on this host; `exit` comes back here", self._engine.shell),
                ("Back to the previous step", lambda: Move.BACK),
                *(self._leaving_out() if not self._set_up() else ()),
                ("Stop here; everything is saved", leave),
            ),
        )

    def dialogue(self) -> None:
        """Show the conversation of the check that the person picks, the worst first."""
        checks = sorted(self._checks, key=lambda done: -done.result.outcome.severity)
        if not checks:
            self._terminal.say("No check has been asked yet.")
            return
        words = [f"{VERDICT_WORDS[one.result.outcome]}: {one.id} {one.title}" for one in checks]
        picked = self._terminal.choose("The dialogue of which check?", [*words, "None of them"])
        if picked < len(checks):
            self._terminal.say()
            self._terminal.lines(show.dialogue_lines(checks[picked], width=self._terminal.width))

    def _records(self) -> None:
        show_records(self._engine, self._terminal)

    def _propose(self) -> Move:
        """Show what would change and let the person decide."""
        if not self._packages_in_place():
            return self.repair()
        plan = self._engine.plan(self._step.id)
        self._show(plan)
        if plan.drifted:
            self._settle_drift(plan)
            plan = self._engine.plan(self._step.id)
        if self._assume_yes:
            return self._apply() or self.repair()
        return self._menu(f"What shall be done with {self._step.id}?", self._decisions(plan))

    def _decisions(self, plan: StepPlan) -> tuple[Choice, ...]:
        do = "Apply these changes, then check" if plan.pending else "Check it now"
        choices: list[Choice] = [
            (do, lambda: self._apply() or self.repair()),
            ("Show the changes again", lambda: self._show(plan)),
            (LABEL, self._records),
            ("Change the answers", lambda: Move.AGAIN),
            ("Back to the previous step", lambda: Move.BACK),
        ]
        choices += [self._undoing()] if self._set_up() else self._leaving_out()
        return (*choices, ("Stop here; everything is saved", leave))

    def _set_up(self) -> bool:
        states = self._engine.states()
        return any(s.id == self._step.id and s.state not in NOT_BEGUN for s in states)

    def _undoing(self) -> Choice:
        return "Undo this step", lambda: Move.AGAIN if self.undo() else None

    def _leaving_out(self) -> list[Choice]:
        """What stays in place unchecked would not be left out: for steps that are not set up."""
        if not self._step.optional:
            return []
        return [(f"Leave {self._step.id} out", self._leave_out)]

    def _packages_in_place(self) -> bool:
        """Whether this step's own are there; those of another step must not hold it up."""
        own = self._step.id
        self._packages.offer(own, assume_yes=self._assume_yes)
        return self._packages.wait() or not self._engine.missing_packages((own,))

    def _show(self, plan: StepPlan) -> None:
        colour, width = self._terminal.colour, self._terminal.width
        self._terminal.say()
        self._terminal.lines(show.plan_lines(plan, colour=colour, width=width))

    def _settle_drift(self, plan: StepPlan) -> None:
        """Ask about every edit by hand; `--yes` does not answer this one."""
        self._overwrite = frozenset()
        for item in plan.drifted:
            assert item.drift is not None
            colour, width = self._terminal.colour, self._terminal.width
            self._terminal.say()
            self._terminal.lines(show.marked("warn", item.title, colour=colour, width=width))
            self._terminal.lines(show.drift_lines(item.drift, colour=colour, width=width))
            choices = ("Keep what is there now", "Replace it", "Stop here; nothing is written")
            picked = self._terminal.choose("Whose version shall it be?", choices)
            if picked == 0:
                self._engine.keep(self._step.id, (item.title,))
            elif picked == 1:
                self._overwrite |= {item.title}
            else:
                leave()

    def _apply(self) -> Move | None:
        """Make the changes and ask the checks; None when the step is not done after it."""
        if not self._packages_in_place():
            return None
        self._terminal.say(f"\nApplying {self._step.id}:")
        if self._follow(self._engine.apply(self._step.id, overwrite=self._overwrite)):
            return self._opened(self.check())
        self._terminal.say(f"The whole log: {self._engine.log_path(self._step.id)}")
        return None

    def _leave_out(self) -> Move:
        self._engine.set_enabled(self._step.id, False)
        return Move.NEXT

    def _follow(self, stream: Iterable[Event]) -> bool:
        """Show events as they arrive; False when something failed or the gate stayed closed."""
        well = True
        for event in stream:
            self._terminal.event(event)
            self._heard.take([event])
            if isinstance(event, Proposed):
                self._engine.set_enabled(event.proposal, True)
                self._terminal.say("It is switched on; at its turn it can be left out again.")
            if isinstance(event, ProbeDone):
                self._checks.append(event)
            if isinstance(event, Failed) or (isinstance(event, Gate) and not event.open):
                well = False
        return well

    def _opened(self, gate_open: bool) -> Move | None:
        return Move.NEXT if gate_open else None

    def _menu(self, question: str, choices: tuple[Choice, ...]) -> Move:
        while True:
            _, act = choices[self._terminal.choose(question, [text for text, _ in choices])]
            try:
                move = act()
            except WizardError as error:
                self._terminal.problem(error)
                continue
            if move is not None:
                return move
