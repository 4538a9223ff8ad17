"""What a step shows: its answers, its plan, what happened, and the buttons that fit."""

from __future__ import annotations

from functools import partial

from textual import events, on, work
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import OptionList, Static

from mailwizard.errors import WizardError
from mailwizard.model import Step
from mailwizard.stages import NOT_BEGUN, State, StepPlan
from mailwizard.tui import words
from mailwizard.tui.fields import owner
from mailwizard.tui.form import Form
from mailwizard.tui.frame import Frame
from mailwizard.tui.phases import (
    ALL_BUTTONS,
    ASK_KEYS,
    ASK_KEYS_AGAIN,
    BUTTONS,
    RUN_KEYS,
    Phase,
    apply_label,
)
from mailwizard.tui.runview import CHANGE, RunView, Section
from mailwizard.tui.textpane import TextScreen
from mailwizard.tui.widgets import ButtonRow, Push, Rows


class StepFace(Frame):
    """Everything of a step that only looks; nothing here begins anything."""

    def __init__(self, step: Step) -> None:
        super().__init__()
        self.step = step
        self.phase = Phase.ASKING
        self._plan: StepPlan | None = None
        self._trouble: WizardError | None = None
        self._late = False

    def body(self) -> ComposeResult:
        with VerticalScroll(id="ask", can_focus=False):
            yield Static(self.step.explain.strip().split("\n\n")[0], id="explain", markup=False)
            yield Section("What will change", "plan-head")
            yield Rows(id="plan")
            yield Static("", id="trouble", markup=False)
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

    def judge_anew(self) -> None:
        if self.phase is Phase.ASKING and self.form and self.form.complained:
            self._judge_anew()

    @work(exclusive=True, group="anew")
    async def _judge_anew(self) -> None:
        await self._review()

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
            self._show_plan(None, "cannot be told yet", self._with_the_way(error))
        else:
            self._show_plan(plan)

    def _with_the_way(self, error: WizardError) -> WizardError:
        """The error, and how to get to the answer that it is about."""
        earlier = getattr(error, "key", "").partition(".")[0]
        titles = [s.title for s in self.wizard.engine.steps if s.id == earlier != self.step.id]
        way = "".join(f"Change that answer on its own screen: Ctrl+P, Go to: {t}" for t in titles)
        return WizardError(error.message, hint=way or error.hint)

    def _show_plan(
        self, plan: StepPlan | None, why: str = "", trouble: WizardError | None = None
    ) -> None:
        self._plan = plan
        self._trouble = trouble
        said = f"{trouble.message}\n{trouble.hint}" if trouble else ""
        self.query_one("#trouble", Static).update(words.seen(said))
        self.query_one("#trouble").display = bool(said)
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
        self._refresh_buttons()

    # Phases

    def set_phase(self, phase: Phase) -> None:
        """Show what belongs to a phase."""
        self.phase = phase
        asking = phase is Phase.ASKING
        self.query_one("#ask").display = asking
        self.query_one("#hint").display = asking
        self.run_view.display = not asking
        self._refresh_buttons()
        self._show_steps()

    @property
    def _set_up(self) -> bool:
        return self.wizard.states[self.step.id] not in NOT_BEGUN

    def _refresh_buttons(self) -> None:
        """Only what makes sense now: a step that is set up is undone or tested, not skipped."""
        for button in self.query("#buttons Push"):
            button.display = button.id in BUTTONS[self.phase]
        if self.phase is Phase.ASKING:
            self.query_one("#skip").display = self.step.optional and not self._set_up
            self.query_one("#undo").display = self._set_up
            self.show_keys(ASK_KEYS_AGAIN if self._set_up else ASK_KEYS)
        else:
            self.show_keys(RUN_KEYS)
        narrow = self.size.width < ALL_BUTTONS
        self.query_one("#undo", Push).rename("Undo" if narrow else "Undo step")
        if narrow:
            self.query_one("#shell").display = False
        self.query_one("#next", Push).disabled = not self._gate_open()

    def on_resize(self) -> None:
        self._refresh_buttons()

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

    # What is chosen to be read

    @on(events.DescendantFocus)
    def _focus_moved(self) -> None:
        field = owner(self.focused)
        hint = self.form.hint(field) if field and self.form else Content("")
        self.query_one("#hint", Static).update(hint)
        self.judge_anew()

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
