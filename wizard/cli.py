"""The command line: reads it, finds the host, runs one command, answers with its exit code."""

from __future__ import annotations

import argparse
import difflib
import errno
import re
import signal
import sys
from collections.abc import Sequence
from importlib.resources import files
from types import FrameType
from typing import NoReturn

from mailwizard import __version__, streams
from mailwizard.errors import BadUsage, WizardError

STATE = "/var/lib/mailwizard"
USAGE_HINT = "`mailwizard --help` lists the commands."
STOPPING = (signal.SIGTERM, signal.SIGHUP)
REPEAT = 2.0
COMMANDS = ("plan", "apply", "check", "status", "undo", "dns", "dkim", "export", "answers")


class Halted(KeyboardInterrupt):
    """A hang-up or SIGTERM; not an Exception: those are taken for the failure of a step."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


class Parser(argparse.ArgumentParser):
    """Wrong usage is an error of ours: one sentence, exit code 2."""

    def error(self, message: str) -> NoReturn:
        if unknown := re.match(r"argument command: invalid choice: '(.*?)' \(choose", message):
            suggested = difflib.get_close_matches(unknown[1], COMMANDS, n=1)
            meant = f"; did you mean '{suggested[0]}'?" if suggested else ""
            raise BadUsage(f"there is no command '{unknown[1]}'{meant}", hint=USAGE_HINT)
        if message.endswith("are required: -a/--answers"):
            hint = "`mailwizard answers > answers.toml` writes a commented one to start from."
            raise BadUsage("which answer file? It is given with -a FILE", hint=hint)
        if message.endswith("are required: --format"):
            raise BadUsage("which form? --format sh, or --format answers", hint=USAGE_HINT)
        raise BadUsage(message.replace("unrecognized arguments", "not understood"), hint=USAGE_HINT)


class Help(argparse.Action):
    """The same text that the launcher shows before there is a program."""

    def __call__(self, *_args: object, **_kwargs: object) -> None:
        print(files("mailwizard").joinpath("usage.txt").read_text(), end="")
        raise SystemExit(0)


def parser() -> argparse.ArgumentParser:
    """Every command and option there is."""
    top = Parser(prog="mailwizard", add_help=False, allow_abbrev=False)
    common = Parser(add_help=False, allow_abbrev=False)
    # given again after the command they count too, and not given there they change nothing
    for each, state, yes in ((top, STATE, False), (common, argparse.SUPPRESS, argparse.SUPPRESS)):
        each.add_argument("-h", "--help", action=Help, nargs=0)
        each.add_argument("--state", metavar="DIR", default=state)
        each.add_argument("--yes", action="store_true", default=yes)
    top.add_argument("--version", action="version", version=f"mailwizard {__version__}")
    top.add_argument("--plain", action="store_true")
    top.add_argument("--unproven", action="store_true")
    top.set_defaults(accepted=False)
    commands = top.add_subparsers(dest="command", parser_class=Parser)

    def command(
        name: str, *, json: bool = False, answers: bool = False, changes: bool = False
    ) -> argparse.ArgumentParser:
        made = commands.add_parser(name, parents=[common], add_help=False, allow_abbrev=False)
        if changes:
            made.add_argument("--unproven", action="store_true", default=argparse.SUPPRESS)
        if json:
            made.add_argument("--json", action="store_true")
        if answers:
            made.add_argument("-a", "--answers", metavar="FILE", required=True)
        return made

    plan = command("plan", json=True, answers=True, changes=True)
    plan.add_argument("steps", nargs="*", metavar="STEP")
    apply = command("apply", json=True, answers=True, changes=True)
    apply.add_argument("steps", nargs="*", metavar="STEP")
    command("check", json=True).add_argument("steps", nargs="*", metavar="STEP")
    command("status", json=True)
    undo = command("undo", changes=True)
    undo.add_argument("steps", nargs="*", metavar="STEP")
    undo.add_argument("--all", action="store_true")
    _dns_options(command("dns", json=True, changes=True))
    dkim = command("dkim", json=True, changes=True)
    dkim.add_argument("what", nargs="?", choices=["status", "rotate"], default="status")
    _publish_options(dkim)
    export = command("export")
    export.add_argument("--format", choices=["sh", "answers"], required=True)
    export.add_argument("-o", "--output", metavar="FILE")
    command("answers")
    return top


def _dns_options(dns: argparse.ArgumentParser) -> None:
    dns.add_argument("--zone", action="store_true")
    dns.add_argument("--resolver", metavar="ADDRESS", action="append", default=[])
    _publish_options(dns)


def _publish_options(dns: argparse.ArgumentParser) -> None:
    dns.add_argument("--wait", metavar="MINUTES", type=float, nargs="?", const=60.0, default=0.0)
    dns.add_argument("--publish", action="store_true")
    dns.add_argument("--key", metavar="FILE", default="")
    dns.add_argument("--key-env", metavar="NAME", default="")
    dns.add_argument("--server", metavar="ADDRESS", default="")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; every expected error is two lines on stderr and its exit code."""
    for number in STOPPING:
        # ignored from the start: `nohup` means it
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _halt)
    streams.give()
    try:
        code = _run(list(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()
        return code
    except WizardError as error:
        streams.complain(f"mailwizard: {error.message}", error.hint)
        return error.exit_code
    except KeyboardInterrupt as stop:
        signal.setitimer(signal.ITIMER_REAL, 0)
        ended_by = stop.number if isinstance(stop, Halted) else signal.SIGINT
        streams.complain("", "mailwizard: stopped; run it again to go on.")
        streams.say_no_more(sys.stdout)
        return 128 + ended_by
    except BrokenPipeError:
        # whoever read our output has gone
        streams.say_no_more(sys.stdout)
        return 1
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        streams.say_no_more(sys.stdout)
        room = "Make room (see `df -h`), then run it again."
        streams.complain("mailwizard: the output cannot be written: no space left", room)
        return 1
    finally:
        streams.settle()


def _halt(number: int, _frame: FrameType | None) -> None:
    # they come in pairs when a session ends; the second must not cut short the first
    for each in STOPPING:
        signal.signal(each, signal.SIG_IGN)
    # what is raised inside a destructor or a callback is lost: raise it until it arrives
    sys.unraisablehook = _unraisable
    signal.signal(signal.SIGALRM, lambda *_: _raise(number))
    signal.setitimer(signal.ITIMER_REAL, REPEAT, REPEAT)
    _raise(number)


def _unraisable(lost: sys.UnraisableHookArgs) -> None:
    if not isinstance(lost.exc_value, Halted):
        sys.__unraisablehook__(lost)


def _raise(number: int) -> NoReturn:
    raise Halted(number)


def _run(argv: list[str]) -> int:
    options = parser().parse_args(argv)
    # the command's own code is loaded only now: --help and errors of usage are instant
    from mailwizard import commands

    return commands.run(options)
