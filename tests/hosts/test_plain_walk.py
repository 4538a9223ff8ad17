"""The whole walk as numbered questions, typed at a real terminal, until the host is a server."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from io import StringIO

import pexpect
import pytest
from lab.host import ENVIRONMENT, Host
from support.applied import DOMAIN, FQDN, LAUNCHER, Prepared
from support.program import STATE, Program, stand_in_for_providers, untouched

# Debian 13 at a terminal that can do nothing, Debian 12 at one that lets a line be edited
TERMINALS = {"trixie": "dumb", "bookworm": "vt100"}


class Typist:
    """Somebody who reads until the next prompt and types a line."""

    def __init__(self, host: Host, term: str) -> None:
        self.log = StringIO()
        argv = host.command([LAUNCHER, "--plain"])
        self.child: pexpect.spawn[str] = pexpect.spawn(
            argv[0],
            argv[1:],
            env={**ENVIRONMENT, "TERM": term, "NO_COLOR": "1"},
            encoding="utf-8",
            timeout=60,
            dimensions=(24, 80),
        )
        self.child.logfile_read = self.log
        self.child.delaybeforesend = None

    def sees(self, text: str) -> None:
        self.child.expect_exact(text)

    def answers(self, question: str, *typed: str) -> None:
        """Type lines at the prompts that follow a label; a wrong one is asked again."""
        self.sees(question)
        for text in typed:
            self.child.expect(r"\[[^\]]*\]:")
            self.child.send(text + "\r")

    def picks(self, choice: str, question: str) -> None:
        self.sees(question)
        self.child.expect(rf"(\d+)\. {re.escape(choice)}")
        assert isinstance(self.child.match, re.Match)
        number = str(self.child.match[1])
        self.sees("Number [1-")
        self.sees(":")
        self.child.send(number + "\r")

    def ends(self) -> int | None:
        self.child.expect(pexpect.EOF)
        self.child.close()
        status: int | None = self.child.exitstatus
        return status


@pytest.fixture
def host(prepared: Prepared, suite: str) -> Iterator[Host]:
    internet = prepared.internet
    with Host(prepared.ready(suite), net=internet.network) as made:
        internet.register(made, FQDN, mx=DOMAIN)
        stand_in_for_providers(internet)
        yield made


def test_the_walk_from_the_first_line_to_the_last(host: Host, suite: str) -> None:
    person = Typist(host, TERMINALS[suite])
    with untouched(host):
        person.sees("Step 1 of 3: Host name")
        person.answers("Full host name", "mail", "192.0.2.1", "?", FQDN)
        person.answers("Public IPv4 address", "nonsense", "127.0.0.1", host.address)
        person.answers("Public IPv6 address", "<")
        person.answers("Public IPv4 address", "")
        person.answers("Public IPv6 address", host.address6)
        person.picks("Show the changes again", "What shall be done with hostname?")
    person.picks("Apply these changes, then check", "What shall be done with hostname?")
    person.sees("hostname: the gate is open")
    person.sees("Step 2 of 3: Postfix basics")
    person.answers("Mail domains", "")
    person.answers("Networks that may relay", "0.0.0.0/0", "")
    person.answers("Largest message", "")
    person.picks("Apply these changes, then check", "What shall be done with postfix?")
    person.sees("postfix: the gate is open")
    person.sees("Step 3 of 3: Aliases")
    person.answers("Login that reads root's mail", "nobody@here", "alice")
    person.answers("Further names and lists", "info = |cat", "sales = alice, bob")
    person.answers("Sender addresses", "mallory = mallory@foreign.test")
    person.sees("there is no login 'mallory'")
    person.answers("Sender addresses", "alice = alice.liddell@example.test")
    person.picks("Apply these changes, then check", "What shall be done with aliases?")
    person.sees("aliases: the gate is open")
    person.sees("Every step is verified by its checks.")
    assert person.ends() == 0
    heard = person.log.getvalue()
    assert heard.count("Not accepted: ") >= 6
    assert suite == "bookworm" or "\x1b" not in heard
    program = Program(host)
    assert set(program.states().values()) == {"verified"}
    assert program.check()["outcome"] == "pass"
    assert host.run(["postalias", "-q", "sales", "/etc/aliases"]).stdout == "alice, bob\n"


@pytest.mark.parametrize("suite", ["trixie"])
def test_a_walk_that_is_cut_short_goes_on_where_it_was(host: Host) -> None:
    person = Typist(host, "dumb")
    person.answers("Full host name", FQDN)
    person.answers("Public IPv4 address", "")
    person.answers("Public IPv6 address", "-")
    person.picks("Apply these changes, then check", "What shall be done with hostname?")
    person.sees("Mail domains")
    person.child.close(force=False)
    assert host.run("sleep 1; pgrep -f '[m]ailwizard.*--plain'", check=False).stdout == ""
    person = Typist(host, "dumb")
    person.sees("They are checked again first.")
    person.picks("Go on with postfix", "What next?")
    person.sees("Mail domains")
    person.child.kill(signal.SIGKILL)
    person.child.close()
    assert host.exists(f"{STATE}/answers.toml")
    assert Program(host).states()["hostname"] == "verified"
