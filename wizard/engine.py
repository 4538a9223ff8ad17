"""plan -> confirm -> apply -> probe over one host, as a stream of events; knows no screen."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mailwizard import following, gating, keeping, making, needed, planning, remembered, transaction
from mailwizard.answers import Answers, Complaint, refuse
from mailwizard.errors import BadUsage, ProofFailed, WizardError
from mailwizard.events import (
    AlreadySo,
    ChangeDone,
    ChangeStarted,
    Drifted,
    Event,
    Failed,
    Gate,
    ProbeDone,
    Proposed,
    StepStarted,
)
from mailwizard.host import LocalHost
from mailwizard.journal import Journal
from mailwizard.model import Context, Outcome, Probe, Record, SecretRef, Step
from mailwizard.probing import ask_all
from mailwizard.runlog import logged
from mailwizard.stages import State, StepPlan, StepStatus
from mailwizard.subjects import path_of
from mailwizard.together import made_together
from mailwizard.undoing import undo

if TYPE_CHECKING:
    from mailwizard.dkim import Standing
    from mailwizard.dnsdesk.finding import Finding

STALE = 2.0  # seconds; while somebody types complaints are asked for sooner again


class Engine:
    """One host, its steps and answers; every face drives it the same way."""

    def __init__(
        self, steps: Sequence[Step], answers: Answers, host: LocalHost, journal: Journal
    ) -> None:
        self.steps = tuple(steps)
        self.answers = answers
        self.host = host
        self.journal = journal
        self._looked = 0.0
        self._settled: set[str] = set()  # made just now: until the gate nothing of it is due
        self._found: tuple[Mapping[str, Mapping[str, Any]], list[Complaint]] | None = None

    def step(self, step_id: str) -> Step:
        return next(step for step in self.steps if step.id == step_id)

    def enabled(self, step_id: str) -> bool:
        step = self.step(step_id)
        return not step.optional or self.answers.enabled(step_id, default=step.proposed)

    def wanted(self) -> list[Step]:
        """The steps that are switched on, in order."""
        return [step for step in self.steps if self.enabled(step.id)]

    def recover(self) -> None:
        """After a run that was killed: nothing half-written is left beside our files."""
        for entry in self.journal.entries():
            for path in filter(None, map(path_of, entry.subjects)):
                self.host.sweep(path)
        transaction.recover(self.host, self.journal)

    # answers -------------------------------------------------------------------------------

    def set_answer(self, step_id: str, key: str, value: Any) -> None:
        """Check and keep one answer, at once on disk; raises BadAnswer."""
        answers = self.answers.with_value(step_id, key, value)
        if answers.given(step_id, key) != self.defaults(step_id).get(key):
            planning.outdate(self.journal, self.steps, step_id)
            answers = following.followed(self.answers, answers, self.host)
        self.answers = answers
        self.remember()

    def set_enabled(self, step_id: str, on: bool) -> None:
        if on is not self.enabled(step_id):
            planning.outdate(self.journal, self.steps, step_id)
        self.answers = self.answers.with_value(step_id, "enabled", on)
        self.remember()

    def remember(self) -> None:
        """Keep the answers as given, at once on disk, for a later resume, check or export."""
        self._found = None
        self._settled.clear()
        remembered.save(self.host, self.answers)

    def _examined(self) -> tuple[Mapping[str, Mapping[str, Any]], list[Complaint]]:
        """Every value that can be had and all that is wrong, as the host was when last changed."""
        if self._found is None:
            self._found = self.answers.examine(self.steps, self.host)
            self._looked = time.monotonic()
        return self._found

    def resolved(self) -> Mapping[str, Mapping[str, Any]]:
        """All answers, checked, defaults filled in; raises BadAnswer."""
        found, complaints = self._examined()
        refuse(complaints)
        return found

    def defaults(self, step_id: str) -> dict[str, Any]:
        """What to show for each question: the given value, else the default."""
        found, _ = self._examined()
        given = self.answers.values.get(step_id, {})
        return {
            question.name: found.get(step_id, {}).get(question.name, given.get(question.name))
            for question in self.step(step_id).questions
        }

    def reasons(self, step_id: str) -> dict[str, str]:
        """Question -> why its default is what it is on this host; of most there is none."""
        context = Context(step_id, self._examined()[0], self.host)
        return planning.reasons(context, self.step(step_id))

    def complaints(self, step_id: str) -> list[tuple[str, str]]:
        """(question, what is wrong) for one step's answers as they stand."""
        # what was wrong a while ago may be mended by now, in another terminal
        if self._found and self._found[1] and time.monotonic() - self._looked > STALE:
            self._found = None
        _, complaints = self._examined()
        mine = (found for found in complaints if found[0].partition(".")[0] == step_id)
        return [(key.partition(".")[2], said) for key, said in mine]

    def context(self, step_id: str) -> Context:
        """What the step may know; raises BadUsage over its own answers and those before it."""
        if not self.enabled(step_id):
            hint = f"It would be wanted with `enabled = true` under [{step_id}] in the answers."
            raise BadUsage(f"the step '{step_id}' is left out", hint=hint)
        found, complaints = self._examined()
        settled = [step.id for step in self.steps[: self.steps.index(self.step(step_id)) + 1]]
        refuse([each for each in complaints if each[0].partition(".")[0] in settled])
        return Context(step_id, found, self.host)

    # looking -------------------------------------------------------------------------------

    def plan(self, step_id: str) -> StepPlan:
        """Every change of the step as it stands now; touches nothing."""
        return planning.plan(self.journal, self.context(step_id), self.step(step_id))

    def standing(self, step_ids: Sequence[str]) -> tuple[StepPlan, ...]:
        """The plans of these steps where nothing is to be installed or changed; else none."""
        if self.missing_packages(step_ids):
            return ()
        plans: list[StepPlan] = []
        for step_id in step_ids:
            plans.append(self.plan(step_id))
            if plans[-1].pending:
                return ()
        return tuple(plans)

    def states(self) -> list[StepStatus]:
        return [
            planning.status(self.journal, self.host, step, self.enabled(step.id))
            for step in self.steps
        ]

    def next_step(self) -> str | None:
        """The first step that is neither verified nor skipped."""
        wanted = zip(self.steps, self.states(), strict=True)
        left = (s.id for s, now in wanted if self.enabled(s.id) and now.state is not State.VERIFIED)
        return next(left, None)

    def dependents(self, step_ids: Iterable[str]) -> tuple[str, ...]:
        """Applied steps that were built on these and would have to be undone with them."""
        return planning.dependents(self.journal, self.steps, step_ids)

    def log_path(self, step_id: str) -> str:
        """Everything that was done and heard in this step, all runs of it."""
        return f"{self.host.state_dir}/log/{step_id}.log"

    def _logged(self, events: Iterator[Event]) -> Iterator[Event]:
        self.host.make_dir(f"{self.host.state_dir}/log", 0o700)
        return logged(events, self.log_path)

    def records(self) -> list[Record]:
        """What the steps that are switched on need in the DNS, as far as answers tell it."""
        return needed.records(self.wanted(), self._examined()[0], self.host)

    def spent_records(self) -> list[Record]:
        """Records of signing keys that are gone: they may be taken out."""
        from mailwizard.dkim.stages import NOTE, spent_records

        return spent_records(self.journal.noted(NOTE))

    def look_up(self, records: Sequence[Record], *, patient: bool = False) -> list[Finding]:
        """Each record beside what the DNS answers; takes seconds, and any thread may call it."""
        from mailwizard.dnsdesk import look

        return look(self.host, records, patient=patient)

    def signing_keys(self) -> Standing:
        """Where each signing key stands; takes seconds while a record is waited for."""
        from mailwizard.dkim import standing

        return standing(self)

    # changing ------------------------------------------------------------------------------

    def rotate_key(self) -> Iterator[Event]:
        """Change the signing keys, as far as it goes now; ends with Finished."""
        from mailwizard.dkim import rotate

        return rotate(self)

    def abandon_key(self) -> Iterator[Event]:
        """Take away the keys that do not sign yet; ends with Finished."""
        from mailwizard.dkim import abandon

        return abandon(self)

    def missing_packages(self, step_ids: Iterable[str]) -> tuple[str, ...]:
        """What the steps need and is not installed, as far as their answers tell it."""
        return transaction.due(self.host, self.journal, self._roles(step_ids))

    def mail_left(self, missing: Sequence[str]) -> list[str]:
        """What becomes of mail of a server before Postfix, and settings of others that stay."""
        return planning.told(self.journal, self.host, missing)

    def _roles(self, step_ids: Iterable[str]) -> list[str]:
        found, roles = self._examined()[0], set[str]()
        for step_id in step_ids:
            # asked for before the questions, maybe; most depend on no answer
            with contextlib.suppress(KeyError):
                roles |= set(self.step(step_id).packages(Context(step_id, found, self.host)))
        return sorted(roles)

    def prepare(self, step_ids: Iterable[str]) -> Iterator[Event]:
        """One package transaction for all these steps; nothing is started by it."""
        return self._logged(transaction.install(self.host, self.journal, self._roles(step_ids)))

    def apply(self, step_id: str, *, overwrite: frozenset[str] = frozenset()) -> Iterator[Event]:
        """Make the step's due changes; ends with Failed when one of them did not come to be."""
        yield from self._logged(self._apply(step_id, overwrite))

    def affirm(self, plans: Iterable[StepPlan]) -> Iterator[Event]:
        """Tell of each change of these plans, none of which is due, that it is there."""
        plans = tuple(plans)
        self._settled |= {plan.step.id for plan in plans}
        yield from self._logged(planning.affirmed(plans))

    def _apply(self, step_id: str, overwrite: frozenset[str]) -> Iterator[Event]:
        yield StepStarted(step_id, self.step(step_id).title)
        try:
            items = planning.pending(self.journal, self.context(step_id), self.step(step_id))
            drifted = [i for i in items if i.drift and i.change.title not in overwrite]
            for item in drifted:
                assert item.drift is not None
                yield Drifted(step_id, item.change.title, item.drift.parts, item.drift.diff)
            if drifted:
                hint = "Keep the edits or let them be replaced; see `mailwizard plan`."
                yield Failed(step_id, "edited by hand since; nothing was written over it", hint)
                return
            for item in items:
                yield from made_together(self, step_id, item, self._make)
            self._settled.add(step_id)
        except WizardError as failed:
            yield from self._failed(step_id, failed)

    def removable_packages(self, step_ids: Iterable[str] = ()) -> tuple[str, ...]:
        """Packages that are here because of us, and could go once these steps are undone."""
        return transaction.removable(self.host, self.journal, step_ids)

    def keep(self, step_id: str, titles: Iterable[str]) -> None:
        """The administrator's edits stand: these changes are not due while they last."""
        items = planning.pending(self.journal, self.context(step_id), self.step(step_id))
        kept = (item.change for item in items if item.change.title in titles)
        keeping.keep(self.journal, self.host, step_id, kept)

    def probe(self, *step_ids: str) -> Iterator[Event]:
        """Ask these steps' probes together, and the critical ones before; a Gate for each."""
        probes = [(step_ids[0], p) for p in self.probes(step_ids[0], with_critical=True)]
        probes += [(step_id, p) for step_id in step_ids[1:] for p in self.probes(step_id)]
        yield from self._logged(self._judged(gating.asking(probes, step_ids)))

    def probe_again(
        self, heard: Sequence[ProbeDone], again: Sequence[ProbeDone]
    ) -> Iterator[Event]:
        """Ask some of what was heard once more; a new Gate for each step that this concerns."""
        yield from self._logged(self._judged(gating.once_more(heard, again, self.probes)))

    def _judged(self, asking: gating.Asking) -> Iterator[Event]:
        begun = time.monotonic()
        for event in ask_all(self.host, asking.probes):
            yield event
            if isinstance(event, ProbeDone) and asking.hear(event):
                yield from self._proposed(event)
        for step_id in asking.outcomes:
            verdict, broken = asking.verdict(step_id)
            if broken:
                yield from self._restore(step_id)
            changes = len(self.journal.since_gate(step_id))
            is_open = verdict is not Outcome.FAIL
            self.journal.gate(step_id, is_open, verdict)
            if is_open and self._is_due(step_id):
                # what was proved is not what the answers want
                self.journal.outdate(step_id)
            self._settled.discard(step_id)
            yield Gate(step_id, is_open, verdict, changes, time.monotonic() - begun)

    def _is_due(self, step_id: str) -> bool:
        """Whether the step still has something to change, or cannot tell."""
        with contextlib.suppress(WizardError):
            return step_id not in self._settled and bool(self.plan(step_id).pending)
        return True

    def _proposed(self, heard: ProbeDone) -> Iterator[Event]:
        for step in self.steps:
            decided = self.answers.decided(step.id) or self.enabled(step.id)
            if step.id == heard.result.suggests and step.optional and not decided:
                yield Proposed(heard.step, step.id, step.title, heard.result.said)

    def probes(self, step_id: str, *, with_critical: bool = False) -> list[Probe]:
        """The step's probes; with_critical adds those that hold at every gate (R28)."""
        step, context = self.step(step_id), self.context(step_id)
        found = list(keeping.besides(self.journal, self.host, step.probes(context)))
        if records := tuple(step.records(context)):
            from mailwizard.dnsdesk.probe import RecordsPublished

            found.append(RecordsPublished(step_id, records))
        if with_critical:
            known = {probe.id for probe in found}
            for other in self.wanted():
                if other.id == step_id:
                    break
                before = other.probes(self.context(other.id))
                found += [p for p in before if p.critical and p.id not in known]
        return found

    def undo(self, step_ids: Iterable[str], *, packages: bool = False) -> Iterator[Event]:
        """Everything these steps changed is as it was before."""
        ids = list(step_ids)
        # "step.part" is what was done beside a step, and goes back with it
        entries = [e for e in self.journal.entries() if e.step.partition(".")[0] in ids]
        if packages:
            if not self.removable_packages(ids):
                raise BadUsage("packages are removed with the last of the steps, and not before")
            entries += self.journal.entries(transaction.STEP)
        self._settled.clear()
        # first: a step that is half undone has no verdict
        for step_id in ids:
            self.journal.forget_gates(step_id)
        yield from undo(self.journal, self.host, entries, packages=packages)

    def report_crash(self, error: BaseException) -> str:
        """A 0600 report of what broke, without the values of variables; its path."""
        from mailwizard.crash import report

        return report(self.host, error)

    def keep_secret(self, step_id: str, key: str, typed: str) -> None:
        """Put a typed secret into a 0600 file of its own and let the answer point to it."""
        path = f"{self.host.state_dir}/secrets/{step_id}.{key}"
        self.host.make_dir(f"{self.host.state_dir}/secrets", 0o700)
        self.host.write(path, f"{typed}\n".encode(), mode=0o600)
        planning.outdate(self.journal, self.steps, step_id)
        self.set_answer(step_id, key, SecretRef(file=path))

    def save_text(self, name: str, text: str) -> str:
        """Write a copied text to a 0600 file in the state folder; its path."""
        path = f"{self.host.state_dir}/copied/{name}"
        self.host.make_dir(f"{self.host.state_dir}/copied", 0o700)
        self.host.write(path, text.encode(), mode=0o600)
        return path

    def shell(self) -> None:
        """The administrator's shell on this terminal, until it ends."""
        self.host.shell()
        self._found = None

    def _make(self, step_id: str, item: planning.Pending) -> Iterator[Event]:
        change = item.change
        # what was made just now may have made this due
        if not item.due and not change.needed(self.host):
            yield AlreadySo(step_id, change.title)
            return
        preview, begun = change.preview(self.host), time.monotonic()
        yield ChangeStarted(step_id, change.title, preview.text, preview.is_diff)
        making.make(self.host, self.journal, step_id, change)
        yield ChangeDone(step_id, change.title, time.monotonic() - begun)

    def _restore(self, step_id: str) -> Iterator[Event]:
        """Back to the configuration that last passed its gate."""
        yield from undo(self.journal, self.host, self.journal.since_gate(step_id))

    def _failed(self, step_id: str, failed: WizardError) -> Iterator[Event]:
        tail, hint = tuple(getattr(failed, "tail", ())), failed.hint
        if isinstance(failed, ProofFailed):
            yield from self._restore(step_id)
            hint = f"{hint} The previous configuration was put back.".strip()
        yield Failed(step_id, failed.message, hint or "Correct the cause, then try again.", tail)
