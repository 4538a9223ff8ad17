"""Every kind of field: what passes, what is refused and why, and that hostile values are inert."""
# ruff: noqa: RUF001 - letters that look alike are what is tested here

from __future__ import annotations

import random
import unicodedata
from typing import Any

import pytest

from mailwizard.fields import (
    Address,
    AliasName,
    AliasTarget,
    Bool,
    Choice,
    Domain,
    EmailAddress,
    Field,
    HostName,
    Integer,
    Listing,
    LocalPart,
    Login,
    Network,
    OneOrMore,
    Path,
    Record,
    SecretField,
    Size,
    Table,
    Text,
    spellings,
)
from mailwizard.fields.text import INTERPRETED
from mailwizard.model import SecretRef

ACCOUNT = Record((("login", Login()), ("password", SecretField())))

NAMES = Table(AliasName(), OneOrMore(AliasTarget()))

KINDS: list[Field] = [
    HostName(),
    Domain(),
    Address(),
    Address(4),
    Address(6),
    Network(),
    EmailAddress(),
    EmailAddress(international=True),
    LocalPart(),
    AliasName(),
    Login(),
    AliasTarget(),
    Bool(),
    Integer(1, 65535),
    Size(),
    Choice(("private-ca", "acme", "files")),
    Text(),
    Path(),
    Listing(Domain()),
    OneOrMore(AliasTarget()),
    NAMES,
    ACCOUNT,
    Listing(ACCOUNT),
    SecretField(),
]

PASS: list[tuple[Field, Any, Any]] = [
    (HostName(), "mail.example.org", "mail.example.org"),
    (HostName(), "  Mail.Example.ORG. ", "mail.example.org"),
    (HostName(), "bücher.example", "xn--bcher-kva.example"),
    (HostName(), "BÜCHER.example", "xn--bcher-kva.example"),
    (HostName(), "bu\u0308cher.example", "xn--bcher-kva.example"),
    (HostName(), "xn--bcher-kva.example", "xn--bcher-kva.example"),
    (HostName(), "faß.de", "xn--fa-hia.de"),
    (HostName(), "אבג.example", "xn--4dbcd.example"),
    (HostName(), "日本語カナ.example", "xn--lck2c295sncbk91h.example"),
    (HostName(), "a" * 63 + ".example", "a" * 63 + ".example"),
    (HostName(), "4.example.org", "4.example.org"),
    (Address(), "192.0.2.10", "192.0.2.10"),
    (Address(), "[2001:DB8:0::1]", "2001:db8::1"),
    (Address(4), "10.1.2.3", "10.1.2.3"),
    (Network(), "127.0.0.0/8", "127.0.0.0/8"),
    (Network(), "[::1]/128", "::1/128"),
    (Network(), "[::ffff:127.0.0.0]/104", "::ffff:127.0.0.0/104"),
    (Network(), "192.168.1.0/24", "192.168.1.0/24"),
    (Network(), "8.8.8.8", "8.8.8.8/32"),
    (Network(), "fd00:1::/64", "fd00:1::/64"),
    (EmailAddress(), "Alice.Liddell@Example.ORG", "Alice.Liddell@example.org"),
    (EmailAddress(), "info@bücher.example", "info@xn--bcher-kva.example"),
    (EmailAddress(international=True), "jürgen@example.org", "jürgen@example.org"),
    (LocalPart(), "Sales+Tag", "Sales+Tag"),
    (Login(), "alice", "alice"),
    (Login(), "first.last", "first.last"),
    (AliasTarget(), "alice", "alice"),
    (AliasTarget(), "a@example.net", "a@example.net"),
    (Bool(), True, True),
    (Integer(1, 10), 10, 10),
    (Size(), 52428800, 52428800),
    (Size(), "50 MiB", 52428800),
    (Size(), "50M", 52428800),
    (Size(), "50 MB", 50_000_000),
    (Choice(("a", "b")), "b", "b"),
    (Choice(("465", "587")), 465, "465"),
    (Choice(("465", "587")), "587", "587"),
    (Text(), "GOTO Sarbacane 2!", "GOTO Sarbacane 2!"),
    (Text(free=True), "100 % $free", "100 % $free"),
    (Path(), "/etc//ssl/mail.pem/", "/etc/ssl/mail.pem"),
    (Listing(Domain()), ["b.example", "A.example", "a.example"], ["b.example", "a.example"]),
    (Listing(Domain()), (), []),
    (OneOrMore(Login()), "alice", ["alice"]),
    (NAMES, {"Sales": "al", "x": ["b"]}, {"Sales": ["al"], "x": ["b"]}),
    (SecretField(), {"env": "RELAY_PASSWORD"}, SecretRef(env="RELAY_PASSWORD")),
    (SecretField(), {"file": "/root/pw"}, SecretRef(file="/root/pw")),
    (SecretField(), SecretRef(file="/root/pw"), SecretRef(file="/root/pw")),
    (Record((("a", Login()), ("p", SecretField()))), {"a": "al", "p": {"env": "P"}},
     {"a": "al", "p": SecretRef(env="P")}),
]  # fmt: skip

