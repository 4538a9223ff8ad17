"""The answer file: what is said of a wrong one, what follows from a right one, text and back."""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from support import programs
from support.recorded import RecordedHost, recorded

from mailwizard.answers import Answers, dump, example, read_secret
from mailwizard.errors import BadAnswer, BadUsage
from mailwizard.fields import (
    Address,
    AliasName,
    AliasTarget,
    Domain,
    HostName,
    Listing,
    OneOrMore,
    SecretField,
    Size,
    Table,
)
from mailwizard.model import Context, Question, SecretRef, Step
from mailwizard.platform.debian import TRIXIE
from mailwizard.steps import STEPS as HOWTO


def nothing(_context: Context) -> Iterator[Any]:
    return iter(())


def ask(name: str, kind: Any, default: Any = None, *, optional: bool = False) -> Question:
    found = default if callable(default) else lambda _context: default
    return Question(name, f"The {name}", kind, found, optional=optional)


def step(name: str, *questions: Question, **more: Any) -> Step:
    return Step(name, name.title(), "", questions, nothing, nothing, **more)


def domain_of_host(context: Context) -> list[str]:
    return [context.of("hostname")["fqdn"].partition(".")[2]]


def review(context: Context) -> Iterator[tuple[str, str]]:
    if "root" not in context["aliases"]:
        yield "aliases", "root leads nowhere"


STEPS = (
    step("hostname", ask("fqdn", HostName()), ask("address6", Address(6), optional=True)),
    step(
        "postfix", ask("domains", Listing(Domain(), 1), domain_of_host), ask("size", Size(), 2**20)
    ),
    step(
        "aliases",
        ask(
            "aliases", Table(AliasName(), OneOrMore(AliasTarget())), {"root": ["al"]}, optional=True
        ),
        review=review,
    ),
    step("relay", ask("password", SecretField()), optional=True, needs=("postfix",)),
    step("filter", ask("host", HostName(), "a.example.org"), optional=True, needs=("relay",)),
)
LOOK = RecordedHost()
FQDN = '[hostname]\nfqdn = "mail.example.org"\n'


def resolve(text: str) -> dict[str, dict[str, Any]]:
    return Answers.from_text(text, STEPS).resolve(STEPS, LOOK)


def refusal(text: str) -> BadUsage:
    with pytest.raises(BadUsage) as refused:
        resolve(text)
    assert refused.value.exit_code == 2
    return refused.value


def test_defaults_follow_from_earlier_answers() -> None:
    found = resolve(FQDN)
    assert found["hostname"] == {"fqdn": "mail.example.org", "address6": None}
    assert found["postfix"] == {"domains": ["example.org"], "size": 2**20}
    assert found["aliases"] == {"aliases": {"root": ["al"]}}
    assert found["relay"] == {"enabled": False}


def test_values_are_kept_as_checked() -> None:
    answers = Answers.from_text('[hostname]\nfqdn = "BÜCHER.example."\n', STEPS)
    assert answers.given("hostname", "fqdn") == "xn--bcher-kva.example"
    assert answers.given("hostname", "address6") is None
    assert answers.is_given("hostname", "fqdn")
    assert not answers.is_given("postfix", "size")


@pytest.mark.parametrize(
    ("text", "key", "said"),
    [
        ("", "hostname.fqdn", 'below [hostname], for example: fqdn = "mail.example.org"'),
        ('[hostname]\nfqdn = "mail"', "hostname.fqdn", "only one label"),
        ("[hostname]\nfqdn = 5", "hostname.fqdn", "is a number; a text in quotes is needed"),
        ("[hostnam]", "hostnam", "did you mean 'hostname'?"),
        ("[zzz]", "zzz", "known are: hostname, postfix, aliases"),
        (FQDN + "[postfix]\nsiez = 1", "postfix.siez", "did you mean 'size'?"),
        ('fqdn = "mail.example.org"', "fqdn", "below the line [hostname]"),
        ("hostname = 5", "hostname", "must be a table: a line [hostname]"),
        (FQDN + "enabled = false", "hostname.enabled", "cannot be left out"),
        (FQDN + '[relay]\nenabled = "no"', "relay.enabled", "true or false without quotes is"),
        (FQDN + "[relay]\nenabled = []", "relay.enabled", "true or false without quotes is"),
        (FQDN + "[relay]\nenabled = true", "relay.password", "password = { file = "),
        (FQDN + "[filter]\nenabled = true", "filter.enabled", "needs the step 'relay'"),
        ("system = true", "system", "must be a table: a line [system]"),
        ("[system]\nunproven = true", "system.unproven", "known are: expected"),
        ("[system]\nexpected = 1", "system.expected", "true or false without quotes is right"),
        (FQDN + '[aliases.aliases]\na = "b"', "aliases.aliases", "root leads nowhere"),
        (FQDN + '[aliases]\naliases = "x"', "aliases.aliases", "a table of names is right"),
    ],
)
def test_a_wrong_answer_is_named_with_what_would_be_right(text: str, key: str, said: str) -> None:
    refused = refusal(text)
    assert isinstance(refused, BadAnswer)
    assert refused.key == key
    assert said in refused.message


