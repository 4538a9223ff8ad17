"""A signing key is changed while mail flows: nobody gets a message that he cannot verify."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from lab.host import Host
from lab.internet import Internet
from lab.shell import Completed
from support import suites
from support.applied import ANSWERS, CHECKOUT, DOMAIN, PYTHON, Prepared, answers, publish
from support.program import Program
from support.traffic import Traffic

KEYS = "/etc/mailwizard/dkim"
FILES = {"amavis": "/etc/amavis/conf.d/61-mailwizard-signing", "opendkim": f"{KEYS}/KeyTable"}
# the countdown ends at once: by the program's own journal, which seals what it holds
DUE = """
from dataclasses import replace
from mailwizard import platform
from mailwizard.dkim.stages import NOTE, load
from mailwizard.journal import Journal

journal = Journal("/var/lib/mailwizard/journal.db", platform.machine_id())
rotation = load(journal.noted(NOTE))
journal.note(NOTE, replace(rotation, until="2026-01-01T00:00:00+00:00").dump())
"""


def names() -> list[str]:
    """Give the names that keys of this month may have, and of the next where it begins soon."""
    now = datetime.now(UTC)
    months = {f"{at:mw%Y%m}" for at in (now, now + timedelta(hours=1), now - timedelta(hours=1))}
    return [f"{month}{letter}" for month in sorted(months) for letter in ("", *"bcdefg")]


def said(done: Completed) -> str:
    """Give what was printed, unfolded."""
    return " ".join(done.stdout.split())


class Rotating:
    """The program on a host, and the zone of its domain."""

    def __init__(self, host: Host, internet: Internet) -> None:
        self.host, self.internet = host, internet
        self.program = Program(host)

    def rotate(self, *words: str) -> Completed:
        return self.program("dkim", "rotate", "--yes", *words, timeout=200)

    def standing(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.program("dkim", "--json").stdout)
        return found

    def states(self) -> dict[str, str]:
        return {key["selector"]: key["state"] for key in self.standing()["keys"]}

    def publish(self) -> None:
        """Do what whoever runs the zone is asked for."""
        (record,) = self.standing()["records"]
        self.internet.dns.set(record["owner"], "TXT", record["value"])

    def verdict(self, probe: str) -> tuple[str, str]:
        checks = json.loads(self.program("check", "--json", "authentication").stdout)["checks"]
        return next((one["outcome"], one["said"]) for one in checks if one["id"] == probe)

    def killed_at_the_switch(self, path: str, new: str, words: str = "") -> None:
        """Let the program go on, and kill it as soon as the signer's file names the new key."""
        self.host.put(CHECKOUT / "tests/support/lockout.py", "/root/lockout.py")
        command = f"{PYTHON} /root/lockout.py replaced={path} dkim rotate --yes {words}"
        done = self.host.run(f"{command}; echo ended with $?", timeout=200)
        assert done.stdout.endswith("ended with 137\n"), done
        assert new.encode() in self.host.get(path)


@pytest.fixture(scope="module", params=suites.grouped("rotation"))
def made(
    request: pytest.FixtureRequest, prepared: Prepared, internet: Internet
) -> Iterator[Rotating]:
    """Give a host of each release that signs, with all its records published."""
    with prepared.applied_host(str(request.param)) as host:
        publish(internet, host)
        # one lifetime may stand for the other
        host.run("postconf -e 'bounce_queue_lifetime = $maximal_queue_lifetime'")
        yield Rotating(host, internet)
    # the keys of the next host have the same names
    for name in names():
        internet.dns.remove(f"{name}._domainkey.{DOMAIN}", "TXT")


def test_no_message_is_lost_to_a_change_of_keys(
    made: Rotating, internet: Internet, record_property: Any
) -> None:
    (old,) = made.states()
    traffic = Traffic(internet, made.host, f"steady-{made.host.layer.suite}")
    with traffic.flowing():
        closed = made.rotate()
        assert closed.status == 1, closed
        new = made.standing()["new"]
        assert made.states() == {old: "active", new: "pending"}
        assert f"{new}._domainkey.{DOMAIN} TXT is not right for all" in said(closed)
        # another key at its place opens nothing
        internet.dns.set(f"{new}._domainkey.{DOMAIN}", "TXT", "v=DKIM1; k=rsa; p=MIIB")
        assert made.rotate().status == 1
        assert made.states() == {old: "active", new: "pending"}
        made.publish()
        assert made.states() == {old: "active", new: "published"}
        made.killed_at_the_switch(FILES["amavis"], new)
        assert made.standing()["stage"] == "active"
        done = made.rotate()
        assert done.status == 0, done.stdout + done.stderr
        assert made.states() == {old: "retiring", new: "active"}
        traffic.goes_on(more_than=10)
    held = traffic.verified()
    told = f"{len(traffic.accepted)} accepted, {len(traffic.put_off)} put off, verified {held}"
    print(told)
    record_property("traffic", told)
    assert set(traffic.arrived) == set(traffic.accepted)
    assert set(held) == {old, new}, held
    assert held.total() == len(traffic.accepted) > 10


def test_a_second_change_says_where_the_first_stands(made: Rotating) -> None:
    before = made.standing()
    again = made.rotate()
    assert again.status == 0, again
    assert f"Leave the record of {before['old']} published until" in said(again)
    assert made.standing() == before
    until = datetime.fromisoformat(before["until"]) - datetime.now(UTC)
    assert timedelta(days=30) < until < timedelta(days=32)
    refused = made.program("undo", "dkim", "--yes")
    assert refused.status == 2, refused
    assert "signs already" in refused.stderr


