"""The whole walk as numbered questions, typed at a real terminal, until the host is a server."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from io import StringIO

import pexpect
import pytest
from lab.host import ENVIRONMENT, Host
from lab.internet import Internet
from support.applied import FQDN, LAUNCHER, LOGIN, PASSWORD, SECRET, Prepared
from support.program import STATE, Program, stand_in_for_providers, untouched

from mailwizard.steps import STEPS

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
        self.steps = [step.id for step in STEPS if not step.optional or step.proposed]

    def switches(self, step: str) -> None:
        """Take a step into the walk, or leave it out."""
        self.sees("Number, or Enter:")
        ids = [each.id for each in STEPS]
        self.child.send(f"{ids.index(step) + 1}\r")
        wanted = {*self.steps, step} - ({step} & {*self.steps})
        self.steps = [each for each in ids if each in wanted]

    def begins(self) -> None:
        """Go on from the list of steps."""
        self.sees("Number, or Enter:")
        self.child.send("\r")

    def sees(self, text: str) -> None:
        self.child.expect_exact(text)

    def answers(self, question: str, *typed: str) -> None:
        """Type lines at the prompts that follow a label; a wrong one is asked again."""
        self.sees(question)
        for text in typed:
            # a long value is folded, and the line may be drawn anew before its colon
            self.child.expect(r"(?s)\[.*?\](\s|\x1b\[[0-9;?]*[A-Za-z])*:")
            self.child.send(text + "\r")

    def picks(self, choice: str, question: str) -> None:
        self.sees(question)
        self.child.expect(rf"(\d+)\. {re.escape(choice)}")
        assert isinstance(self.child.match, re.Match)
        number = str(self.child.match[1])
        self.sees("Number [1-")
        self.sees(":")
        self.child.send(number + "\r")

    def step(self, step_id: str) -> None:
        """The next page is this step's."""
        place = self.steps.index(step_id) + 1
        title = next(each.title for each in STEPS if each.id == step_id)
        self.sees(f"Step {place} of {len(self.steps)}: {title}")

    def applies(self, step_id: str) -> None:
        self.picks("Apply these changes, then check", f"What shall be done with {step_id}?")
        self.sees(f"{step_id}: the gate is open")

    def ends(self) -> int | None:
        self.child.expect(pexpect.EOF)
        self.child.close()
        status: int | None = self.child.exitstatus
        return status


@pytest.fixture
def host(prepared: Prepared, suite: str) -> Iterator[Host]:
    with prepared.ready_host(suite) as made:
        stand_in_for_providers(prepared.internet)
        yield made


def test_the_walk_from_the_first_line_to_the_last(
    host: Host, internet: Internet, suite: str
) -> None:
    internet.trust(host)
    host.put(PASSWORD, SECRET, mode=0o600)
    person = Typist(host, TERMINALS[suite])
    with untouched(host):
        person.switches("relay")
        person.begins()
        person.step("hostname")
        person.answers("Full host name", "mail", "192.0.2.1", "?", FQDN)
        person.answers("Public IPv4 address", "nonsense", "127.0.0.1", host.address)
        person.answers("Public IPv6 address", "<")
        person.answers("Public IPv4 address", "")
        person.answers("Public IPv6 address", host.address6)
        person.picks("Show the changes again", "What shall be done with hostname?")
    person.applies("hostname")
    person.step("postfix")
    person.answers("Mail domains", "")
    person.answers("Networks that may relay", "0.0.0.0/0", "")
    person.answers("Largest message", "")
    person.applies("postfix")
    person.step("aliases")
    person.answers("Login that reads root's mail", "nobody@here", "alice")
    person.answers("Further names and lists", "info = |cat", "sales = alice, bob")
    person.answers("Sender addresses", "mallory = mallory@foreign.test")
    person.sees("there is no login 'mallory'")
    person.answers("Sender addresses", "alice = alice.liddell@example.test")
    person.applies("aliases")
    people_read_and_send(person)
    through(person, internet)
    person.step("protection")
    person.answers("A resolver of this host's own", "")
    person.answers("Blocklists", "")
    person.answers("Ask strangers to come back (greylisting)", "")
    person.answers("Unwanted headers", "/(/ REJECT")
    for question in ("Check how strangers greet", "Only watch at first"):
        person.answers(question, "")
    person.sees("These answers cannot be used together")
    person.answers("Unwanted headers", "/^X-Junk: / REJECT No junk")
    person.applies("protection")
    mail_is_looked_through(person)
    person.sees("Every step is verified by its checks.")
    person.sees("Others may refuse mail of this host")
    assert person.ends() == 0
    heard = person.log.getvalue()
    assert heard.count("Not accepted: ") >= 9
    assert PASSWORD not in heard
    assert internet.relay.password not in heard
    assert suite == "bookworm" or "\x1b" not in heard
    program = Program(host)
    assert program.standing() == {"verified"}
    assert program.check()["outcome"] != "fail"
    assert host.run(["postalias", "-q", "sales", "/etc/aliases"]).stdout == "alice, bob\n"


