"""The filter's and the verifiers' probes: a server, and a mailbox that is right or wrong."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from support import mailboxes
from support.fake_servers import FakeSmtp
from support.nameserver import Server, serving
from support.recorded import RecordedHost

from mailwizard import probes
from mailwizard.model import Completed, Outcome, Probe, Result
from mailwizard.probes import queued
from mailwizard.probes.dialogue import Transcript

HERE, USER, FQDN = "127.0.0.1", "alice@example.test", "mail.example.test"
PASS, WARN, FAIL, UNKNOWN = Outcome.PASS, Outcome.WARN, Outcome.FAIL, Outcome.UNKNOWN
AMAVIS = "Received: from x ([127.0.0.1]) by localhost (mail [127.0.0.1]) (amavis, port 10024)\n"
NOT_SCANNED = "host 127.0.0.1[127.0.0.1] said: 451 4.5.0 Error in processing, virus_scan FAILED"
REFUSED = "connect to 127.0.0.1[127.0.0.1]:10024: Connection refused"
Change = Callable[[str], str]


@dataclass
class Mailbox(RecordedHost):
    """A host whose user's mailbox is what the server was handed, and changed."""

    server: FakeSmtp | None = None
    changed: Change = field(default=lambda text: text)
    quarantine: bool = False
    notice: str = ""
    waits: str = ""

    def _answer(self, argv: Sequence[str], stdin: str) -> Completed | None:
        if argv[0] == "getent":
            return Completed(tuple(argv), 0, "alice:x:1000:1000::/home/alice:/bin/bash\n")
        if argv[0] == "postqueue":
            entry = {"queue_id": "4F8A", "recipients": [{"delay_reason": self.waits}]}
            return Completed(tuple(argv), 0, f"{json.dumps(entry)}\n")
        if argv[0] == "postsuper":
            return Completed(tuple(argv), 0)
        if argv[0] == "sh" and "deferred" in argv[2]:
            return Completed(tuple(argv), 0, "deferred/4/4F8A\n" if self.waits else "")
        if argv[0] == "sh":
            return Completed(tuple(argv), 0 if self.quarantine else 1, "/q/virus-1\n")
        if not mailboxes.is_look(argv):
            return RecordedHost._answer(self, argv, stdin)
        if self.notice:
            told, self.notice = self.notice, ""
            return mailboxes.told(argv, f"{told}\n\n".encode("latin-1"))
        assert self.server is not None
        found = [m for m in self.server.messages if mailboxes.mark_of(argv) in m]
        text = self.changed(found[0].decode("latin-1").replace("\r\n", "\n")) if found else ""
        if not text:
            return mailboxes.nothing(argv)
        return mailboxes.told(argv, text.lstrip("\n").encode("latin-1"))


def asked(
    kind: type,
    changed: Change = lambda text: text,
    reply: bytes = b"250 2.1.5 Ok",
    fields: dict[str, object] | None = None,
    **box: object,
) -> Result:
    with FakeSmtp(recipient=lambda *_: reply) as server:
        more = {"wait": 0.6, "server": HERE, "port": server.port, **(fields or {})}
        probe: Probe = kind(USER, "alice", **more)
        result = probe.ask(Mailbox(server=server, changed=changed, **box))  # type: ignore[arg-type]
    if result.outcome is not PASS:
        assert result.expected
        assert result.fix
    return result


def topped(*lines: str) -> Change:
    """The message with more lines at its top."""
    return lambda text: "\n".join((*lines, text.lstrip("\n")))


def through(times: int) -> Change:
    return lambda text: AMAVIS * times + text.lstrip("\n")


def marked(word: str) -> Change:
    return lambda text: AMAVIS + text.lstrip("\n").replace("Subject: ", f"Subject: {word} ")


