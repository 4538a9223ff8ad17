"""The unsigned-mail detector against messages that are signed, badly, twice, or not.

The library that verifies is not here: a fake holds a signature for good when the key is in it.
tests/hosts/test_filtering.py asks the real one.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence

import dns.rcode
import pytest
from support.nameserver import Server, fails, serving
from support.recorded import RecordedHost, RecordedLook, Written

from mailwizard import probes
from mailwizard.model import Completed, Outcome, Result
from mailwizard.probes.dkimcheck import verify
from mailwizard.probes.library import PYTHON
from mailwizard.probes.signed import letter
from mailwizard.probes.signing import KeyInUse, head_of, judge

KEY = KeyInUse("example.test", "mw202611", "/etc/mailwizard/dkim/example.test.mw202611.pem")
OWN, OTHER = "T1dOS0VZ", "T1RIRVI="
PASS, WARN, FAIL, UNKNOWN = Outcome.PASS, Outcome.WARN, Outcome.FAIL, Outcome.UNKNOWN
GOOD = "from:from:date:subject:to:cc:message-id:mime-version:content-type"


def openssl(_: RecordedLook, argv: Sequence[str], __: str) -> Completed:
    return Completed(tuple(argv), 0, f"-----BEGIN PUBLIC KEY-----\n{OWN}\n-----END PUBLIC KEY-----")


def library(_: RecordedLook, argv: Sequence[str], stdin: str) -> Completed:
    asked = json.loads(stdin)
    message = base64.b64decode(asked["message"]).decode()
    told = [
        {"held": bool(r) and f"b={r.rpartition('p=')[2]}" in message, "why": "" if r else "no key"}
        for r in asked["records"]
    ]
    return Completed(tuple(argv), 0, json.dumps(told))


HOST = RecordedHost(programs={"openssl": openssl, PYTHON: library})


def message(*tags: str) -> bytes:
    """A message with these signatures."""
    head = "".join(f"DKIM-Signature: {tag}\r\n" for tag in tags)
    return f"{head}From: <a@example.test>\r\n\r\nhello\r\n".encode()


def tag(
    *,
    domain: str = "example.test",
    key: str = OWN,
    covers: str = GOOD,
    algorithm: str = "rsa-sha256",
    selector: str = "mw202611",
    more: str = "",
) -> str:
    return f"v=1; a={algorithm}; d={domain};\r\n\ts={selector}; h={covers};{more} b={key}"


def judged(octets: bytes, *published: str, down: bool = False) -> Result:
    made = Server("127.0.0.1", recursive=True, zones=("example.test",))
    if published:
        made.set(KEY.name, "TXT", *(f'"v=DKIM1; k=rsa; p={each}"' for each in published))
    if down:
        made.faults[""] = fails(dns.rcode.SERVFAIL)
    with serving(made) as port:
        result = judge(HOST, octets, KEY, ("127.0.0.1",), port)
    if result.outcome is not PASS:
        assert result.expected
        assert result.fix
    return result


@pytest.mark.parametrize(
    ("octets", "published", "outcome", "said"),
    [
        (message(tag()), (OWN,), PASS, "holds with the key on this host and with the DNS's"),
        (message(), (OWN,), FAIL, "not signed"),
        (message(tag(domain="other.test")), (OWN,), FAIL, "only by other.test"),
        (message(tag(), tag()), (OWN,), WARN, "2 signatures"),
        (message(tag(key=OTHER)), (OWN,), FAIL, "not even with the key on this host"),
        (message(tag(key=OTHER, selector="old")), (OWN,), FAIL, "signed with the key old"),
        (message(tag()), (), WARN, "does not exist"),
        (message(tag()), (OTHER,), WARN, "is another key"),
        (
            message(tag(covers="from:from:date:subject:to:cc:message-id")),
            (OWN,),
            WARN,
            "mime-version, content-type is not",
        ),
        (message(tag(covers=GOOD[5:])), (OWN,), WARN, "second From"),
        (message(tag(more=" l=20;")), (OWN,), WARN, "text could be added"),
        (message(tag(algorithm="rsa-sha1")), (OWN,), FAIL, "rsa-sha1"),
    ],
)
def test_it_is_told_what_is_wrong(
    octets: bytes, published: tuple[str, ...], outcome: Outcome, said: str
) -> None:
    result = judged(octets, *published)
    assert (result.outcome, said in result.said) == (outcome, True), result


def test_without_dns_the_key_on_this_host_still_tells() -> None:
    assert judged(message(tag()), down=True).outcome is UNKNOWN
    assert judged(message(tag(key=OTHER)), down=True).outcome is FAIL


def test_without_the_library_nothing_is_told() -> None:
    host = RecordedHost(programs={"openssl": openssl})
    result = probes.LocalMailSigned("example.test", "mw202611", KEY.path, "alice").ask(host)
    assert result.outcome is UNKNOWN
    with pytest.raises(Exception, match="python3-dkim"):
        verify(host, b"x", [""])


def test_headers_are_unfolded() -> None:
    assert head_of(b"A: b\r\n  c\r\nD: e\r\n\r\nF: g\r\n") == [("a", "b c"), ("d", "e")]
    text = letter("mailwizard-1", "a@example.test", "b@example.net")
    assert "Message-ID: <mailwizard-1@example.test>\n" in text
    # more than a server need take in one line, blanks at ends, 8-bit text, an empty line at the end
    assert any(len(line) > 998 for line in text.splitlines())
    assert all(part in text for part in ("\u00fc", "\t\n", "  \n", "\n.", "\n\n\n"))
    assert letter("m", "a@example.test", "b@example.net", ()).endswith("auto-generated\n\n")


def file(mode: int = 0o640, owner: tuple[int, int] = (0, 110)) -> Written:
    return Written(b"key", mode, owner)


@pytest.mark.parametrize(
    ("there", "outcome"),
    [
        (file(), PASS),
        (file(0o600), PASS),
        (file(0o644), FAIL),
        (file(0o660), FAIL),
        (file(owner=(110, 110)), FAIL),
        (file(owner=(0, 0)), FAIL),
        (None, FAIL),
    ],
)
def test_keys_are_private(there: Written | None, outcome: Outcome) -> None:
    files = {KEY.path: there} if there else {}
    answers = {"id -g -- amavis": Completed(("id",), 0, "110\n")}
    asked = probes.SigningKeysPrivate((KEY.path,), "amavis")
    assert asked.ask(RecordedHost(files=files, answers=answers)).outcome is outcome
    if there == file():
        assert asked.ask(RecordedHost(files=files)).outcome is UNKNOWN


def test_a_broken_key_is_named() -> None:
    argv = f"openssl rsa -in {KEY.path} -noout -passin pass:"
    answers = {
        "id -g -- amavis": Completed(("id",), 0, "110\n"),
        argv: Completed(("openssl",), 1, "", "Could not find private key"),
    }
    host = RecordedHost(files={KEY.path: file()}, answers=answers)
    result = probes.SigningKeysPrivate((KEY.path,), "amavis").ask(host)
    assert (result.outcome, "no private key" in result.said) == (FAIL, True)
    assert "backup" in result.fix
