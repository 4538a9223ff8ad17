"""The scripts that the system's Python is given, with libraries that are made up.

tests/hosts asks the real ones. What is played here is what they cannot be made to do.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.children import gone
from support.clocks import HUNG
from support.recorded import RecordedHost

from mailwizard.host import LocalLook
from mailwizard.model import Completed, Outcome
from mailwizard.platform.debian import TRIXIE
from mailwizard.probes import library
from mailwizard.probes.deadline import CannotAsk
from mailwizard.probes.dkimcheck import DKIM, Held, sign, verify
from mailwizard.probes.dns import Resolver
from mailwizard.probes.library import Library
from mailwizard.probes.spfrecords import SPF, all_pass, spf_results


@pytest.fixture(autouse=True)
def _some_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "PYTHON", sys.executable)
    monkeypatch.setattr(library, "SECONDS", HUNG)


@dataclass
class Playing(LocalLook):
    """A host whose Python finds these modules before any other."""

    modules: str

    def __post_init__(self) -> None:
        super().__init__(TRIXIE)

    def consult(self, argv: Sequence[str], line: str, *, timeout: float = 30) -> Completed:
        script = f"import os, re, sys, time, types\n{self.modules}\n{argv[-1]}"
        return super().consult([*argv[:-1], script], line, timeout=timeout)


MODULES = """
dkim = sys.modules["dkim"] = types.ModuleType("dkim")
spf = sys.modules["spf"] = types.ModuleType("spf")
dns = sys.modules["dns"] = types.ModuleType("dns")
dns.resolver = sys.modules["dns.resolver"] = types.ModuleType("dns.resolver")
class Resolver:
    def __init__(self, configure):
        assert not configure
dns.resolver.Resolver = Resolver
def verify(message, dnsfunc):
    print("a word of the library")
    acts(message.decode())
    return dnsfunc() in message
def check2(i, s, h):
    print("a word of the library")
    acts(s)
    ours = dns.resolver.default_resolver
    return "pass", 250, f"{i} {s} {h} {ours.nameservers} {ours.port} {os.getpid()}"
def acts(what):
    if "hang" in what:
        re.match("(a+)+$", "a" * 40 + "b")
    if "raise" in what:
        raise ValueError("the reason")
    if "bug" in what:
        raise TypeError("a bug")
    if "die" in what:
        os.kill(os.getpid(), 9)
dkim.verify, spf.check2 = verify, check2
dkim.DKIMException = type("DKIMException", (Exception,), {})
def sign(message, selector, domain, key, canonicalize):
    return b"DKIM-Signature: " + selector + domain + key
