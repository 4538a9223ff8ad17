"""What each command does: opens the host and the journal as far as it must, and says the result."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from mailwizard import consent, planning, platform, remembered, show, trouble, unattended
from mailwizard.answers import Answers, example
from mailwizard.engine import Engine
from mailwizard.errors import BadAnswer, BadUsage, HostRefused, WizardError, for_root_alone
from mailwizard.events import Event, Finished, Output, ProbeDone
from mailwizard.host import LocalHost
from mailwizard.journal import Journal
from mailwizard.lock import held
from mailwizard.model import Outcome, Step, worst
from mailwizard.probing import ask_all
from mailwizard.steps import STEPS
from mailwizard.subjects import PUBLISHED

ROTATION = "dkim"
"""What `undo` calls a change of keys; no step has this name."""


def run(options: argparse.Namespace) -> int:
    """One command, its exit code."""
    name = options.command or "wizard"
    return COMMANDS[name](options)


def wizard(options: argparse.Namespace) -> int:
    """The walk, full screen or line by line."""
    from mailwizard.terminal import problem_here

    if not sys.stdin.isatty():
        hint = (
            "Without one: mailwizard apply -a ANSWERS --yes. `mailwizard answers` prints a start."
        )
        raise BadUsage("there is no terminal to ask questions on", hint=hint)
    if not options.plain and (problem := problem_here()):
        raise BadUsage(problem)
    with _changing(options) as engine:
        if options.plain:
            from mailwizard.plain import run_plain

            return run_plain(engine, assume_yes=options.yes)
        from mailwizard.tui import run_tui

        return run_tui(engine)


def plan(options: argparse.Namespace) -> int:
    """Every change that would be made; 10 when there are any."""
    answers = Answers.load(options.answers, STEPS)
    engine = _looking(options, answers)
    refusal = consent.doubt(engine.host.platform, options.unproven or answers.accepted)
    if refusal and not options.unproven:
        print(f"mailwizard: {refusal.message}\n{refusal.hint}", file=sys.stderr)
    # everything that is wrong in the file is said at once, as `apply` would
    engine.resolved()
    planning.need_undone(engine.journal, STEPS, engine.wanted())
    plans = [engine.plan(step_id) for step_id in _chosen(engine, options.steps)]
    missing = engine.missing_packages([plan.step.id for plan in plans])
    left = engine.mail_left(missing)
    if options.json:
        print(json.dumps(show.plan_json(plans, missing, left), indent=1))
    else:
        colour = show.colour_wanted(sys.stdout)
        install = [f"Packages to install: {', '.join(missing)}"] if missing else []
        if install or left:
            _print([*install, *left, ""])
        for one in plans:
            _print(show.plan_lines(one, colour=colour, width=None))
    return 10 if missing or any(one.pending for one in plans) else 0


def apply(options: argparse.Namespace) -> int:
    """plan, apply, probe, unattended."""
    answers = Answers.load(options.answers, STEPS)
    options.accepted = answers.accepted
    named = _known(options.steps)
    consent.need_somebody(options)
    # wrong answers are refused before there is so much as a state folder
    host = _host_to_change(options)
    found = answers.resolve(STEPS, host)
    wanted = [s for s in STEPS if not s.optional or answers.enabled(s.id, default=s.proposed)]
    _switched_on(named, [step.id for step in wanted])
    planning.need_secrets([s for s in wanted if not named or s.id in named], found, host)
    with _changing(options, answers) as engine:
        planning.need_undone(engine.journal, STEPS, engine.wanted())
        steps = _chosen(engine, options.steps)
        if not options.yes:
            consent.confirm(f"Set up {', '.join(steps)} on this host?")
        before = remembered.if_readable(host, STEPS)
        planning.outdate_changed(engine.journal, STEPS, before.values, answers.values)
        engine.remember()
        return _say(unattended.run(engine, steps), as_json=options.json)


def check(options: argparse.Namespace) -> int:
    """Probes only, of all steps together."""
    _need_root("check")
    _known(options.steps)
    engine = _looking(options, steps=_unreviewed())
    _need_answers(engine)
    steps = _chosen(engine, options.steps)
    probes = [(step_id, probe) for step_id in steps for probe in engine.probes(step_id)]
    events = ask_all(engine.host, probes)
    done = [event for event in events if isinstance(event, ProbeDone)]
    outcome = worst(event.result.outcome for event in done)
    if options.json:
        print(json.dumps(show.checks_json(done, outcome), indent=1))
    else:
        _print(show.checks_table(done, colour=show.colour_wanted(sys.stdout)))
    return 1 if outcome is Outcome.FAIL else 0


def status(options: argparse.Namespace) -> int:
    """Where each step stands."""
    engine = _looking(options)
    states = engine.states()
    if options.json:
        rows = [{"id": s.id, "state": s.state, "since": s.since} for s in states]
        print(json.dumps({"steps": rows}, indent=1))
    else:
        _print(show.status_lines(states, colour=show.colour_wanted(sys.stdout)))
    return 0


def undo(options: argparse.Namespace) -> int:
    """What the steps changed, as it was before."""
    if bool(options.steps) == bool(options.all):
        raise BadUsage(
            "name the steps to undo, or --all", hint="For example: mailwizard undo aliases"
        )
    if options.steps == [ROTATION]:
        return _undo_rotation(options)
    steps = [name for name in options.steps if name != PUBLISHED]
    _known(steps)
    consent.need_somebody(options)
    with _changing(options) as engine:
        published = options.all or PUBLISHED in options.steps
        named = [step.id for step in STEPS] if options.all else _known(steps) if steps else []
        named += [PUBLISHED] if published and engine.journal.entries(PUBLISHED) else []
        steps = [*named, *engine.dependents(named)]
        if not steps:
            print("Nothing was published: there is nothing to take back.")
            return 0
        if len(steps) > len(named):
            print(f"Built on these, and undone with them: {', '.join(steps[len(named) :])}")
        if not options.yes:
            consent.confirm(f"Undo {', '.join(steps)}?")
        code = _say(engine.undo(steps), as_json=False)
        if options.all and (added := engine.removable_packages()):
            print(f"{len(added)} packages that were installed are still there. To remove them:")
            print(f"  {platform.removal_command(engine.host.platform, added)}")
        return code


def _undo_rotation(options: argparse.Namespace) -> int:
    """A key that does not sign yet, as if it had never been."""
    consent.need_somebody(options)
    with _changing(options) as engine:
        _need_answers(engine)
        if not options.yes:
            consent.confirm("Take away the key that does not sign yet?")
        return _say(engine.abandon_key(), as_json=False)


def dns(options: argparse.Namespace) -> int:
    """Each record the domain needs beside what the resolvers answer."""
    from mailwizard.dnsdesk import command

    command.check(options)
    if not options.publish:
        engine = _looking(options, steps=_unreviewed())
        # from the first answer on there are some: the zone's owner need not wait for the rest
        if not any(engine.answers.values.values()) or not engine.records():
            _need_answers(engine)
        return command.run(engine, options)
    consent.need_somebody(options)
    with _changing(options) as engine:
        _need_answers(engine)
        return command.publish(engine, options, consent.given)


def dkim(options: argparse.Namespace) -> int:
    """Where the signing keys stand, or the change of them."""
    from mailwizard.dkim import command, standing

    command.check(options)
    if options.what == "status":
        _need_root("dkim")
        engine = _looking(options, steps=_unreviewed())
        _need_answers(engine)
        return command.say(standing(engine), as_json=options.json)
    consent.need_somebody(options)
    with _changing(options) as engine:
        _need_answers(engine)
        return command.rotate(engine, options, partial(_say, as_json=options.json), consent.given)


def export(options: argparse.Namespace) -> int:
    """The replayable script, or the answer file."""
    from mailwizard.export import answerfile, saving, script

    _need_root("export")
    engine = _looking(options)
    _need_answers(engine)
    text = answerfile.text(engine) if options.format == "answers" else script.text(engine)
    if options.output:
        saving.save(options.output, text)
    else:
        print(text, end="")
    if options.format == "sh":
        for sentence in script.unlike(engine):
            print(f"mailwizard: {sentence}", file=sys.stderr)
    return 0


def answers(_options: argparse.Namespace) -> int:
    """A commented example answer file."""
    print(example(STEPS), end="")
    return 0


COMMANDS = {
    "wizard": wizard,
    "plan": plan,
    "apply": apply,
    "check": check,
    "status": status,
    "undo": undo,
    "dns": dns,
    "dkim": dkim,
    "export": export,
    "answers": answers,
}


@contextlib.contextmanager
def _changing(options: argparse.Namespace, given: Answers | None = None) -> Iterator[Engine]:
    """The engine over this host, locked, for a command that changes it."""
    host = _host_to_change(options)
    with _said_in_words(host.state_dir), _locked(host):
        journal = Journal(f"{host.state_dir}/journal.db", platform.machine_id())
        for notice in journal.notices:
            print(f"mailwizard: {notice}", file=sys.stderr)
        known = given or remembered.load(host, STEPS)
        accepted = known.accepted or options.accepted
        engine = Engine(STEPS, replace(known, accepted=accepted), host, journal)
        engine.recover()
        if given is None and engine.answers != known:
            engine.remember()
        try:
            yield engine
        except BrokenPipeError:
            # whoever read what we say has gone: nothing is broken
            raise
        except Exception as error:
            if isinstance(error, WizardError) or trouble.in_words(error, host.state_dir):
                raise
            hint = f"A report is in {engine.report_crash(error)}. Run mailwizard again to go on."
            raise WizardError(
                f"mailwizard itself broke: {type(error).__name__}", hint=hint
            ) from error
        finally:
            journal.close()


def _host_to_change(options: argparse.Namespace) -> LocalHost:
    """This host, if it is one that we may change; raises HostRefused."""
    found = platform.here()
    _need_root(options.command or "the wizard")
    if not Path("/run/systemd/system").is_dir():
        raise HostRefused(
            "this host does not run systemd",
            hint="mailwizard starts daemons and long commands through systemd.",
        )
    host = LocalHost(found, _state_folder(options))
    if consent.for_system(found, options, lambda: _accepted(options, host)):
        options.accepted = True
    return host


def _accepted(options: argparse.Namespace, host: LocalHost) -> bool:
    """Whether somebody has agreed to this system, in these answers or in earlier ones."""
    return options.accepted or remembered.if_readable(host, STEPS).accepted


@contextlib.contextmanager
def _said_in_words(state_dir: str) -> Iterator[None]:
    """A full or broken disk is the administrator's to mend: no traceback, no crash report."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        if said := trouble.in_words(error, state_dir):
            raise said from error
        raise