def people_read_and_send(person: Typist) -> None:
    """From the mailboxes to the ports for mail programs."""
    person.step("dovecot")
    person.answers("Protocols", "imaps", "")
    oops, right = "Oops-1", f"file:{SECRET}"
    typed = [f"login = {LOGIN}, password = {password}" for password in (oops, right)]
    person.answers("Accounts to make", *typed)
    person.applies("dovecot")
    person.step("certificates")
    person.answers("Certificate from", "letsencrypt", "")
    for question in ("Names in the certificate", "ACME directory", "to rehearse with"):
        person.answers(question, "")
    for question in ("Address for the authority", "Folder of the web server"):
        person.answers(question, "")
    for question in ("Certificate chain", "Private key"):
        person.answers(question, "")
    person.applies("certificates")
    person.step("submission")
    person.answers("Ports for mail programs", "25", "")
    person.answers("Each login sends only as itself", "")
    person.applies("submission")


def through(person: Typist, internet: Internet) -> None:
    """The provider's server, whose password is typed and not shown."""
    relay = internet.relay
    person.step("relay")
    person.answers("Server that takes mail on", f"{relay.name}:587")
    person.answers("User name there", relay.user)
    person.answers("Password there", relay.password)
    person.answers("Senders with a relay of their own", "")
    person.applies("relay")


def mail_is_looked_through(person: Typist) -> None:
    """The filter, and what mail proves of where it comes from."""
    person.step("amavis")
    person.answers("Look for spam", "")
    person.answers("Look for viruses", "maybe", "no")
    person.answers("While ClamAV cannot look", "")
    person.applies("amavis")
    person.step("authentication")
    person.answers("Name of the key", "-key", "")
    for question in ("Who signs", "Mail from other hosts (SPF)", "Mail that proves nothing"):
        person.answers(question, "")
    person.answers("Who reads the reports", "nobody", "")
    person.applies("authentication")
    person.step("opendmarc")
    person.answers("Refuse what the sender's domain disowns", "")
    person.applies("opendmarc")


@pytest.mark.parametrize("suite", ["trixie"])
def test_a_walk_that_is_cut_short_goes_on_where_it_was(host: Host) -> None:
    person = Typist(host, "dumb")
    person.begins()
    person.answers("Full host name", FQDN)
    person.answers("Public IPv4 address", "")
    person.answers("Public IPv6 address", "-")
    person.picks("Apply these changes, then check", "What shall be done with hostname?")
    person.sees("Mail domains")
    person.child.close(force=False)
    host.run("while pgrep -f '[m]ailwizard.*--plain'; do sleep 0.1; done", timeout=60)
    person = Typist(host, "dumb")
    person.sees("They are checked again first.")
    person.picks("Go on with postfix", "What next?")
    person.sees("Mail domains")
    person.child.kill(signal.SIGKILL)
    person.child.close()
    assert host.exists(f"{STATE}/answers.toml")
    assert Program(host).states()["hostname"] == "verified"