@pytest.mark.parametrize(
    ("changed", "outcome", "said"),
    [
        (through(1), PASS, "once"),
        (through(0), FAIL, "did not go through"),
        (through(2), FAIL, "2 times"),
        (marked("***SPAM***"), FAIL, "is marked"),
        (topped(AMAVIS + "DKIM-Signature: v=1; d=example.test"), FAIL, "was signed"),
        (
            topped(AMAVIS + "Received: from x by y id 4Fabc12", "Received: by z id 4Fabc12"),
            FAIL,
            "in a circle",
        ),
        (marked("***UNCHECKED***"), PASS, "once"),
        (lambda _: "", FAIL, "did not reach"),
    ],
)
def test_harmless_mail_goes_through_once(changed: Change, outcome: Outcome, said: str) -> None:
    result = asked(probes.FilterPasses, changed)
    assert (result.outcome, said in result.said) == (outcome, True), result


@pytest.mark.parametrize(
    ("changed", "outcome"),
    [
        (topped("X-Spam-Flag: YES"), PASS),
        (topped("X-Spam-Flag: NO"), FAIL),
        (lambda text: text, FAIL),
        (lambda _: "", FAIL),
    ],
)
def test_spam_must_be_marked(changed: Change, outcome: Outcome) -> None:
    assert asked(probes.FilterFindsSpam, changed).outcome is outcome


def test_a_virus_is_in_quarantine() -> None:
    assert asked(probes.FilterFindsVirus, lambda _: "", quarantine=True).outcome is PASS


def test_a_virus_that_arrives_is_a_fault_unless_it_is_marked() -> None:
    assert asked(probes.FilterFindsVirus).outcome is FAIL
    assert asked(probes.FilterFindsVirus, marked("***UNCHECKED***")).outcome is WARN


def test_the_notice_to_postmaster_is_not_the_virus() -> None:
    notice = "From: <postmaster@example.test>\nSubject: VIRUS in mail"
    result = asked(probes.FilterFindsVirus, lambda _: "", notice=notice)
    assert result.outcome is UNKNOWN, result


def test_mail_that_waits_as_chosen_is_told() -> None:
    fields: dict[str, object] = {"wait_instead": True}
    result = asked(probes.FilterFindsVirus, lambda _: "", fields=fields, waits=NOT_SCANNED)
    assert (result.outcome, "waits in the queue" in result.said) == (WARN, True)
    assert asked(probes.FilterFindsVirus, lambda _: "", waits=NOT_SCANNED).outcome is FAIL


@pytest.mark.parametrize(
    "kind",
    [
        probes.FilterPasses,
        probes.FilterFindsSpam,
        probes.ForgedNotSigned,
        probes.ForgedResultsRemoved,
        probes.DmarcMeasured,
    ],
)
def test_what_waits_says_why_and_is_taken_back(kind: type) -> None:
    result = asked(kind, lambda _: "", waits=REFUSED)
    assert (result.outcome, "Connection refused" in result.said) == (FAIL, True), result
    # nothing is proved by a message that waits because nobody can look into it
    assert asked(kind, lambda _: "", waits=NOT_SCANNED).outcome is UNKNOWN


