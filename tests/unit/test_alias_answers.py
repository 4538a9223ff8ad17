"""Whose mail goes where by the answers, and what of it is refused."""

from __future__ import annotations

import pytest
from support import programs
from support.recorded import RecordedHost, Written

from mailwizard.answers import Answers
from mailwizard.model import Completed, Context
from mailwizard.platform import facts
from mailwizard.steps import STEPS, aliases

PASSWD = """\
root:x:0:0:root:/root:/bin/bash
news:x:9:9:news:/var/spool/news:/usr/sbin/nologin
alice:x:1000:1000::/home/alice:/bin/bash
bob:x:1001:1001::/home/bob:/bin/bash
webmaster:x:1002:1002::/home/webmaster:/bin/bash
postmaster:x:1003:1003::/home/postmaster:/bin/bash
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
"""
BEFORE = """
[hostname]
fqdn = "mail.example.org"
address = "198.18.0.10"
[postfix]
domains = ["example.org", "example.net"]
[aliases]
"""


@pytest.fixture
def host() -> RecordedHost:
    listed = {"getent passwd": Completed((), 0, PASSWD)}
    return RecordedHost(answers=listed, programs=dict(programs.EVERYWHERE))


def complaints(host: RecordedHost, chosen: str) -> list[tuple[str, str]]:
    found, wrong = Answers.from_text(BEFORE + chosen, STEPS).examine(STEPS, host)
    assert found["aliases"], wrong
    return [each for each in wrong if each[0].startswith("aliases.")]


RIGHT = [
    "",
    'senders = { alice = "a.l@example.org", bob = "b@example.net" }',
    # an address elsewhere is none of ours
    'senders = { alice = "bob@gmail.example", bob = "bob@example.org" }',
    # nobody reads the mail of a system's own account
    'senders = { alice = "news@example.org" }',
    'senders = { alice = "abuse@example.org" }',
    'senders = { alice = "Bob@example.org" }\naliases = { bob = "alice" }',
    'senders = { alice = "bob@example.org" }\naliases = { bob = ["bob", "alice"] }',
    'senders = { alice = "i@example.org", bob = "i@example.net" }\naliases = { I = "alice" }',
    'senders = { alice = "root@example.org" }',
    # a tag, capitals, and one's own address lead to the same mailbox
    'aliases = { shop = "bob+shop" }',
    'aliases = { shop = "Bob" }',
    'aliases = { shop = ["bob@example.org", "alice+x@mail.example.org"] }',
    'aliases = { shop = "sales+x@example.net", sales = "bob" }',
    'aliases = { bob = ["bob@example.org", "alice"] }',
]


@pytest.mark.parametrize("chosen", RIGHT)
def test_what_is_clear_is_taken(host: RecordedHost, chosen: str) -> None:
    assert complaints(host, f'root = "alice"\n{chosen}') == []


WRONG = [
    ('senders = { alice = "i@example.org", bob = "I@example.net" }', "i", "alice", "bob"),
    ('senders = { alice = "i@example.org", bob = "i@example.org" }', "i", "alice", "bob"),
    ('senders = { alice = "bob@example.org" }', "bob", "bob", "alice"),
    (
        'senders = { alice = "bob@example.org", bob = "bob@example.net" }',
        *("bob", "bob", "alice"),
    ),
    ('senders = { bob = "root@example.org" }', "root", "alice", "bob"),
]


@pytest.mark.parametrize(("chosen", "name", "one", "other"), WRONG)
def test_a_name_of_two_is_refused(
    host: RecordedHost, chosen: str, name: str, one: str, other: str
) -> None:
    ((key, said),) = complaints(host, f'root = "alice"\n{chosen}')
    assert key == "aliases.senders"
    assert f"mail to '{name}' goes one way" in said
    assert f"{one} and {other} would all be '{name}'" in said
    assert f"say in aliases who reads it: {name} = {one}, {other}" in said
    covered = f'root = "alice"\n{chosen}\naliases = {{ {name} = ["{one}", "{other}"] }}'
    assert complaints(host, covered) == []


@pytest.mark.parametrize("root", ["webmaster", "postmaster", "alice"])
def test_who_has_an_account_of_a_roles_name_gets_its_mail(host: RecordedHost, root: str) -> None:
    chosen = f'root = "{root}"\n'
    assert complaints(host, chosen) == []
    found, _ = Answers.from_text(BEFORE + chosen, STEPS).examine(STEPS, host)
    table = aliases.graph(Context("aliases", found, host))
    ends = {name: aliases.people(name, table) for name in table}
    roles = {name: {"postmaster"} for name in ("abuse", "mailer-daemon", "postmaster")}
    others = {name: {root} for name in ("root", "hostmaster", "security")}
    assert ends == roles | others | {"webmaster": {"webmaster"}}
    # an earlier line, the distribution's own or ours, would lead away or in a circle
    assert table["webmaster"] == ["webmaster"]


