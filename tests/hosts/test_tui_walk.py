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
from lab.internet import Internet
from support.applied import FQDN, LAUNCHER, LOGIN, PASSWORD, SECRET, Prepared
from support.clocks import until
from support.program import Program, stand_in_for_providers, untouched

from mailwizard.steps import STEPS

WALK = [step for step in STEPS if not step.optional or step.proposed or step.id == "relay"]
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

    @property
    def line(self) -> str:
        """The line that the cursor is in."""
        return self.text.splitlines()[int(self.tmux("display", "-p", "#{cursor_y}"))]

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
    with prepared.ready_host(suite) as made:
        stand_in_for_providers(prepared.internet)
        yield made


def head(step_id: str) -> str:
    """What the head line says of a step."""
    place, step = next((n, s) for n, s in enumerate(STEPS, 1) if s.id == step_id)
    return f"{place}/{len(STEPS)}  {step.title}"


def apply(seen: Screen, step_id: str) -> None:
    """Look at the changes, consent, and wait for the gate."""
    seen.sees(head(step_id), "[ Apply ", " changes ]")
    seen.press("F10")
    seen.sees(" changes to make", "[ Not yet ]")
    seen.press("Tab", "Enter")
    seen.sees("The gate is open", timeout=120)
    seen.press("F10")


def answers_the_first(seen: Screen, host: Host) -> None:
    """From the welcome to the changes of the first step, which are looked at and not made."""
    seen.sees("This host becomes a mail server", "All packages are in place.")
    place = next(n for n, step in enumerate(STEPS) if step.id == "relay")
    seen.press("Home", *["Down"] * place, "Space")
    seen.sees("[x]  Relay host", "All packages are in place.")
    seen.press("F10")
    seen.sees(head("hostname"), "answer the questions first")
    seen.types("mail")
    seen.sees("'mail' has only one label")
    seen.press("F10")
    seen.sees("Something is not right yet", "'mail' has only one label", head("hostname"))
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


def test_the_walk_by_keys(host: Host, internet: Internet) -> None:
    internet.trust(host)
    host.put(PASSWORD, SECRET, mode=0o600)
    with screen(host) as seen:
        with untouched(host):
            answers_the_first(seen, host)
        apply(seen, "hostname")
        seen.sees("[ example.test")
        apply(seen, "postfix")
        seen.sees(head("aliases"), "An ordinary login of a person", " changes ]")
        seen.moves_to("name = login, or name")
        seen.types("sales = alice, bob")
        seen.sees("sales = alice, bob")
        seen.moves_to("what others see as the sender")
        seen.types(NAME)
        seen.press("Tab")
        # the form may have scrolled on from the list
        seen.sees(NAME, " changes ]")
        apply(seen, "aliases")
        people_read_and_send(seen)
        through(seen, internet)
        apply(seen, "protection")
        mail_is_looked_through(seen)
        number = len(WALK)
        # its records were never published
        seen.sees(f"{number} steps are verified by live tests", "Others may refuse mail of this")
        seen.press("F10")
        shown = seen.sees("ended with")
        assert "ended with 0" in shown
        assert seen.is_restored()
    program = Program(host)
    states = program.states()
    assert {step.id for step in WALK} == {s for s, state in states.items() if state == "verified"}
    assert program.check()["outcome"] != "fail"
    assert host.run(["postalias", "-q", "sales", "/etc/aliases"]).stdout == "alice, bob\n"


def people_read_and_send(seen: Screen) -> None:
    """From the mailboxes to the ports for mail programs."""
    seen.sees(head("dovecot"), "IMAP is right for nearly everybody")
    seen.moves_to("New logins on this host")
    seen.types(f"login = {LOGIN}, password = file:{SECRET}")
    seen.press("Tab")
    seen.sees(f"login = {LOGIN}")
    apply(seen, "dovecot")
    apply(seen, "certificates")
    apply(seen, "submission")


def mail_is_looked_through(seen: Screen) -> None:
    """The filter, and what mail proves of where it comes from."""
    scan = "Look for viruses      "
    seen.sees(head("amavis"), "SpamAssassin marks it", " changes ]")
    seen.moves_to("ClamAV wants 3 GiB")
    if f"{scan}[x]" in seen.text:
        seen.press("Space")
    seen.sees(f"{scan}[ ]")
    seen.moves_to("Before definitions have come")
    apply(seen, "amavis")
    apply(seen, "authentication")
    apply(seen, "opendmarc")


def through(seen: Screen, internet: Internet) -> None:
    """The provider's server, whose password is typed and not shown."""
    relay = internet.relay
    seen.sees(head("relay"), "The name and port that the provider")
    seen.types(f"{relay.name}:587")
    seen.moves_to("Leave it empty when the relay")
    seen.types(relay.user)
    seen.moves_to("It is kept in a file")
    seen.press("Tab")
    # the line below the form stays the same: it is the same question
    until(lambda: seen.line.lstrip().startswith("["), every=0.1)
    seen.types(relay.password)
    shown = seen.sees("•" * len(relay.password), " changes ]")
    assert relay.password not in shown
    apply(seen, "relay")


@pytest.mark.parametrize("suite", ["trixie"])
@pytest.mark.parametrize(("signal", "code"), [("HUP", 129), ("TERM", 143)])
def test_a_signal_gives_the_terminal_back(host: Host, signal: str, code: int) -> None:
    with screen(host) as seen:
        seen.sees("All packages are in place.")
        seen.press("F10")
        seen.sees(head("hostname"), "]  <-", "answer the questions first")
        seen.types(FQDN)
        seen.press("Tab")
        seen.sees("[ Apply 2 changes ]")
        assert not seen.is_restored()
        host.run(["kill", f"-{signal}", str(Program(host).holder()["pid"])])
        seen.sees(f"ended with {code}")
        assert seen.is_restored()
    with screen(host) as seen:
        seen.sees("All packages are in place.")
        seen.press("F10")
        seen.sees(head("hostname"), f"[ {FQDN} ")


@pytest.mark.parametrize("suite", ["trixie"])
def test_a_terminal_that_cannot_draw_is_told_what_can(host: Host) -> None:
    with untouched(host), screen(host, term="dumb") as seen:
        shown = " ".join(seen.sees("ended with 2").split())
        assert "TERM is 'dumb'" in shown
        assert "`mailwizard --plain`" in shown
        assert seen.is_restored()
