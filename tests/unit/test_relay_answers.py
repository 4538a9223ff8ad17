"""What may be answered about relays, and the table that keeps their passwords."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from support import programs
from support.recorded import RecordedHost, Written

from mailwizard.answers import Answers
from mailwizard.changes import Credential, SecretTable, SecretTableGone, Service
from mailwizard.changes.secrets import HEADER
from mailwizard.errors import BadAnswer, BadUsage
from mailwizard.fields import NextHop, RelayAccount, RelayUser, SenderPattern, Table
from mailwizard.model import Completed, Context, FileState, SecretRef
from mailwizard.steps import relay
from mailwizard.subjects import SecretFile

PATH = "/etc/postfix/sasl_passwd"

RIGHT = {
    "smtp.example.net": "[smtp.example.net]:587",
    "[smtp.example.net]": "[smtp.example.net]:587",
    " SMTP.Example.NET:465 ": "[smtp.example.net]:465",
    "[smtp.example.net]:submission": "[smtp.example.net]:587",
    "smtp.example.net:smtps": "[smtp.example.net]:465",
    "smtp.bücher.example:587": "[smtp.xn--bcher-kva.example]:587",
    "192.0.2.5:25": "[192.0.2.5]:25",
    "[2001:DB8::5]:25": "[ipv6:2001:db8::5]:25",
    "2001:db8::5": "[ipv6:2001:db8::5]:587",
}


@pytest.mark.parametrize("typed", RIGHT)
def test_a_next_hop_has_one_form(typed: str) -> None:
    kind = NextHop()
    assert kind.parse(typed) == RIGHT[typed]
    assert kind.check(RIGHT[typed]) == RIGHT[typed]
    assert kind.parse(kind.show(RIGHT[typed])) == RIGHT[typed]


WRONG = {
    "smtp.example.net:0": "no port behind the colon",
    "smtp.example.net:": "no port behind the colon",
    "smtp.example.net:65536": "no port behind the colon",
    "smtp.example.net:587; rm": "no port behind the colon",
    "mailhub": "only one label",
    "[smtp.example.net:587": "a bracket too many",
    "smtps://smtp.example.net": "not a server's name",
    "bob@smtp.example.net": "not a server's name",
    "127.0.0.1:25": "means this host only",
    "$relayhost.example.net": "programs act on",
    "smtp.example.net\n[other.example.net]": "a line break",
    "-smtp.example.net": "read as an option",
}


@pytest.mark.parametrize("typed", WRONG)
def test_what_is_no_next_hop_is_refused_with_a_reason(typed: str) -> None:
    with pytest.raises(ValueError, match=WRONG[typed].replace("$", r"\$")):
        NextHop().parse(typed)


@pytest.mark.parametrize("name", ["apikey", "bob@example.net", "DOM\\bob", "ü$%{}#'\"|"])
def test_a_user_name_stays_as_it_is(name: str) -> None:
    assert RelayUser().check(name) == name


@pytest.mark.parametrize(("name", "why"), [("a:b", "password to begin"), ("a b", "one word")])
def test_a_user_name_that_postfix_would_cut_is_refused(name: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        RelayUser().check(name)


def test_senders_as_typed_and_as_in_the_file() -> None:
    kind = Table(SenderPattern(), RelayAccount())
    typed = (
        "Bob@Example.org = smtp.example.com:465 bob env:BOB\n@shop.example = r.example u file:/k"
    )
    value = kind.parse(typed)
    assert list(value) == ["bob@example.org", "@shop.example"]
    assert value["bob@example.org"]["password"] == SecretRef(env="BOB")
    assert kind.parse(kind.show(value)) == kind.check(kind.toml(value)) == value
    with pytest.raises(ValueError, match="three words") as refused:
        kind.parse("bob@example.org = smtp.example.com hunter2")
    assert "hunter2" not in str(refused.value)


def complaints(**given: Any) -> dict[str, str]:
    values = {"host": None, "username": None, "password": None, "senders": {}} | given
    answers = {"relay": values, "hostname": {"fqdn": "mail.example.org"}}
    return dict(relay.STEP.review(Context("relay", answers, RecordedHost())))


HOP, PASSWORD = "[smtp.example.net]:587", SecretRef(env="PW")
ACCOUNT = {"host": HOP, "username": "bob", "password": PASSWORD}


@pytest.mark.parametrize(
    ("given", "key", "said"),
    [
        ({}, "host", "is needed"),
        (
            {"username": "u", "password": PASSWORD, "senders": {"@x.example": ACCOUNT}},
            "host",
            "where",
        ),
        ({"host": HOP, "username": "u"}, "password", "is needed"),
        ({"host": HOP, "password": PASSWORD}, "username", "is needed"),
        ({"host": "[mail.example.org]:587"}, "host", "this host itself"),
        ({"host": "[192.0.2.1]:587", "username": "u", "password": PASSWORD}, "host", "prove names"),
        ({"senders": {"@x.example": ACCOUNT | {"host": "[192.0.2.1]:25"}}}, "senders", "prove"),
    ],
)
def test_halves_of_an_account_are_complained_of(given: dict[str, Any], key: str, said: str) -> None:
    assert said in complaints(**given)[key]


@pytest.mark.parametrize(
    "given",
    [
        {"host": HOP},
        {"host": HOP, "username": "u", "password": PASSWORD},
        {"host": "[192.0.2.1]:25"},
        {"senders": {"@x.example": ACCOUNT}},
    ],
)
def test_whole_ones_are_not(given: dict[str, Any]) -> None:
    assert complaints(**given) == {}


def test_a_password_in_the_answers_is_refused_and_not_repeated() -> None:
    answers = Answers.empty([relay.STEP])
    with pytest.raises(BadAnswer) as refused:
        answers.with_value("relay", "password", "hunter2")
    assert "hunter2" not in str(refused.value)
    assert not answers.enabled("relay")


def table(*entries: tuple[str, str]) -> SecretTable:
    found = (Credential(key, user, SecretRef(env=user.upper()), "PW") for key, user in entries)
    return SecretTable(PATH, tuple(found))


def host_with(**found: str) -> RecordedHost:
    host = RecordedHost(secrets=found)
    host.programs = dict(programs.EVERYWHERE)
    return host


def test_the_table_is_private_from_the_start_and_followed_by_changes() -> None:
    host, change = host_with(BOB="pa55word"), table((HOP, "bob"))
    assert change.needed(host)
    assert "pa55word" not in change.preview(host).text + change.shell(host) + change.title
    change.apply(host)
    assert host.read(PATH).decode().splitlines()[1:] == [f"{HOP}\tbob:pa55word"]
    assert host.state(PATH).mode == host.state(f"{PATH}.db").mode == 0o600
    assert not change.needed(host)
    host.secrets = {"BOB": "two", "CAROL": "three"}
    assert change.needed(host)
    assert change.preview(host).text == (
        f"# {PATH}: the passwords in it are replaced, and nobody but root can read it"
    )
    assert table((HOP, "carol")).needed(host)


def test_rights_that_are_too_wide_are_mended() -> None:
    host, change = host_with(BOB="one"), table((HOP, "bob"))
    change.apply(host)
    for path in (PATH, f"{PATH}.db"):
        host.files[path].mode = 0o644
        assert change.needed(host)
        change.apply(host)
        assert host.state(path).mode == 0o600
        assert not change.needed(host)
    host.files[f"{PATH}.db"].mtime_ns -= 1
    assert change.needed(host)


class Forgetful(RecordedHost):
    """A host on which the environment variable is no more."""

    def secret(self, ref: SecretRef, *, lines: bool = False) -> str:
        raise BadUsage(f"{ref.env} is not set")


def test_a_password_that_is_not_at_hand_any_more_stays() -> None:
    host, change = host_with(BOB="one"), table((HOP, "bob"))
    change.apply(host)
    later = Forgetful(files=host.files)
    assert not change.needed(later)
    assert table((HOP, "bob"), ("@x.example", "carol")).needed(later)
    with pytest.raises(BadUsage):
        change.apply(Forgetful())


def test_a_blank_that_postfix_would_cut_is_refused_before_anything_is_touched() -> None:
    host = host_with(BOB="one ")
    with pytest.raises(BadUsage, match="ends with a blank"):
        table((HOP, "bob")).apply(host)
    assert host.state(PATH) == FileState("absent")


def test_what_postmap_says_is_not_repeated() -> None:
    host, change = host_with(BOB="hunter2"), table((HOP, "bob"))
    host.programs = {"postmap": lambda look, argv, stdin: Completed((), 1, "", "hunter2")}
    with pytest.raises(Exception, match="postmap complains") as failed:
        change.apply(host)
    assert "hunter2" not in f"{failed.value!r} {vars(failed.value)}"


def test_nothing_of_an_old_table_is_shown() -> None:
    host, change = host_with(BOB="one"), table((HOP, "bob"))
    old = "# [a]:587 user:secret1\n[b] user:secret2:more\n[c] secret3\n"
    old += "  secret4:x\n\tsecret5:y\n\n[d]\tu: secret6\n"
    host.files[PATH] = Written(old.encode())
    shown = change.preview(host).text
    assert "secret" not in shown
    assert "user:••••••••" in shown


def test_a_table_of_ours_goes_with_its_last_account_and_comes_back_with_an_undo() -> None:
    host, gone = host_with(BOB="hunter2"), SecretTableGone(PATH)
    assert not gone.needed(host)
    host.files[PATH] = Written(b"# by hand\n[a]:587 user:secret\n")
    assert not gone.needed(host), "somebody else's"
    del host.files[PATH]
    table((HOP, "bob")).apply(host)
    left = {path: host.files[path].data for path in (PATH, f"{PATH}.db")}
    assert gone.needed(host)
    assert "hunter2" not in gone.preview(host).text + gone.shell(host)
    subjects = [each for each in gone.subjects(host) if isinstance(each, SecretFile)]
    for subject in subjects:
        subject.preserve(host)
    before = [subject.capture(host) for subject in subjects]
    gone.apply(host)
    assert not gone.needed(host)
    assert not {PATH, f"{PATH}.db"} & set(host.files)
    after = [subject.capture(host) for subject in subjects]
    for subject, was, then in zip(subjects, before, after, strict=True):
        subject.restore(host, was, then)
    assert {path: host.files[path].data for path in left} == left
    assert host.state(PATH).mode == 0o600


@pytest.mark.parametrize(("head", "kept"), [(HEADER, False), ("# by hand", True)])
def test_the_script_takes_away_no_table_but_ours(tmp_path: Path, head: str, kept: bool) -> None:
    both = tmp_path / "a table", tmp_path / "a table.db"
    for path in both:
        path.write_text(f"{head}\n[a]:587\tuser:secret\n")
    line = SecretTableGone(str(both[0])).shell(host_with())
    for _ in range(2):
        subprocess.run(["bash", "-euo", "pipefail", "-c", line], check=True)
        assert [path.exists() for path in both] == [kept, kept]


def test_what_the_step_no_longer_needs_is_taken_away() -> None:
    host = host_with(PW="one")
    host.programs |= programs.POSTFIX
    host.files["/etc/postfix/main.cf"] = Written(b"")
    host.files["/etc/postfix/master.cf"] = Written(b"smtp unix - - y - - smtp\n")

    def due(hop: str, **login: Any) -> list[str]:
        values = {"host": hop, "username": None, "password": None, "senders": {}} | login
        found = []
        for change in relay.plan(Context("relay", {"relay": values, **OTHERS}, host)):
            if isinstance(change, Service) or not change.needed(host):
                continue
            change.apply(host)
            found.append(change.title)
        return found

    assert "set options of relay-smtps" in due(
        "[smtp.example.net]:465", username="bob", password=PASSWORD
    )
    assert "relay-smtps" in host.read("/etc/postfix/master.cf").decode()
    found = due("[smtp.example.net]:25")
    assert found[-1] == f"remove the passwords in {PATH}"
    assert "end relay-smtps" in found
    assert "relay-smtps" not in host.read("/etc/postfix/master.cf").decode()
    assert due("[smtp.example.net]:25") == []


OTHERS = {"hostname": {"fqdn": "mail.example.org", "address": "198.18.0.10", "address6": None}}