def test_a_message_that_waits_is_found_by_its_mark_and_no_other_is_touched(tmp_path: Path) -> None:
    for number, text in (("4A1", "Message-ID: <other@x>"), ("4B2", "Message-ID: <mark-1@x>")):
        folder = tmp_path / "deferred" / number[1]
        folder.mkdir(parents=True)
        (folder / number).write_text(text)
    argv = ["sh", "-c", queued._FIND, "sh", str(tmp_path), "mark-1@x"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
    assert done.stdout == "deferred/B/4B2\n"
    transcript = Transcript()
    host = Mailbox(waits=REFUSED)
    waiting = queued.taken_back(host, "mark-1@x", transcript)
    assert waiting == queued.Waiting("4F8A", REFUSED)
    assert host.ran == [("postsuper", "-d", "4F8A")]
    assert queued.taken_back(Mailbox(), "mark-1@x", transcript) is None


def test_a_quarantine_that_takes_nothing_is_told() -> None:
    result = asked(probes.FilterFindsVirus, lambda _: "", waits="451 4.5.0 quarantine")
    assert (result.outcome, "not kept in quarantine" in result.said) == (FAIL, True), result


def test_forged_mail_must_stay_unsigned() -> None:
    assert asked(probes.ForgedNotSigned).outcome is PASS
    assert asked(probes.ForgedNotSigned, topped("DKIM-Signature: v=1; d=a")).outcome is FAIL
    assert asked(probes.ForgedNotSigned, reply=b"550 5.7.1 no").outcome is PASS
    assert asked(probes.ForgedNotSigned, reply=b"450 4.7.1 later").outcome is UNKNOWN


OURS = f"Authentication-Results: {FQDN};"
AUTHSERV: dict[str, object] = {"authserv": FQDN, "domain": "example.test"}


@pytest.mark.parametrize(
    ("changed", "outcome", "said"),
    [
        (lambda t: f"{OURS} dkim=none\n" + t.lstrip("\n").split("\n", 1)[1], PASS, "gone"),
        (lambda t: t.lstrip("\n").split("\n", 1)[1], FAIL, "no result"),
        (lambda t: t, FAIL, "made-up result stays"),
        (topped("Authentication-Results: mx.other.test; dkim=none"), FAIL, "made-up"),
    ],
)
def test_made_up_results_are_seen(changed: Change, outcome: Outcome, said: str) -> None:
    result = asked(probes.ForgedResultsRemoved, changed, fields={"authserv": FQDN})
    assert (result.outcome, said in result.said) == (outcome, True), result


@pytest.mark.parametrize(
    ("line", "outcome"),
    [
        (f"{OURS} dmarc=fail (p=none dis=none) header.from=example.test", PASS),
        (f"{OURS} dkim=none", FAIL),
        (f"{OURS} dmarc=pass header.from=example.test", FAIL),
        (f"{OURS} dmarc=none header.from=example.test", WARN),
        (f"{OURS} dmarc=temperror", UNKNOWN),
        ("Authentication-Results: mx.other.test; dmarc=fail", FAIL),
    ],
)
def test_dmarc_must_be_measured(line: str, outcome: Outcome) -> None:
    assert asked(probes.DmarcMeasured, topped(line), fields=AUTHSERV).outcome is outcome


def test_a_refusal_by_dmarc_is_right_only_where_it_was_chosen() -> None:
    refusal = b"550 5.7.1 rejected by DMARC policy for example.test"
    assert asked(probes.DmarcMeasured, reply=refusal, fields=AUTHSERV).outcome is FAIL
    chosen = {**AUTHSERV, "reject": True}
    assert asked(probes.DmarcMeasured, reply=refusal, fields=chosen).outcome is PASS


@dataclass
class Judging(Mailbox):
    """A server that notes one result after the other in what it is handed (a fake)."""

    told: list[str] = field(default_factory=list)

    def _answer(self, argv: Sequence[str], stdin: str) -> Completed | None:
        if argv[0] == "openssl":
            return Completed(tuple(argv), 0, "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END\n")
        if argv[0] == "/usr/bin/python3":
            head = base64.b64encode(b"DKIM-Signature: v=1; d=example.test\r\n").decode()
            return Completed(tuple(argv), 0, json.dumps(head))
        if mailboxes.is_look(argv):
            line = f"{OURS} {self.told.pop(0)}"
            self.changed = topped(line)
        return Mailbox._answer(self, argv, stdin)


def judged(
    kind: type,
    told: list[str],
    record: str = "v=DKIM1; k=rsa; p=MIIB",
    domain: str = "signer.example",
) -> Result:
    name = f"mw._domainkey.{domain}"
    made = Server("127.0.0.1", recursive=True, zones=(domain,))
    if record:
        made.set(name, "TXT", f'"{record}"')
    with serving(made) as port, FakeSmtp(recipient=lambda *_: b"250 2.1.5 Ok") as server:
        probe: Probe = kind(
            USER, "alice", wait=0.6, server=HERE, port=server.port, authserv=FQDN, domain=domain,
            selector="mw", path="/key", nameservers=(HERE,), dns_port=port,
        )  # fmt: skip
        return probe.ask(Judging(server=server, told=told))


@pytest.mark.parametrize(
    ("told", "outcome", "said"),
    [
        (["dkim=pass", "dkim=fail", "dkim=permerror"], PASS, "mail without a key: dkim=permerror"),
        (["dkim=pass", "dkim=pass"], FAIL, "altered counts as dkim=pass"),
        (["dkim=fail"], FAIL, "signed mail counts as dkim=fail"),
        (["dkim=pass", "dkim=fail", "dkim=pass"], FAIL, "without a key counts"),
        (["dkim=temperror"], UNKNOWN, "could not be judged"),
        (["spf=none"], FAIL, "no result"),
    ],
)
def test_signatures_are_told_apart(told: list[str], outcome: Outcome, said: str) -> None:
    result = judged(probes.SignaturesJudged, told)
    assert (result.outcome, said in result.said) == (outcome, True), result


@pytest.mark.parametrize(
    ("record", "domain"),
    [
        ("", "signer.example"),
        ("v=DKIM1; k=rsa; p=OTHER", "signer.example"),
        ("v=DKIM1; k=rsa; p=MIIB", "example.test"),
    ],
)
def test_without_a_published_key_nothing_signed_is_tried(record: str, domain: str) -> None:
    result = judged(probes.SignaturesJudged, ["dkim=permerror"], record, domain)
    assert (result.outcome, result.said) == (PASS, "mail without a key: dkim=permerror"), result
    assert any("signed mail is not tried" in line for line in result.transcript)
    # what proves nothing is measured all the same
    assert judged(probes.DmarcMeasured, ["dmarc=fail"], record, domain).outcome is PASS


def test_dmarc_takes_a_signature_for_a_proof() -> None:
    assert judged(probes.DmarcMeasured, ["dmarc=fail", "dmarc=pass"]).outcome is PASS
    result = judged(probes.DmarcMeasured, ["dmarc=fail", "dmarc=fail"])
    assert (result.outcome, "not taken for genuine" in result.said) == (FAIL, True), result


@pytest.mark.parametrize(
    ("record", "reply", "outcome", "said"),
    [
        ("v=spf1 -all", b"550 5.7.23 Message rejected due to: SPF fail", PASS, "refused"),
        ("v=spf1 -all", b"250 2.1.5 Ok", FAIL, "is let in"),
        ("v=spf1 -all", b"550 5.7.27 nullMX", FAIL, "SPF was not asked"),
        ("v=spf1 -all", b"451 4.3.5 Server configuration problem", FAIL, "does not answer"),
        ("v=spf1 -all", b"450 4.7.1 greylisted", UNKNOWN, "put off"),
        ("v=spf1 ~all", b"250 2.1.5 Ok", UNKNOWN, "forbids nobody"),
        ("", b"250 2.1.5 Ok", UNKNOWN, "forbids nobody"),
    ],
)
def test_spf_is_asked_at_the_door(record: str, reply: bytes, outcome: Outcome, said: str) -> None:
    made = Server("127.0.0.1", recursive=True, zones=("example.com",))
    if record:
        made.set("example.com", "TXT", f'"{record}"')
    with serving(made) as port, FakeSmtp(recipient=lambda *_: reply) as server:
        asked = probes.SpfAsked(
            USER, server=HERE, port=server.port, nameservers=(HERE,), dns_port=port
        )
        result = asked.ask(RecordedHost())
    assert (result.outcome, said in result.said) == (outcome, True), result
