"""One step: explains itself, asks, shows what will change, applies, and proves itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Button

from mailwizard.events import Event, Failed, Proposed
from mailwizard.model import Outcome
from mailwizard.stages import State, StepPlan
from mailwizard.tui import words
from mailwizard.tui.desk import Said, Stream
from mailwizard.tui.dialogs import AskDrift, ConfirmApply, Notice
from mailwizard.tui.form import Form
from mailwizard.tui.phases import ASK_KEYS, Phase
from mailwizard.tui.stepface import StepFace


class StepScreen(StepFace):
    """The next step opens when the checks of this one pass, and not before."""

    KEYS = ASK_KEYS
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", show=False),
        Binding("f5", "check", show=False),
        Binding("f6", "log", show=False),
        Binding("f8", "copy", show=False),
        Binding("f10", "forward", show=False),
        Binding("question_mark", "app.help", show=False),
    ]

    # Applying

    @work(exclusive=True, group="apply")
    async def _apply(self) -> None:
        """Check, ask about drift, confirm, wait for the packages, then go."""
        if not await self._review() or self._plan is None:
            self._show_wrong()
            return
        overwrite = await self._ask_drift(self._plan)
        if overwrite is None or not await self._confirmed():
            return
        self.run_view.begin()
        if not await self._packages_ready():
            return
        self._start(partial(self.wizard.engine.apply, self.step.id, overwrite=overwrite))

    def _show_wrong(self) -> None:
        """Lead to what is not right: a field of this step, or an answer given on another one."""
        if self._trouble is not None:
            self.app.push_screen(Notice(self._trouble))
            return
        wrong = self.form.first_wrong() if self.form else None
        if wrong is not None:
            wrong.touched = True
            wrong.judge()
            wrong.query("*:can-focus").first().focus()
        self.wizard.say("Something is not right yet; it says so beside the field.")

    async def _ask_drift(self, plan: StepPlan) -> frozenset[str] | None:
        replace: set[str] = set()
        keep: set[str] = set()
        for item in plan.drifted:
            answer = await self.app.push_screen_wait(AskDrift(item))
            if not answer:
                return None
            (replace if answer == "replace" else keep).add(item.title)
        if keep:
            kept = partial(self.wizard.engine.keep, self.step.id, frozenset(keep))
            await self.wizard.desk.tell(kept)
            await self._look()
        return frozenset(replace)

    async def _confirmed(self) -> bool:
        """Consent to the changes, and to packages that were not agreed to with the others."""
        engine, ask = self.wizard.engine, self.wizard.desk.ask
        missing = await ask(partial(engine.missing_packages, (self.step.id,)))
        new = tuple(name for name in missing if name not in self.wizard.agreed)
        pending = self._plan.pending if self._plan else ()
        if not pending and not new:
            return True
        left = await ask(partial(engine.mail_left, new))
        if not await self.app.push_screen_wait(ConfirmApply(self.step.title, pending, new, left)):
            return False
        self.wizard.agreed.update(new)
        self._late = bool(new) and self.wizard.packages.running
        return True

    async def _packages_ready(self) -> bool:
        await self.wizard.bring_packages((self.step.id,))
        failed = await self._packages_ended()
        if self._late and failed is None:
            # what was agreed to just now was not in the transaction under way
            await self.wizard.bring_packages((self.step.id,))
            failed = await self._packages_ended()
        self.run_view.say("")
        if failed is not None:
            self.run_view.take([failed])
            self._broken()
        return failed is None

    async def _packages_ended(self) -> Failed | None:
        """Wait for a transaction that is under way; what went wrong in the last one."""
        if self.wizard.packages.running:
            self.set_phase(Phase.WAITING)
            self.run_view.say("Waiting for the packages; F6 shows their log. Esc goes back.")
            self.query_one("#answers").focus()
        return await self.wizard.packages.finished()

    def _start(self, call: Callable[[], Iterator[Event]], *, checks_only: bool = False) -> None:
        if self.wizard.busy:  # a key is being changed, on the screen above this one
            self.let_go()
            self.wizard.say(words.AT_WORK)
            return
        if checks_only:
            self.run_view.begin(checks_only=True)
        self.set_phase(Phase.RUNNING)
        self.set_focus(self.run_view.checks if checks_only else self.run_view.changes)
        self.wizard.begin(Stream(self, self.step.id, call))

    @on(Said)
    async def _said(self, event: Said) -> None:
        event.stop()
        self.wizard.heard.take(event.events)
        self.run_view.take(event.events)
        for one in event.events:
            if isinstance(one, Proposed):
                self.wizard.switch_on(one)
        if not event.ended:
            return
        view = self.run_view
        if event.crash is None and (view.failed or view.gate):
            # before the end: until then no other work begins
            await self.wizard.reload_states()
            self._show_steps()
        self.wizard.end(event)
        if view.failed is not None:
            self._broken()
        elif view.gate is None:
            self._start(partial(self.wizard.engine.probe, self.step.id), checks_only=True)
        elif view.gate.open:
            self._may_go_on()
        else:
            self._stay_here()

    def _may_go_on(self) -> None:
        if self.wizard.states[self.step.id] is State.APPLIED:
            self._not_as_answered()
            return
        self.set_phase(Phase.OPEN)
        count = len(self.run_view.verdicts)
        self.run_view.say(
            Content.assemble(
                ("The gate is open: ", "bold ansi_green"), f"{count} checks, none failed."
            )
        )
        self.query_one("#next").focus()

    def _not_as_answered(self) -> None:
        """The checks prove what is there, and the answers want something else by now."""
        self.set_phase(Phase.CLOSED)
        self.run_view.say(f"No check failed, but changes are still to be made. {words.TO_CHANGES}")
        self.query_one("#answers").focus()

    def _stay_here(self) -> None:
        self.set_phase(Phase.CLOSED)
        verdicts = self.run_view.verdicts.values()
        fails = sum(done.result.outcome is Outcome.FAIL for done in verdicts)
        said = f"{fails} of {len(verdicts)} checks failed. Enter on one shows its dialogue."
        self.run_view.say(Content.assemble(("The gate stays closed: ", "bold ansi_red"), said))
        failed = self.run_view.first_failed()
        if failed is not None:
            self.run_view.checks.choose(failed.id)
            self.set_focus(self.run_view.checks)
            self._open_probe(failed.id)

    def _broken(self) -> None:
        self.set_phase(Phase.BROKEN)
        self.query_one("#retry").focus()

    # What is chosen and pressed

    @on(Form.Saved)
    def _saved(self, event: Form.Saved) -> None:
        event.stop()
        if self.phase is Phase.ASKING:
            self._replan(event.right)

    @work(exclusive=True, group="plan")
    async def _replan(self, right: bool) -> None:
        if right:
            if self.wizard.packages.failed is None:
                await self.wizard.bring_packages()
            await self._look()
        else:
            self._show_plan(None, "answer the questions first")

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        actions: dict[str, Callable[[], object]] = {
            "back": self.action_back,
            "answers": self.action_back,
            "apply": self._apply,
            "again": self.action_check,
            "retry": self._apply,
            "next": self._next,
            "shell": self.wizard.action_shell,
            "undo": self._undo,
            "skip": self._skip,
        }
        actions[event.button.id or ""]()

    def _next(self) -> None:
        if self._gate_open():
            self.wizard.go_beside(self.step.id, 1)

    @work(exclusive=True, group="go")
    async def _skip(self) -> None:
        await self.wizard.desk.tell(partial(self.wizard.engine.set_enabled, self.step.id, False))
        await self.wizard.reload_states()
        self.wizard.say(f"{self.step.title} is skipped; the first screen turns it on again.")
        self.wizard.go_beside(self.step.id, 1)

    def _undo(self) -> None:
        self.wizard.action_undo_step(self.step.id)

    @work(exclusive=True, group="go")
    async def _leave(self) -> None:
        if self.form:
            await self.form.flush()
        self.wizard.go_beside(self.step.id, -1)

    # Keys

    def action_back(self) -> None:
        if self.wizard.busy:
            self.wizard.say("A command is running; Esc waits. F6 shows the whole log.")
        elif self.phase is Phase.ASKING:
            self.let_go()
            self._leave()
        else:
            self.let_go()
            self.set_phase(Phase.ASKING)
            self._load()

    def let_go(self) -> None:
        super().let_go()
        if self.phase is Phase.WAITING:
            self.set_phase(Phase.ASKING)

    def action_check(self) -> None:
        """Run the checks of this step again."""
        if self.wizard.busy:
            self.wizard.say(words.AT_WORK)
            return
        if self.phase is Phase.WAITING or (self.phase is Phase.ASKING and not self._set_up):
            self.wizard.say("There is nothing to check again yet; F10 applies first.")
            return
        self._start(partial(self.wizard.engine.probe, self.step.id), checks_only=True)

    def action_forward(self) -> None:
        """Apply; or on to the next step once the gate is open."""
        if self.wizard.busy or self.phase is Phase.WAITING:
            return
        if self._gate_open():
            self._next()
        elif self.phase is Phase.ASKING:
            self._apply()
        else:
            self.wizard.say("The gate is closed: F5 checks again, Esc goes to the answers.")