def test_everything_wrong_is_told_at_once() -> None:
    text = '[hostname]\nfqdn = "mail"\n[postfix]\nsize = "x"\n[aliases.aliases]\na = "|b"'
    refused = refusal(text)
    lines = refused.message.splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "hostname.fqdn",
        "postfix.size",
        "aliases.aliases",
    ]
    assert len(refusal("[a]\n[b]\n").message.splitlines()) == 2


def test_a_default_that_fails_is_told_as_such() -> None:
    steps = (step("hostname", ask("fqdn", HostName(), "localhost")),)
    with pytest.raises(BadAnswer, match="what this host says, 'localhost', cannot be used"):
        Answers.empty(steps).resolve(steps, LOOK)


def test_a_mistake_of_ours_is_not_hidden() -> None:
    steps = (step("hostname", ask("fqdn", HostName(), lambda context: context["nothing"])),)
    with pytest.raises(KeyError):
        Answers.empty(steps).resolve(steps, LOOK)


def test_a_table_that_is_given_switches_its_step_on() -> None:
    found = resolve(FQDN + '[relay]\npassword = { env = "P" }')
    assert found["relay"] == {"enabled": True, "password": SecretRef(env="P")}
    off = resolve(FQDN + '[relay]\nenabled = false\npassword = { env = "P" }')
    assert off["relay"] == {"enabled": False}


def test_a_step_may_be_on_by_itself() -> None:
    steps = (step("filter", ask("enabled", None, True), ask("size", Size(), 5), optional=True),)
    assert Answers.empty(steps).resolve(steps, LOOK) == {"filter": {"enabled": True, "size": 5}}
    off = Answers.from_text("[filter]\nenabled = false", steps)
    assert off.resolve(steps, LOOK) == {"filter": {"enabled": False}}


def test_a_step_that_is_proposed_is_on_until_somebody_says_otherwise() -> None:
    steps = (step("filter", ask("size", Size(), 5), optional=True, proposed=True),)
    assert Answers.empty(steps).resolve(steps, LOOK) == {"filter": {"enabled": True, "size": 5}}
    off = Answers.from_text("[filter]\nenabled = false", steps)
    assert off.resolve(steps, LOOK) == {"filter": {"enabled": False}}


def test_one_value_at_a_time() -> None:
    answers = Answers.empty(STEPS).with_value("hostname", "fqdn", "Mail.example.org")
    assert answers.given("hostname", "fqdn") == "mail.example.org"
    assert answers.with_value("hostname", "address6", "").is_given("hostname", "address6")
    assert answers.without("hostname", "fqdn").given("hostname", "fqdn") is None
    assert answers.with_value("relay", "enabled", True).enabled("relay")
    assert not answers.enabled("relay")
    with pytest.raises(BadAnswer, match=r"postfix\.size: '5 XB' is not a size"):
        answers.with_value("postfix", "size", "5 XB")
    with pytest.raises(BadAnswer, match="no such question"):
        answers.with_value("postfix", "nonsense", 1)


def test_text_and_back() -> None:
    given = (
        FQDN
        + '[postfix]\ndomains = ["bücher.example"]\nsize = "50 MiB"\n'
        + '[aliases.aliases]\nroot = "al"\n"a+b" = ["x", "y@example.net"]\n'
        + '[relay]\npassword = { file = "/root/pw" }\n'
    )
    found = resolve(given)
    text = dump(STEPS, found)
    assert resolve(text) == found
    assert '# The size\nsize = "50 MiB"' in text
    assert 'password = { file = "/root/pw" }' in text