CIRCLES = [
    ('root = "webmaster"\naliases = { webmaster = "root" }', "aliases", "leads back to itself"),
    ('root = "alice"\naliases = { alice = "security" }', "aliases", "leads back to itself"),
    ('root = "alice"\naliases = { a = "b", b = "a" }', "aliases", "a leads back to itself"),
    ('root = "alice"\naliases = { a = "a" }', "aliases", "a leads to 'a', which is neither"),
    ('root = "alice"\naliases = { a = "nobody-here" }', "aliases", "a leads to 'nobody-here'"),
    (
        'root = "alice"\naliases = { a = "nobody-here@example.org" }',
        "aliases",
        "a leads to 'nobody",
    ),
    (
        'root = "alice"\naliases = { a = "b@example.org", b = "A+x@mail.example.org" }',
        *("aliases", "a leads back to itself"),
    ),
    ('root = "alice"\naliases = { a = "news" }', "aliases", "'news', an account of the system's"),
    ('root = "alice"\naliases = { a = "nobody@example.org" }', "aliases", "an account of the sys"),
    ('root = "news"', "root", "'news' is an account of the system's own, whose mail nobody reads"),
    ('root = "nobody"', "root", "'nobody' is an account of the system's own"),
    ('root = "root"', "root", "needs a person who reads it on this host (people: alice, bob"),
    ('root = "carol"\naliases = { a = "carol" }', "root", "there is no login 'carol'"),
    (
        'root = "alice"\nsenders = { carol = "c@example.org" }\naliases = { a = "carol" }',
        "senders",
        "there is no login 'carol'",
    ),
]


@pytest.mark.parametrize(("chosen", "key", "words"), CIRCLES)
def test_circles_and_dead_ends_are_refused(
    host: RecordedHost, chosen: str, key: str, words: str
) -> None:
    found = complaints(host, chosen)
    assert {name for name, _ in found} == {f"aliases.{key}"}
    assert words in found[0][1]


def test_a_circle_of_senders_alone_is_told_once(host: RecordedHost) -> None:
    listed = "a:x:101:101::/:/bin/sh\nb:x:102:102::/:/bin/sh\n"
    host.answers["getent passwd"] = Completed((), 0, PASSWD + listed)
    chosen = 'root = "alice"\nsenders = { a = "b@example.org", b = "a@example.org" }'
    assert complaints(host, chosen) == [
        ("aliases.senders", "b leads back to itself; end it at a login or an address")
    ]


def test_a_login_that_the_directory_does_not_list(host: RecordedHost) -> None:
    ldap = Completed((), 0, "ldapuser:*:1234500001:100::/home/ldapuser:/bin/bash\n")
    host.answers["getent passwd ldapuser"] = ldap
    host.files["/etc/nsswitch.conf"] = Written(b"passwd: files ldap\n")
    chosen = 'root = "ldapuser"\naliases = { a = "ldapuser" }\n'
    assert complaints(host, chosen + 'senders = { ldapuser = "l@example.org" }') == []
    assert "ldapuser" not in facts.people(host)
    taken = complaints(host, chosen + 'senders = { alice = "ldapuser@example.org" }')
    assert "ldapuser and alice" in taken[0][1]


def test_a_number_is_no_login(host: RecordedHost) -> None:
    # getent(1) takes it for that of a user
    host.files["/etc/nsswitch.conf"] = Written(b"passwd: files ldap\n")
    host.answers["getent passwd 1000"] = Completed((), 0, PASSWD.splitlines()[2] + "\n")
    assert not facts.has_login(host, "1000")


MADE = [
    ("carol", ""),
    # it is there, and stays whose it is
    ("webmaster", ""),
    ("news", "news is an account of the system's own"),
    ("abuse", "abuse is the name of a role, whose mail alice reads"),
    ("staff", "staff is a group on this host, and useradd(8) makes no account of that name"),
    ("sales", "sales is an alias in the answers, which leads to alice, bob"),
]


@pytest.mark.parametrize(("login", "said"), MADE)
def test_an_account_that_is_to_be_made_has_a_name_of_its_own(
    host: RecordedHost, login: str, said: str
) -> None:
    host.answers["getent group staff"] = Completed((), 0, "staff:x:50:\n")
    chosen = f"""root = "alice"
aliases = {{ sales = ["alice", "bob"] }}
[dovecot]
users = [{{ login = "{login}", password = {{ env = "X" }} }}]
"""
    _, wrong = Answers.from_text(BEFORE + chosen, STEPS).examine(STEPS, host)
    found = [why for key, why in wrong if key == "dovecot.users"]
    assert found == ([f"{said}; give that account another name"] if said else [])