@contextlib.contextmanager
def _locked(host: LocalHost) -> Iterator[None]:
    host.make_dir(host.state_dir, 0o700)
    with held(host.state_dir):
        yield


def _state_folder(options: argparse.Namespace) -> str:
    folder: str = str(Path(options.state).absolute())
    if refused := trouble.not_a_state_folder(folder):
        raise refused
    return folder


def _looking(
    options: argparse.Namespace, given: Answers | None = None, steps: Sequence[Step] = STEPS
) -> Engine:
    """The engine over this host for a command that only looks."""
    host = LocalHost(platform.here(), _state_folder(options))
    path = f"{host.state_dir}/journal.db"
    if os.access(host.state_dir, os.F_OK) and not os.access(host.state_dir, os.R_OK | os.X_OK):
        if given is None:
            raise for_root_alone(host.state_dir)
        path = "/nonexistent/journal.db"
    journal = Journal(path, platform.machine_id(), read_only=True)
    return Engine(steps, given or remembered.load(host, steps), host, journal)


def _unreviewed() -> tuple[Step, ...]:
    """The steps, as they judge no answers: what a host lost since is the checks' to say."""
    return tuple(replace(step, review=lambda _context: iter(())) for step in STEPS)


def _need_root(what: str) -> None:
    if os.geteuid() != 0:
        raise HostRefused(f"{what} must run as root", hint="Run it again with sudo.")