@pytest.mark.parametrize(
    ("name", "question"),
    [(each.id, question) for each in HOWTO for question in each.questions if question.optional],
    ids=lambda each: getattr(each, "name", each),
)
def test_what_may_be_left_empty_is_empty_for_every_step(name: str, question: Question) -> None:
    facts = tomllib.loads((Path(__file__).parents[1] / "steps/facts.toml").read_text())
    host = recorded(facts, TRIXIE)
    host.programs = {**programs.EVERYWHERE, **programs.POSTFIX}
    answers = Answers.from_text(tomli_w.dumps(facts["answers"]), HOWTO)
    if name == "relay":
        answers = answers.with_value("relay", "host", "[smtp.example.net]:587")
    emptied = answers.with_value(name, question.name, None)
    kept = Answers.from_text(dump(HOWTO, emptied.values), HOWTO)
    assert kept.given(name, question.name) == emptied.given(name, question.name)
    assert kept.is_given(name, question.name)
    # written so by versions before
    before = Answers.from_text(f'[{name}]\n{question.name} = ""', HOWTO)
    assert before.given(name, question.name) == emptied.given(name, question.name)
    found, complaints = kept.examine(HOWTO, host)
    if isinstance(question.kind, Listing | Table):
        assert not emptied.given(name, question.name)
        assert question.kind.show(found[name][question.name]) == ""
        assert complaints == []
    if not complaints:
        list(next(each for each in HOWTO if each.id == name).plan(Context(name, found, host)))


def test_an_answer_file_is_saved_for_its_owner_only() -> None:
    host = RecordedHost()
    Answers.from_text(FQDN, STEPS).save(host, "/var/lib/mailwizard/answers.toml")
    written = host.written["/var/lib/mailwizard/answers.toml"]
    assert written.mode == 0o600
    assert resolve(written.data.decode()) == resolve(FQDN)


@pytest.mark.parametrize(("line", "accepted"), [("", False), ("expected = true\n", True)])
def test_a_system_is_accepted_in_the_answers_and_stays_so(line: str, accepted: bool) -> None:
    answers = Answers.from_text(f"[system]\n{line}{FQDN}", STEPS)
    assert answers.accepted is accepted
    changed = answers.with_value("postfix", "size", 5).without("postfix", "size")
    host = RecordedHost()
    changed.save(host, "/a")
    kept = Answers.from_text(host.written["/a"].data.decode(), STEPS)
    assert kept == answers


def test_the_example_has_every_key_and_its_lines_are_right() -> None:
    text = example(STEPS)
    tomllib.loads(text)
    assert '# domains = ["example.org"]  # the default' in text
    assert '# fqdn = "mail.example.org"\n' in text
    bare = [line.removeprefix("# ") for line in text.splitlines() if " = " in line]
    for part in STEPS:
        for question in part.questions:
            assert any(line.startswith(f"{question.name} = ") for line in bare)
    filled = text
    for line in text.splitlines():
        if line.startswith(("# fqdn", "# domains", "# size", "# host")):
            filled = filled.replace(line, line.removeprefix("# "))
    assert resolve(filled.replace("# enabled = false", "enabled = false"))["postfix"]["size"]


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("[hostname]\nfqdn = mail", "line 2, column 8: invalid value", "stands in quotes"),
        ("[hostname]\nfqdn 5", "line 2, column 6: expected '='", 'key = "value"'),
        ("[a]\nx = 1\nx = 2\n", "line 3", "only once"),
        ("[a]\n[a]\n", "line 2", "only once"),
        ('a = "x\ny"', "line 1", "in quotes, on one line"),
        pytest.param("a = " + "[" * 20000, "nested too deeply", "", id="deep"),
        pytest.param("a = " + "9" * 5000, "a value", "", id="long"),
    ],
)
def test_what_is_not_toml_is_told_with_its_place(text: str, said: str, hint: str) -> None:
    refused = refusal(text)
    assert said in refused.message
    assert hint in refused.hint