def test_answers_and_script_have_the_new_key(made: Rotating) -> None:
    found = made.standing()
    assert made.program("plan", "-a", ANSWERS).status == 0
    text = made.program("export", "--format", "answers").stdout
    assert f'selector = "{found["new"]}"' in text
    script = made.program("export", "--format", "sh").stdout
    assert f"{DOMAIN}.{found['new']}.pem" in script
    assert f"{DOMAIN}.{found['old']}.pem" not in script


def test_the_old_key_stays_as_long_as_mail_is_on_its_way(
    made: Rotating, internet: Internet
) -> None:
    old = made.standing()["old"]
    owner = f"{old}._domainkey.{DOMAIN}"
    assert made.verdict(f"DKIM-10:{DOMAIN}")[0] == "pass"
    (value,) = internet.dns.ask(owner, "TXT")
    internet.dns.remove(owner)
    outcome, heard = made.verdict(f"DKIM-10:{DOMAIN}")
    assert (outcome, "not published any more" in heard) == ("warn", True), heard
    internet.dns.set(owner, "TXT", "".join(value.split('"')[1::2]))
    made.host.run(f"{PYTHON} - <<'END'\n{DUE}\nEND")
    done = made.rotate()
    assert done.status == 0, done
    assert f"may take out: {owner}" in said(done)
    assert not made.host.exists(f"{KEYS}/{DOMAIN}.{old}.pem")
    assert old not in made.states()
    assert set(made.program.states().values()) <= {"verified", "skipped"}
    assert made.program("plan", "-a", ANSWERS).status == 0


def test_the_old_record_is_taken_out_on_request(made: Rotating, internet: Internet) -> None:
    dns = internet.dns
    shown = said(made.program("dns", "--resolver", dns.address))
    (owner,) = made.standing()["may_be_taken_out"]
    assert f"May be taken out: {owner} TXT" in shown
    made.host.put(
        dns.allow_updates(DOMAIN, f"out-{made.host.layer.suite}"), "/root/key", mode=0o600
    )
    words = ("--publish", "--key", "/root/key", "--resolver", dns.address, "--yes")
    done = made.program("dns", *words)
    assert done.status == 0, done
    assert dns.ask(owner, "TXT") == []
    assert "taken out" not in said(made.program("dns", "--resolver", dns.address))


def test_an_old_answer_file_does_not_bring_the_old_key_back(made: Rotating) -> None:
    (used,) = made.states()
    old = used.removesuffix("b")
    chosen = f'{answers(made.host)}\n[authentication]\nselector = "{old}"\n'
    made.host.put(chosen, "/root/old.toml")
    done = made.program.apply(answers="/root/old.toml")
    assert (done.status, f"replaced by {used}" in done.stderr) == (2, True), done


def test_a_key_that_does_not_sign_yet_is_taken_away_again(made: Rotating) -> None:
    before = made.host.tree([KEYS, "/etc/amavis", "/etc/opendkim.conf"])
    (old,) = made.states()
    assert made.rotate().status == 1
    new = made.standing()["new"]
    assert made.host.exists(f"{KEYS}/{DOMAIN}.{new}.pem")
    assert set(made.program.states().values()) <= {"verified", "skipped"}
    done = made.program("undo", "dkim", "--yes")
    assert done.status == 0, done
    assert made.states() == {old: "active"}
    assert made.host.tree([KEYS, "/etc/amavis", "/etc/opendkim.conf"]).keys() == before.keys()
    assert made.program("plan", "-a", ANSWERS).status == 0


def test_a_name_that_is_taken_in_the_dns_is_refused(made: Rotating, internet: Internet) -> None:
    used = {*made.states(), *made.host.run(["ls", KEYS]).stdout.split()}
    owners = [f"{name}._domainkey.{DOMAIN}" for name in names()]
    there = {owner: internet.dns.ask(owner, "TXT") for owner in owners}
    for owner in (one for one, answer in there.items() if not answer):
        internet.dns.set(owner, "TXT", "v=DKIM1; k=rsa; p=MIIBsomebodyelse")
    done = made.rotate()
    for owner in (one for one, answer in there.items() if not answer):
        internet.dns.remove(owner)
    assert (done.status, "exists already, with another key" in done.stderr) == (1, True), done
    assert {*made.states(), *made.host.run(["ls", KEYS]).stdout.split()} == used


def test_opendkim_changes_its_key_and_the_program_publishes_it(
    made: Rotating, internet: Internet
) -> None:
    chosen = f'{answers(made.host)}\n[authentication]\nsigner = "opendkim"\n'
    made.host.put(chosen, ANSWERS)
    done = made.program.apply("authentication", timeout=200)
    assert done.status == 0, done
    (old,) = made.states()
    made.host.put(dns_key(internet, made.host, "in"), "/root/key", mode=0o600)
    traffic = Traffic(internet, made.host, f"opendkim-{made.host.layer.suite}")
    with traffic.flowing():
        assert made.rotate().status == 1
        new = made.standing()["new"]
        made.killed_at_the_switch(FILES["opendkim"], new, "--publish --key /root/key")
        done = made.rotate()
        assert done.status == 0, done.stdout + done.stderr
        traffic.goes_on()
    held = traffic.verified()
    print(len(traffic.accepted), "accepted,", len(traffic.put_off), "put off, verified", held)
    assert set(traffic.arrived) == set(traffic.accepted)
    assert set(held) == {old, new}, held
    assert held.total() == len(traffic.accepted)


def dns_key(internet: Internet, host: Host, name: str) -> str:
    return internet.dns.allow_updates(DOMAIN, f"rotation-{name}-{host.layer.suite}")
