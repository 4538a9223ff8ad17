"""One step: explains itself, asks, shows what will change, applies, and proves itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import ClassVar

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Button, OptionList, Static

from mailwizard.errors import WizardError
from mailwizard.events import Event, Proposed
from mailwizard.model import Outcome, Step
from mailwizard.stages import State, StepPlan
from mailwizard.tui import words
from mailwizard.tui.desk import Said, Stream
from mailwizard.tui.dialogs import AskDrift, ConfirmApply
from mailwizard.tui.fields import owner
from mailwizard.tui.form import Form
from mailwizard.tui.frame import Frame
from mailwizard.tui.phases import ASK_KEYS, BUTTONS, RUN_KEYS, Phase, apply_label
from mailwizard.tui.runview import CHANGE, RunView, Section
from mailwizard.tui.textpane import TextScreen
from mailwizard.tui.widgets import ButtonRow, Push, Rows


class StepScreen(Frame):
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

    def __init__(self, step: Step) -> None:
        super().__init__()
        self.step = step
        self.phase = Phase.ASKING
        self._plan: StepPlan | None = None

    def body(self) -> ComposeResult:
        with VerticalScroll(id="ask", can_focus=False):
            yield Static(self.step.explain.strip().split("\n\n")[0], id="explain", markup=False)
            yield Section("What will change", "plan-head")
            yield Rows(id="plan")
        yield RunView()
        yield Static("", id="hint", markup=False)
        with ButtonRow(id="buttons", classes="buttons"):
            yield Push("Back", "back")
            yield Push("Answers", "answers")
            yield Push("Skip this step", "skip")
            yield Push("Apply", "apply", disabled=True)
            yield Push("Check again", "again")
            yield Push("Retry", "retry")
            yield Push("Undo step", "undo")
            yield Push("Shell", "shell")
            yield Push("Next", "next", disabled=True)

    @property
    def run_view(self) -> RunView:
        return self.query_one(RunView)

    @property
    def form(self) -> Form | None:
        return next(iter(self.query(Form)), None)

    def on_mount(self) -> None:
        self.set_phase(Phase.ASKING)
        self._load()

    @work(exclusive=True, group="load")
    async def _load(self) -> None:
        """Fetch the answers, show them, then look at what they would change."""
        await self.wizard.reload_states()
        self._show_steps()
        engine = self.wizard.engine
        values = await self.wizard.desk.ask(partial(engine.defaults, self.step.id))
        if self.form is None and self.step.questions:
            why = await self.wizard.desk.ask(partial(engine.reasons, self.step.id))
            await self.query_one("#ask").mount(Form(self.step, values, why), after="#explain")
        first = self.form.fields[0] if self.form else None
        self.set_focus(
            (first.query("*:can-focus").first() if first else None) or self._main_button()
        )
        await self._review()

    async def _review(self) -> bool:
        """Check all answers together and look at what they would change; whether they are right."""
        right = await self.form.flush() if self.form else True
        if right:
            await self._look()
        else:
            self._show_plan(None, "answer the questions first")
        return right

    async def _look(self) -> None:
        try:
            plan = await self.wizard.desk.ask(partial(self.wizard.engine.plan, self.step.id))
        except WizardError as error:
            self._show_plan(None, f"{error.message} {error.hint}".strip())
        else:
            self._show_plan(plan)

    def _show_plan(self, plan: StepPlan | None, why: str = "") -> None:
        self._plan = plan
        items = plan.items if plan else ()
        rows = []
        for item in items:
            word, note = words.summary(item)
            rows.append((item.title, words.row(word, item.title, note, CHANGE)))
        self.query_one("#plan", Rows).fill(rows)
        self.query_one("#plan").display = bool(rows)
        pending = len(plan.pending) if plan else 0
        said = f"{pending} of {len(items)} needed" if items else why or "nothing"
        self.query_one("#plan-head", Section).show(said)
        apply = self.query_one("#apply", Push)
        apply.disabled = plan is None
        apply.rename(apply_label(pending) if plan else "Apply")
        self._refresh_next()

    # Phases

    def set_phase(self, phase: Phase) -> None:
        """Show what belongs to a phase."""
        self.phase = phase
        asking = phase is Phase.ASKING
        self.query_one("#ask").display = asking
        self.query_one("#hint").display = asking
        self.run_view.display = not asking
        for button in self.query("#buttons Push"):
            button.display = button.id in BUTTONS[phase]
        if not self.step.optional:
            self.query_one("#skip").display = False
        self.show_keys(ASK_KEYS if asking else RUN_KEYS)
        self._refresh_next()
        self._show_steps()

    def _refresh_next(self) -> None:
        self.query_one("#next", Push).disabled = not self._gate_open()

    def _gate_open(self) -> bool:
        if self.phase is Phase.OPEN:
            return True
        verified = self.wizard.states[self.step.id] is State.VERIFIED
        settled = self._plan is not None and not self._plan.pending
        return self.phase is Phase.ASKING and verified and settled

    def _show_steps(self) -> None:
        steps = self.wizard.engine.steps
        number = steps.index(self.step) + 1
        self.show_steps(self.step.id, f"{number}/{len(steps)}  {self.step.title}")

    def _main_button(self) -> Push:
        return self.query_one("#next" if self._gate_open() else "#apply", Push)

    # Applying

    @work(exclusive=True, group="apply")
    async def _apply(self) -> None:
        """Check, ask about drift, confirm, wait for the packages, then go."""
        if not await self._review() or self._plan is None:
            wrong = self.form.first_wrong() if self.form else None
            if wrong is not None:
                wrong.touched = True
                wrong.judge()
                wrong.query("*:can-focus").first().focus()
            self.wizard.say("Something is not right yet; it says so beside the field.")
            return
        overwrite = await self._ask_drift(self._plan)
        if overwrite is None or not await self._confirmed():
            return
        self.run_view.begin()
        if not await self._packages_ready():
            return
        self._start(partial(self.wizard.engine.apply, self.step.id, overwrite=overwrite))

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
        pending = self._plan.pending if self._plan else ()
        if not pending:
            return True
        return await self.app.push_screen_wait(ConfirmApply(self.step.title, pending))

    async def _packages_ready(self) -> bool:
        packages = self.wizard.packages
        await self.wizard.bring_packages((self.step.id,))
        if packages.running:
            self.set_phase(Phase.WAITING)
            self.run_view.say("Waiting for the packages; F6 shows their log. Esc goes back.")
            self.query_one("#answers").focus()
        failed = await packages.finished()
        self.run_view.say("")
        if failed is not None:
            self.run_view.take([failed])
            self._broken()
        return failed is None

    def _start(self, call: Callable[[], Iterator[Event]], *, checks_only: bool = False) -> None:
        if checks_only:
            self.run_view.begin(checks_only=True)
        self.set_phase(Phase.RUNNING)
        self.set_focus(self.run_view.checks if checks_only else self.run_view.changes)
        self.wizard.begin(Stream(self, self.step.id, call))

    @on(Said)
    async def _said(self, event: Said) -> None:
        event.stop()
        self.run_view.take(event.events)
        for one in event.events:
            if isinstance(one, Proposed):
                self.wizard.switch_on(one)
        if not event.ended:
            return
        self.wizard.end(event)
        view = self.run_view
        if view.failed is not None:
            self._broken()
        elif view.gate is None:
            self._start(partial(self.wizard.engine.probe, self.step.id), checks_only=True)
        elif view.gate.open:
            self._may_go_on()
        else:
            self._stay_here()
        await self.wizard.reload_states()
        self._show_steps()

    def _may_go_on(self) -> None:
        self.set_phase(Phase.OPEN)
        count = len(self.run_view.verdicts)
        self.run_view.say(
            Content.assemble(
                ("The gate is open: ", "bold ansi_green"), f"{count} checks, none failed."
            )
        )
        self.query_one("#next").focus()

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

    @on(events.DescendantFocus)
    def _focus_moved(self) -> None:
        field = owner(self.focused)
        hint = self.form.hint(field) if field and self.form else Content("")
        self.query_one("#hint", Static).update(hint)

    @on(OptionList.OptionSelected)
    def _row_opened(self, event: OptionList.OptionSelected) -> None:
        name = event.option_id or ""
        if event.option_list.id == "checks":
            self._open_probe(name)
        elif event.option_list.id == "changes" and name in self.run_view.previews:
            text = self.run_view.previews[name]
            self.app.push_screen(TextScreen(name, text, name="change"))
        elif self._plan is not None and event.option_list.id == "plan":
            item = next(item for item in self._plan.items if item.title == name)
            text = words.three_way(item.drift) if item.drift else words.preview(item.preview)
            self.app.push_screen(TextScreen(name, text, name="change"))

    def _open_probe(self, probe_id: str) -> None:
        done = self.run_view.verdicts.get(probe_id)
        if done is not None:
            text = words.transcript(done, min(self.size.width, 100))
            self.app.push_screen(TextScreen(f"Check {done.id}", text, name=f"check-{done.id}"))

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
            self._leave()
        else:
            self.workers.cancel_group(self, "apply")
            self.set_phase(Phase.ASKING)
            self._load()

    def action_check(self) -> None:
        """Run the checks of this step again."""
        if self.wizard.busy or self.phase in {Phase.ASKING, Phase.WAITING}:
            self.wizard.say("There is nothing to check again yet; F10 applies first.")
            return
        self._start(partial(self.wizard.engine.probe, self.step.id), checks_only=True)

    def action_log(self) -> None:
        if self.phase in {Phase.ASKING, Phase.WAITING}:
            super().action_log()
        else:
            self.wizard.open_log(self.step.title, self.run_view.output, self.step.id)

    def action_copy(self) -> None:
        """Copy the check or the change in focus, else the whole output."""
        view = self.run_view
        if self.phase is Phase.ASKING:
            if self._plan is not None:
                self.wizard.copy_out(f"{self.step.id}-plan", words.plan(self._plan.items).plain)
            return
        chosen = view.checks.chosen or ""
        if view.checks.has_focus and chosen in view.verdicts:
            self.wizard.copy_out(f"check-{chosen}", words.transcript(view.verdicts[chosen]).plain)
        else:
            self.wizard.copy_out(f"{self.step.id}-log", "\n".join(view.output.kept) + "\n")

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