dkim.sign = sign
"""
PY3DNS = """
DNS = sys.modules["DNS"] = types.ModuleType("DNS")
DNS.defaults = {}
spf.check2 = lambda i, s, h: ("pass", 250, str(DNS.defaults))
"""
NONE = "sys.modules.update(dkim=None, spf=None)"


def spf(host: LocalLook, sender: str = "a@example.test", *, port: int = 53) -> str:
    """The one explanation."""
    asked = {"sender": sender, "helo": "mail.example.test", "addresses": ["192.0.2.1"]}
    ((address, result, why),) = spf_results(host, Resolver(("192.0.2.53",), port), asked)
    assert (address, result) == ("192.0.2.1", "pass")
    return why


def test_signatures_are_verified_with_each_record() -> None:
    host = Playing(MODULES)
    asked = verify(host, b"a message with key1", ["key1", "key2", ""])
    assert asked == [Held(True, ""), Held(False, ""), Held(False, "no key")]
    assert verify(host, b"raise", ["key1"]) == [Held(False, "the reason")]


def test_a_message_is_signed(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"KEY")
    host = Playing(MODULES)
    signed = sign(host, b" m", "example.test", "mw", str(tmp_path / "key"))
    assert signed == b"DKIM-Signature: mwexample.testKEY m"
    with pytest.raises(CannotAsk, match="No such file"):
        sign(host, b"m", "example.test", "mw", str(tmp_path / "none"))
    assert verify(host, b"key1", ["key1"]) == [Held(True, "")]


def test_each_question_has_its_own_resolver_in_one_process() -> None:
    host = Playing(MODULES)
    told = [spf(host, port=port).rsplit(" ", 2) for port in (53, 5353, 53)]
    assert [port for _, port, _ in told] == ["53", "5353", "53"]
    assert len({process for *_, process in told}) == 1


def test_a_library_that_does_without_dnspython_is_told_of_the_resolver_too() -> None:
    assert spf(Playing(MODULES + PY3DNS), port=5353) == "{'server': ['192.0.2.53'], 'port': 5353}"


@pytest.mark.parametrize(
    ("modules", "what", "said"),
    [
        (NONE, "a@example.test", "{} is missing ({})"),
        ("raise OSError('broken')", "a@example.test", "{}: OSError: broken"),
        ("sys.exit(0)", "a@example.test", "{}: it ended without an answer"),
        ("os.write(1, b'x' * 5_000_000)", "a@example.test", "{}: what it says is no answer"),
        ("os.write(1, b'1 [')\nsys.exit()", "a@example.test", "{}: it ended without an answer"),
        ("os.write(1, b'1 [{}\\n')", "a@example.test", "{}: its answer makes no sense"),
        ("os.write(1, b'1 null\\n')", "a@example.test", "{}: its answer makes no sense"),
        ("os.write(1, b'1 \\xff\\n')", "a@example.test", "{}: its answer makes no sense"),
        (MODULES, "bug", "{}: TypeError: a bug"),
        (MODULES, "die", "{}: ended by signal 9"),
        (MODULES, "hang", "{}: no answer in time"),
    ],
    ids=[
        "none",
        "broken",
        "ends",
        "much",
        "half",
        "json",
        "null",
        "octets",
        "bug",
        "dies",
        "hangs",
    ],
)
@pytest.mark.parametrize("asked", [DKIM, SPF], ids=["dkim", "spf"])
def test_no_answer_says_why(
    asked: Library, modules: str, what: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = Playing(modules)
    monkeypatch.setattr(library, "SECONDS", 1 if what == "hang" else HUNG)
    with pytest.raises(CannotAsk) as caught:
        spf(host, what) if asked is SPF else verify(host, what.encode(), ["key1"])
    assert caught.value.sentence == said.format(asked.name, asked.package)


def test_a_question_that_ends_the_library_does_not_end_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    host = Playing(MODULES)
    for what in ("die", "hang", "raise"):
        with monkeypatch.context() as short, pytest.raises(CannotAsk):
            short.setattr(library, "SECONDS", 1 if what == "hang" else HUNG)
            spf(host, what)
        assert spf(host)


@pytest.mark.parametrize(
    "told",
    [
        *(None, True, "pass", 1, {}, [], [[]], ["pass"], [["192.0.2.1"]], [["192.0.2.1", "pass"]]),
        [["192.0.2.1", "PASS", 250, "why"]],
        [["192.0.2.1", None, 250, "why"]],
        [["192.0.2.1", "pass", 250, None]],
        [["192.0.2.2", "pass", 250, "why"]],
        [["192.0.2.1", "pass", 250, "why"]] * 2,
    ],
)
def test_an_spf_answer_of_another_shape_is_no_verdict(told: Any) -> None:
    asked = {"sender": "", "helo": "", "addresses": ["192.0.2.1"]}
    with pytest.raises(CannotAsk, match="makes no sense"):
        all_pass(_answering(told), Resolver(("192.0.2.53",), 53), asked, "bad")
    good = _answering([["192.0.2.1", "pass", 250, "why"]])
    assert all_pass(good, Resolver(("192.0.2.53",), 53), asked, "bad").outcome is Outcome.PASS


@pytest.mark.parametrize(
    "told",
    [
        *(None, True, "held", 1, {}, [], [None], [True], [{}], [{"held": True}]),
        [{"held": "no", "why": ""}],
        [{"held": 1, "why": ""}],
        [{"held": True, "why": None}],
        [{"held": True, "why": ""}] * 2,
    ],
)
def test_a_dkim_answer_of_another_shape_is_no_verdict(told: Any) -> None:
    with pytest.raises(CannotAsk, match="makes no sense"):
        verify(_answering(told), b"message", ["key1"])


@pytest.mark.parametrize("told", [None, True, 1, [], "", "ü", "a", "=", "a b", "RnJvbTo="])
def test_a_signature_of_another_shape_is_none(told: Any) -> None:
    with pytest.raises(CannotAsk, match="makes no sense"):
        sign(_answering(told), b"message", "example.test", "mw", "/key")


def _answering(told: Any) -> RecordedHost:
    """A Python that answers so, whatever is asked."""
    return RecordedHost(
        programs={sys.executable: lambda _, argv, __: Completed(tuple(argv), 0, json.dumps(told))}
    )


PROGRAM = """
import sys, threading, time
from mailwizard.host import LocalHost
from mailwizard.platform.debian import TRIXIE
from mailwizard.probes import library
library.PYTHON, host = sys.executable, LocalHost(TRIXIE, "/nonexistent")
argv = library.Library("", "", sys.argv[1]).argv
print(host.consult(argv, '"who"').out, flush=True)
if sys.argv[2] == "busy":
    threading.Thread(target=host.consult, args=(argv, '"hang"'), daemon=True).start()
    time.sleep(0.3)
print("asked", flush=True)
time.sleep(float(sys.argv[3]))
"""
# holds Python's lock: no other thread of it could notice anything
HANGING = """
import re
def answer(asked):
    return re.match("(a+)+$", "a" * 40 + "b") if asked == "hang" else os.getpid()
"""


@pytest.mark.parametrize("busy", ["busy", "idle"])
@pytest.mark.parametrize("ended_by", ["INT", "TERM", "HUP", "KILL", ""])
def test_none_outlives_the_run(ended_by: str, busy: str) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    argv = [sys.executable, "-c", PROGRAM, HANGING, busy, "30" if ended_by else "0"]
    with subprocess.Popen(argv, env=environment, stdout=-1, stderr=subprocess.DEVNULL) as run:
        assert run.stdout
        pid = int(run.stdout.readline())
        assert run.stdout.readline() == b"asked\n"
        if ended_by:
            assert Path(f"/proc/{pid}").exists()
            run.send_signal(getattr(signal, f"SIG{ended_by}"))
        run.wait(HUNG)
    assert gone(pid)