REFUSED: list[tuple[Field, Any, str]] = [
    (HostName(), "mail", "only one label; a full host name such as mail.example.org is needed"),
    (HostName(), "", "a value is needed"),
    (HostName(), 5, "is a number; a text in quotes is needed"),
    (HostName(), "192.0.2.1", "is an IP address"),
    (HostName(), "[2001:db8::1]", "is an IP address"),
    (HostName(), "mail_1.example.org", "'_', which no host name has; '-' is right"),
    (HostName(), "mail..example.org", "empty part"),
    (HostName(), ".example.org", "empty part"),
    (HostName(), "example.org..", "empty part"),
    (HostName(), "a" * 64 + ".example", "part of 64 characters; at most 63"),
    (HostName(), "ü" * 63 + ".example", "more than 63 characters"),
    (HostName(), ".".join(["a" * 60] * 5), "at most 253"),
    (HostName(), "mail.example.123", "ends in a number"),
    (HostName(), "localhost", "means this host only"),
    (HostName(), "mail.localhost", "means this host only"),
    (HostName(), "printer.local", "multicast DNS"),
    (HostName(), "mail.localdomain", "placeholder"),
    (HostName(), "mail.invalid", "reserved"),
    (HostName(), "-mail.example.org", "read as an option"),
    (HostName(), "mail-.example.org", "only letters, digits"),
    (HostName(), "r3---sn.example.org", "only letters, digits"),
    (HostName(), "xn--zzzzzz.example", "no valid name (IDNA 2008)"),
    (HostName(), "pаypal.example", "mixes Cyrillic and Latin"),
    (HostName(), "ραy.example", "mixes Greek and Latin"),
    (HostName(), "xn--pypal-4ve.example", "mixes Cyrillic and Latin"),
    (HostName(), "ｍａｉｌ.example", "special letter forms; 'mail.example' would be right"),
    (HostName(), "mail。example", "no valid name"),
    (HostName(), "ma\u200dil.example", "zero width joiner"),
    (HostName(), "ma\u200bil.example", "zero width space"),
    (HostName(), "\u202email.example", "right-to-left override"),
    (HostName(), "ma\u00adil.example", "soft hyphen"),
    (HostName(), "☃.example", "no valid name"),
    (Address(), "localhost", "is not an IP address"),
    (Address(), "010.1.1.1", "is not an IP address"),
    (Address(), "127.0.0.1", "this host only"),
    (Address(), "::1", "this host only"),
    (Address(), "0.0.0.0", "stands for no address"),
    (Address(), "::", "stands for no address"),
    (Address(), "224.0.0.1", "many hosts"),
    (Address(), "255.255.255.255", "many hosts"),
    (Address(), "fe80::1", "one cable"),
    (Address(), "fe80::1%eth0", "after '%'"),
    (Address(), "::ffff:192.0.2.1", "the IPv4 address 192.0.2.1"),
    (Address(4), "2001:db8::1", "IPv6 address; an IPv4 address"),
    (Address(6), "192.0.2.1", "IPv4 address; an IPv6 address"),
    (Network(), "0.0.0.0/0", "whole Internet"),
    (Network(), "::/0", "whole Internet"),
    (Network(), "128.0.0.0/1", "hosts of others, who could all relay"),
    (Network(), "8.8.8.0/24", "hosts of others"),
    (Network(), "8.8.8.8/31", "hosts of others"),
    (Network(), "100.64.0.0/10", "hosts of others"),
    (Network(), "192.0.0.0/8", "hosts of others"),
    (Network(), "10.0.0.0/7", "hosts of others"),
    (Network(), "2001:db8::/32", "hosts of others"),
    (Network(), "::ffff:0:0/96", "hosts of others"),
    (Network(), "10.0.0.1/8", "10.0.0.0/8 is the network itself"),
    (Network(), "10.0.0.0/33", "is not a network"),
    (Network(), "0.0.0.0", "no network of hosts"),
    (EmailAddress(), "alice", "not complete"),
    (EmailAddress(), "@example.org", "not complete"),
    (EmailAddress(), '"al ice"@example.org', "has quotes"),
    (EmailAddress(), "a@b@example.org", "two @"),
    (EmailAddress(), "a@[192.0.2.1]", "IP address after the @"),
    (EmailAddress(), "a..b@example.org", "not a mailbox name"),
    (EmailAddress(), ".a@example.org", "not a mailbox name"),
    (EmailAddress(), "jürgen@example.org", "beyond a-z"),
    (EmailAddress(), "-f@example.org", "read as an option"),
    (EmailAddress(), "a" * 65 + "@example.org", "at most 64"),
    (EmailAddress(), "a@localhost", "this host only"),
    (LocalPart(), "a@example.org", "only the part before the @"),
    (Login(), "Alice", "lower-case logins only"),
    (Login(), "0day", "not a login"),
    (Login(), "a" * 33, "not a login"),
    (Login(), "a/../b", "not a login"),
    (Login(), "alice@example.org", "is a mail address"),
    (Login(lambda name: name == "alice"), "bob", "no account here"),
    (AliasTarget(), "|/usr/bin/vacation", "run a program"),
    (AliasTarget(), '"|/usr/bin/vacation"', "run a program"),
    (AliasTarget(), "/var/mail/x", "append mail to a file"),
    (AliasTarget(), ":include:/etc/list", "redirect mail"),
    (AliasTarget(), ":INCLUDE:/etc/list", "redirect mail"),
    (AliasTarget(), "a@example.org, b", "contains a blank"),
    (Bool(), "yes", "true or false without quotes"),
    (Bool(), 1, "true or false without quotes"),
    (Integer(1, 10), 11, "from 1 to 10"),
    (Integer(1, 10), True, "true or false; a whole number"),
    (Integer(1, 10), "5", "without quotes"),
    (Integer(1, 10), 5.0, "without quotes"),
    (Size(), "50 XB", "not a size"),
    (Size(least=1024), 5, "out of range; a size such as 50 MiB, from 1 KiB"),
    (Size(), True, "true or false"),
    (Choice(("private-ca", "acme")), "privateca", "did you mean 'private-ca'?"),
    (Choice(("private-ca", "acme")), "xyz", '"private-ca" or "acme" is right'),
    (Choice(("465", "587")), 25, "'25' is not known; 465 or 587 is right"),
    (Choice(("465", "587")), True, "a text in quotes is needed"),
    (Text(max_length=3), "four", "at most 3"),
    (Path(), "etc/x", "does not begin with '/'"),
    (Path(), "/etc/../x", "'..'"),
    (Path(), "/", "root folder"),
    (Listing(Domain(), least=1), [], "at least 1"),
    (Listing(Domain()), "a.example", "a list in brackets"),
    (NAMES, {"a": "|x"}, "a: '|x' would run a program"),
    (Table(AliasName(), AliasTarget()), {"A": "x", "a": "y"}, "there twice"),
    (ACCOUNT, {"login": "al"}, "'password' is missing"),
    (ACCOUNT, {"login": "al", "pasword": 1}, "did you mean 'password'?"),
    (SecretField(), {"env": "A", "file": "/b"}, "one of two forms"),
    (SecretField(), {}, "one of two forms"),
    (SecretField(), {"env": "A B"}, "blank"),
    (SecretField(), {"env": "1A"}, "not the name of an environment variable"),
    (SecretField(), {"file": "pw"}, "file: 'pw' does not begin with '/'"),
]  # fmt: skip