def refused_file(path: Path | str) -> str:
    with pytest.raises(BadUsage) as refused:
        Answers.load(str(path), STEPS)
    assert refused.value.hint
    return refused.value.message


def test_files_that_cannot_be_answer_files(tmp_path: Path) -> None:
    assert "No such file" in refused_file(tmp_path / "none.toml")
    assert "not a plain file" in refused_file(tmp_path)
    assert "cannot be read" in refused_file("a\0b")
    os.mkfifo(tmp_path / "pipe")
    assert "not a plain file" in refused_file(tmp_path / "pipe")
    path = tmp_path / "answers.toml"
    for data, said in (
        (b"#" * (2**20 + 1), "larger than 1 MiB"),
        (b"\xef\xbb\xbf" + FQDN.encode(), "byte order mark"),
        (FQDN.encode("utf-16"), "byte order mark"),
        (FQDN.encode() + b"# \xe9\n", "line 3 is not UTF-8"),
    ):
        path.write_bytes(data)
        assert said in refused_file(path)
    path.write_text(FQDN)
    assert Answers.load(str(path), STEPS).given("hostname", "fqdn") == "mail.example.org"


def secret_file(tmp_path: Path, data: bytes, mode: int = 0o600) -> SecretRef:
    path = tmp_path / "secret"
    path.unlink(missing_ok=True)
    path.write_bytes(data)
    path.chmod(mode)
    return SecretRef(file=str(path))


def test_a_secret_comes_from_where_it_is_kept(tmp_path: Path) -> None:
    assert read_secret(SecretRef(env="P"), {"P": "hunter2 ü$"}) == "hunter2 ü$"
    assert read_secret(secret_file(tmp_path, b"hunter2\n"), {}) == "hunter2"
    assert read_secret(secret_file(tmp_path, b"hunter2\r\n", 0o400), {}) == "hunter2"


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o620, 0o666])
def test_a_secret_file_that_others_can_use_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(BadUsage, match=f"mode {mode:04o}") as refused:
        read_secret(secret_file(tmp_path, b"hunter2", mode), {})
    assert "chmod 0600" in refused.value.hint


def test_a_secret_that_is_not_right_is_refused_and_not_repeated(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "secret")
    for ref, environ in (
        (SecretRef(env="P"), {}),
        (SecretRef(env="P"), {"P": ""}),
        (SecretRef(env="P"), {"P": "hunter2\nhunter2"}),
        (SecretRef(file=str(tmp_path / "none")), {}),
        (SecretRef(file=str(tmp_path)), {}),
        (secret_file(tmp_path, b"hunter2\0"), {}),
        (SecretRef(file=str(link)), {}),
    ):
        with pytest.raises(BadUsage) as refused:
            read_secret(ref, environ)
        assert "hunter2" not in refused.value.message + refused.value.hint
    with pytest.raises(BadUsage, match="belongs to user"):
        read_secret(secret_file(tmp_path, b"hunter2"), {}, uid=os.geteuid() + 1)
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        ("\ufeffhunter2", "a byte-order mark (U+FEFF) before the secret"),
        ("hun\u200bter2", "an invisible character as its character 4: U+200B (zero width space)"),
        ("hunter2\u2060", "character 8: U+2060 (word joiner)"),
        ("hun\u00adter2", "character 4: U+00AD (soft hyphen)"),
        ("hunter\u00a02", "a blank that is none as its character 7: U+00A0 (no-break space)"),
        ("hunter2\u3164", "character 8: U+3164 (hangul filler)"),
        ("hunter2 ", "a blank at its end"),
        ("hunter2u\u0308", "a letter in parts at character 8 (NFD)"),
    ],
)
def test_what_nobody_sees_in_a_secret_is_refused_by_name(
    tmp_path: Path, secret: str, said: str
) -> None:
    for ref in (SecretRef(env="P"), secret_file(tmp_path, f"{secret}\n".encode())):
        with pytest.raises(BadUsage) as refused:
            read_secret(ref, {"P": secret})
        assert said in refused.value.message
        assert "hun" not in refused.value.message.replace("hangul", "")


def test_letters_of_any_language_and_blanks_inside_are_a_secret() -> None:
    for secret in ("two words", " a blank first", "Größe ü", "пароль", "密码"):
        assert read_secret(SecretRef(env="P"), {"P": secret}) == secret