def _need_answers(engine: Engine) -> None:
    """Nothing was ever answered here and the host does not tell: say where answers come from."""
    try:
        engine.resolved()
    except BadAnswer as missing:
        if any(engine.answers.values.values()):
            raise
        hint = "First: mailwizard (it asks), or: mailwizard apply -a ANSWERS (it reads a file)."
        raise BadUsage(
            "mailwizard has not set up anything on this host yet", hint=hint
        ) from missing


def _known(names: Sequence[str]) -> list[str]:
    ids = [step.id for step in STEPS]
    for name in names:
        if name not in ids:
            raise BadUsage(f"there is no step '{name}'", hint=f"Steps are: {', '.join(ids)}")
    return [step_id for step_id in ids if step_id in names]


def _chosen(engine: Engine, names: Sequence[str]) -> list[str]:
    """The named steps in their order, or all that are switched on."""
    wanted = [step.id for step in engine.wanted()]
    return _switched_on(_known(names), wanted) or wanted


def _switched_on(names: list[str], wanted: Sequence[str]) -> list[str]:
    """The same names; a step that is left out has neither answers nor anything to look at."""
    if left_out := [name for name in names if name not in wanted]:
        hint = f"Write what it needs under [{left_out[0]}], or `enabled = true`, in the answers."
        raise BadUsage(f"the step '{left_out[0]}' is left out", hint=hint)
    return names


def _say(events: Iterator[Event], *, as_json: bool) -> int:
    """Show each event as it comes; the exit code is that of Finished, or 1 after a problem."""
    code, colour, told = 0, show.colour_wanted(sys.stdout), show.Told()
    for event in events:
        if as_json:
            print(json.dumps(event.as_json()), flush=True)
        elif not isinstance(event, Output) or sys.stdout.isatty():
            _print(show.event_line(event, colour=colour, previews=True, told=told))
        if isinstance(event, Finished):
            code = event.code
        elif getattr(event, "problem", ""):
            code = 1
    return code


def _print(lines: Sequence[str]) -> None:
    for line in lines:
        print(line, flush=True)