HOSTILE = [
    ";", "; rm -rf /", "$(id)", "`id`", "|", "| id", "&", "&& id", ">x", "<x", "*", "?", "[a]", "~",
    "~root", "#", "!", "!!", "%", "%u", "%s%n", "'", '"', "\\", "a\nb", "a\rb", "a\0b", "\x1b[2J",
    "\x9b2J", "\x7f", "-oProxyCommand=x", "--help", "-f", "{{7*7}}", "{% raw %}", "${x}", "$x",
    "$$",
    "\ud800", "\u2028", "\u202e", "\ufeff", "\u200b", "..", "../../etc/passwd", "a/../b", "\t", " ",
    "smtpd_relay_restrictions = permit", "x" * 65536, "[red]", "[/x]", "{", "}", "a,b", "a b", "",
]  # fmt: skip
PLACES = ("{}", "a{}", "{}a", "a{}.example.org", "{}@example.org", "a@{}.org", "/etc/{}", "x = {}")


def refused_or_inert(kind: Field, value: Any) -> None:
    try:
        checked = kind.check(value)
    except ValueError as error:
        assert unicodedata.normalize("NFC", str(error)).isprintable()
        assert len(str(error)) < 1000
        return
    assert kind.check(checked) == checked
    assert kind.parse(kind.show(checked)) == checked
    assert kind.check(kind.toml(checked)) == checked
    shown = kind.show(checked)
    assert not any(unicodedata.category(char) in {"Cc", "Cf", "Cs"} for char in shown)
    assert not any(text.startswith("-") or set(text) & set(INTERPRETED) for text in texts(checked))


def texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for pair in value.items() for part in pair for text in texts(part)]
    if isinstance(value, list):
        return [text for part in value for text in texts(part)]
    if isinstance(value, SecretRef):
        return [value.env or value.file]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize(("kind", "value", "wanted"), PASS)
def test_passes(kind: Field, value: Any, wanted: Any) -> None:
    checked = kind.check(value)
    assert checked == wanted
    assert kind.check(checked) == checked
    assert kind.parse(kind.show(checked)) == checked
    assert kind.check(kind.toml(checked)) == checked


@pytest.mark.parametrize(("kind", "value", "why"), REFUSED)
def test_is_refused_with_a_reason(kind: Field, value: Any, why: str) -> None:
    with pytest.raises(ValueError) as refusal:
        kind.check(value)
    assert why in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: type(kind).__name__)
def test_hostile_values_are_refused_or_inert(kind: Field) -> None:
    for hostile in HOSTILE:
        for place in PLACES:
            refused_or_inert(kind, place.replace("{}", hostile))
            refused_or_inert(kind, [place.replace("{}", hostile)])
            refused_or_inert(kind, {place.replace("{}", hostile): hostile})
            refused_or_inert(kind, {"file": hostile})


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: type(kind).__name__)
def test_random_values_are_refused_or_inert(kind: Field) -> None:
    dice = random.Random(type(kind).__name__)
    alphabet = "ab.-_@:/=,; \t\n\0\x1b\x85\"'$%{}|<>\\0129ßüаהア\u0301\u200d\u202e\ud800[]#!~*?&+"
    for _ in range(2000):
        text = "".join(dice.choices(alphabet, k=dice.randint(0, 12)))
        refused_or_inert(kind, text)
        refused_or_inert(kind, dice.choice(PLACES).replace("{}", text))
        try:
            parsed = kind.parse(text)
        except ValueError:
            continue
        refused_or_inert(kind, parsed)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: type(kind).__name__)
def test_values_of_a_wrong_type_are_refused(kind: Field) -> None:
    for value in (None, 3.5, object(), b"x", {1: 2}, [None], [[]], {"a": None}, float("nan")):
        with pytest.raises(ValueError):
            kind.check(value)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: type(kind).__name__)
def test_every_kind_explains_itself_with_an_example_that_passes(kind: Field) -> None:
    assert kind.hint
    assert kind.check(kind.example) is not None


def test_names_are_shown_in_both_forms() -> None:
    assert HostName().display("xn--bcher-kva.example") == "xn--bcher-kva.example (bücher.example)"
    assert HostName().display("mail.example.org") == "mail.example.org"
    both = EmailAddress().display("a@xn--bcher-kva.example")
    assert both == "a@xn--bcher-kva.example (a@bücher.example)"


def test_lists_and_tables_as_a_person_types_them() -> None:
    wanted = {"sales": ["alice", "bob"], "info": ["carol"]}
    assert NAMES.parse("sales = alice, bob\ninfo=carol\n") == wanted
    assert NAMES.parse("sales = alice bob; info = carol") == wanted
    assert NAMES.parse("sales = alice, bob, info = carol") == wanted
    assert NAMES.parse("") == {}
    assert Listing(Domain()).parse("a.example b.example,c.example") == [
        "a.example",
        "b.example",
        "c.example",
    ]
    with pytest.raises(ValueError, match="has no name"):
        NAMES.parse("alice")
    with pytest.raises(ValueError, match="there twice"):
        NAMES.parse("a = b; a = c")


def test_a_refused_secret_is_never_repeated() -> None:
    for kind in (SecretField(), ACCOUNT, Listing(ACCOUNT), OneOrMore(SecretField())):
        for value in (
            "hunter2",
            ["hunter2"],
            {"login": "al", "password": "hunter2"},
            {"env": "hunter2!"},
        ):
            with pytest.raises(ValueError) as refusal:
                kind.check(value)
            assert "hunter2" not in str(refusal.value)
        with pytest.raises(ValueError) as refusal:
            kind.parse("hunter2")
        assert "hunter2" not in str(refusal.value)


def test_yes_and_no_are_typed_as_words() -> None:
    assert [Bool().parse(word) for word in ("yes", "N", "on", "false")] == [
        True,
        False,
        True,
        False,
    ]
    with pytest.raises(ValueError, match="yes or no is right"):
        Bool().parse("perhaps")


def test_a_domain_beyond_ascii_has_two_spellings() -> None:
    names = ["example.org", "xn--bcher-kva.example", "a@xn--bcher-kva.example", "@example.org"]
    both = ["xn--bcher-kva.example", "b\u00fccher.example"]
    spelled = [*both, *(f"a@{each}" for each in both)]
    assert spellings(names) == ["example.org", *spelled, "@example.org"]
