"""The whole walk by keys, on the screen of a terminal of 80 columns and 24 rows."""

from __future__ import annotations

import itertools
import os
import shlex
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from lab import shell
from lab.host import ENVIRONMENT, Host
from support.applied import DOMAIN, FQDN, LAUNCHER, Prepared
from support.program import Program, stand_in_for_providers, untouched

NUMBERS = itertools.count()
NAME = "alice = alice.liddell@example.test"


class Screen:
    """A terminal in tmux, in which one command runs on a host."""

    def __init__(self, host: Host, words: Sequence[str] = (), term: str = "screen") -> None:
        self.server = ["tmux", "-L", f"mailwizard-{os.getpid()}-{next(NUMBERS)}", "-f", "/dev/null"]
        env = {**ENVIRONMENT, "TERM": term}
        argv = ["env", "-i", *(f"{k}={v}" for k, v in env.items())]
        command = shlex.join([*argv, *host.command([LAUNCHER, *words])])
        typed = f"{command}; echo ended with $?; sleep 1000"
        self.tmux("new-session", "-d", "-x", "80", "-y", "24", typed)
        self.tmux("set-option", "-g", "status", "off")

    def tmux(self, *words: str) -> str:
        return shell.run([*self.server, *words]).stdout

    @property
    def text(self) -> str:
        return self.tmux("capture-pane", "-p")

    def sees(self, *texts: str, timeout: float = 60) -> str:
        """Wait until all of these are on the screen."""
        deadline = time.monotonic() + timeout
        while not all(text in (shown := self.text) for text in texts):
            assert time.monotonic() < deadline, f"no {texts} on this screen:\n{shown}"
            time.sleep(0.1)
        return shown

    def press(self, *keys: str) -> None:
        self.tmux("send-keys", *keys)

    def moves_to(self, hint: str) -> None:
        """Go to the next field: only then do keys reach it."""
        self.press("Tab")
        self.sees(hint)

    def types(self, text: str) -> None:
        self.tmux("send-keys", "-l", text)

    def is_restored(self) -> bool:
        """Tell whether the terminal is as a shell wants it: main screen, lines and echo."""
        shown, tty = self.tmux(
            "display", "-p", "#{alternate_on} #{mouse_any_flag} #{pane_tty}"
        ).rsplit(maxsplit=1)
        modes = shell.run(["stty", "-F", tty, "-a"]).stdout.replace(";", " ").split()
        return shown == "0 0" and {"icanon", "echo", "isig", "opost"} <= set(modes)


@contextmanager
def screen(host: Host, *words: str, term: str = "screen") -> Iterator[Screen]:
    made = Screen(host, words, term)
    try:
        yield made
    finally:
        made.tmux("kill-server")


@pytest.fixture
def host(prepared: Prepared, suite: str) -> Iterator[Host]:
    internet = prepared.internet
    with Host(prepared.ready(suite), net=internet.network) as made:
        internet.register(made, FQDN, mx=DOMAIN)
        stand_in_for_providers(internet)
        yield made


def apply(seen: Screen) -> None:
    """Look at the changes, consent, and wait for the gate."""
    seen.sees("[ Apply ", " changes ]")
    seen.press("F10")
    seen.sees(" changes to make", "[ Not yet ]")
    seen.press("Tab", "Enter")
    seen.sees("The gate is open")
    seen.press("F10")


def test_the_walk_by_keys(host: Host) -> None:
    with screen(host) as seen:
        with untouched(host):
            seen.sees("This host becomes a mail server", "All packages are in place.")
            seen.press("F10")
            seen.sees("1/3  Host name", "answer the questions first")
            seen.types("mail")
            seen.sees("'mail' has only one label")
            seen.press("F10")
            time.sleep(2)  # all answers are looked at before the cursor goes to the wrong one
            seen.sees("'mail' has only one label", "1/3  Host name")
            seen.types(FQDN.removeprefix("mail"))
            seen.sees("2 of 2 needed")
            seen.moves_to("The address that the world reaches this host at")
            seen.moves_to("Leave it empty when this host has none")
            seen.types(host.address6)
            seen.press("Tab")
            seen.sees(f"{host.address} and {host.address6[:4]}", "[ Apply 2 changes ]")
            seen.press("F10")
            seen.sees("2 changes to make", f"+{host.address} {FQDN} mail")
            seen.press("Enter")
            seen.sees("[ Apply 2 changes ]")
        apply(seen)
        seen.sees("2/3  Postfix basics", "[ example.test")
        apply(seen)
        seen.sees("3/3  Aliases", "An ordinary login of a person", " changes ]")
        seen.moves_to("name = login, or name")
        seen.types("sales = alice, bob")
        seen.sees("sales = alice, bob")
        seen.moves_to("what others see as the sender")
        seen.types(NAME)
        seen.press("Tab")
        # the form may have scrolled on from the list
        seen.sees(NAME, " changes ]")
        apply(seen)
        seen.sees("3 steps are verified by live tests", "3 verified")
        seen.press("F10")
        shown = seen.sees("ended with", timeout=20)
        assert "ended with 0" in shown
        assert seen.is_restored()
    program = Program(host)
    assert set(program.states().values()) == {"verified"}
    assert program.check()["outcome"] == "pass"
    assert host.run(["postalias", "-q", "sales", "/etc/aliases"]).stdout == "alice, bob\n"


@pytest.mark.parametrize("suite", ["trixie"])
@pytest.mark.parametrize(("signal", "code"), [("HUP", 129), ("TERM", 143)])
def test_a_signal_gives_the_terminal_back(host: Host, signal: str, code: int) -> None:
    with screen(host) as seen:
        seen.sees("All packages are in place.")
        seen.press("F10")
        seen.sees("1/3  Host name", "]  <-", "answer the questions first")
        seen.types(FQDN)
        seen.press("Tab")
        seen.sees("[ Apply 2 changes ]")
        assert not seen.is_restored()
        host.run(["kill", f"-{signal}", str(Program(host).holder()["pid"])])
        seen.sees(f"ended with {code}", timeout=20)
        assert seen.is_restored()
    with screen(host) as seen:
        seen.sees("All packages are in place.")
        seen.press("F10")
        seen.sees("1/3  Host name", f"[ {FQDN} ")


@pytest.mark.parametrize("suite", ["trixie"])
def test_a_terminal_that_cannot_draw_is_told_what_can(host: Host) -> None:
    with untouched(host), screen(host, term="dumb") as seen:
        shown = " ".join(seen.sees("ended with 2").split())
        assert "TERM is 'dumb'" in shown
        assert "`mailwizard --plain`" in shown
        assert seen.is_restored()
