"""What decides over the virus scanner, and what the stages of the filter are made of."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support import programs
from support.recorded import RecordedHost, Written

from mailwizard.answers import Answers
from mailwizard.changes import FileContent, Service
from mailwizard.model import Change, Context
from mailwizard.steps import STEPS, amavis

ANSWERS = """
[hostname]
fqdn = "mail.example.org"
address = "198.18.0.10"
[aliases]
root = "alice"
[amavis]
"""
VIRUS, SPAM = ("/etc/amavis/conf.d/62-mailwizard-virus", "/etc/amavis/conf.d/63-mailwizard-spam")


@pytest.fixture
def host() -> RecordedHost:
    made = RecordedHost()
    made.programs = {**programs.EVERYWHERE, **programs.POSTFIX}
    made.files["/proc/meminfo"] = Written(b"MemTotal:        2014204 kB\n")
    return made


def context(host: RecordedHost, chosen: str = "") -> Context:
    found, _ = Answers.from_text(ANSWERS + chosen, STEPS).examine(STEPS, host)
    return Context("amavis", found, host)


@pytest.mark.parametrize(
    ("meminfo", "proposed", "said"),
    [
        (b"MemTotal: 2014204 kB\n", False, "Not proposed: this host has 1.9 GiB of memory"),
        (b"MemTotal: 4014204 kB\n", True, "Proposed: this host has 3.8 GiB of memory"),
        (b"", False, "cannot be known"),
    ],
)
def test_memory_decides_and_says_so(
    host: RecordedHost, meminfo: bytes, proposed: bool, said: str
) -> None:
    host.files["/proc/meminfo"] = Written(meminfo)
    made = context(host)
    assert made["virus"] is proposed
    (question,) = [each for each in amavis.STEP.questions if each.name == "virus"]
    assert said in question.reason(made)


def stages(host: RecordedHost, chosen: str) -> Iterator[Change]:
    """What concerns viruses and spam."""
    changes = list(amavis.STEP.plan(context(host, chosen)))
    wanted = ("stage 2", "stage 3")
    yield from (c for c in changes if isinstance(c, Service) and c.stage.startswith(wanted))
    yield from (c for c in changes if isinstance(c, FileContent) and c.path in (VIRUS, SPAM))


def test_what_is_not_looked_for_has_no_stage(host: RecordedHost) -> None:
    assert list(stages(host, "virus = false\nspam = false\n")) == []


def test_what_is_looked_for_no_more_is_taken_out_again(host: RecordedHost) -> None:
    host.files |= {VIRUS: Written(b"x"), SPAM: Written(b"x")}
    found = list(stages(host, "virus = false\nspam = false\n"))
    assert [each.path for each in found if isinstance(each, FileContent)] == [VIRUS, SPAM]
    assert [each.follow for each in found if isinstance(each, Service)] == [VIRUS, SPAM]
    assert not any("checks_maps" in e.text for e in found if isinstance(e, FileContent))


def test_each_stage_is_proved_by_a_message_of_its_own(host: RecordedHost) -> None:
    changes = amavis.STEP.plan(context(host, "virus = true\n"))
    proofs = {
        c.stage: [p.id for p in c.proofs] for c in changes if isinstance(c, Service) and c.proofs
    }
    assert proofs == {
        "stage 1, mail goes through": ["SMTP-28"],
        "stage 2, viruses": ["SMTP-27:virus"],
        "stage 3, spam": ["SMTP-27:spam"],
    }


def scanners(host: RecordedHost) -> list[Service]:
    """What starts the scanner."""
    changes = amavis.STEP.plan(context(host, "virus = true\n"))
    return [each for each in changes if isinstance(each, Service) and each.role == "clamav"]


def test_a_scanner_with_definitions_is_waited_for(host: RecordedHost) -> None:
    for name in ("main.cvd", "daily.cld"):
        # with one of them its unit does not start
        assert scanners(host) == []
        host.files[f"/var/lib/clamav/{name}"] = Written(b"x")
    (scanner,) = scanners(host)
    assert [proof.id for proof in scanner.proofs] == ["CLAMAV"]
