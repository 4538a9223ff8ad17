"""What decides over the virus scanner, and what the stages of the filter are made of."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support import programs
from support.recorded import RecordedHost, Written

from mailwizard.answers import Answers
from mailwizard.changes import FileContent, KeyedEntries, Service, Stopped
from mailwizard.model import Change, Completed, Context
from mailwizard.steps import STEPS, amavis, protection
from mailwizard.subjects.system import SHOWN

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


def context(host: RecordedHost, chosen: str = "", step: str = "amavis") -> Context:
    found, _ = Answers.from_text(ANSWERS + chosen, STEPS).examine(STEPS, host)
    return Context(step, found, host)


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


@pytest.mark.parametrize(
    ("size", "taken"), [("10 MiB", "25M"), ("50 MiB", "50M"), ("70000001", "67M")]
)
def test_the_scanner_takes_what_a_message_may_hold(
    host: RecordedHost, size: str, taken: str
) -> None:
    host.files["/etc/clamav/clamd.conf"] = Written(
        b"User clamav\nStreamMaxLength 25M\nBytecode on\n"
    )
    chosen = f"virus = true\n[postfix]\nmessage_size = '{size}'\n"
    (entries,) = [c for c in amavis.STEP.plan(context(host, chosen)) if isinstance(c, KeyedEntries)]
    assert entries.needed(host) is (taken != "25M")
    entries.apply(host)
    text = host.read("/etc/clamav/clamd.conf").decode()
    assert text == f"User clamav\nStreamMaxLength {taken}\nBytecode on\n"


def test_a_scanner_that_reads_other_limits_starts_anew(host: RecordedHost) -> None:
    host.files |= {f"/var/lib/clamav/{name}.cvd": Written(b"x") for name in ("main", "daily")}
    assert [each.follow for each in scanners(host)] == ["/etc/clamav/clamd.conf"]


def running(host: RecordedHost, *units: str) -> None:
    """These run, and would at boot."""
    for unit in units:
        argv = f"systemctl show -p {SHOWN} {unit}"
        host.answers[argv] = Completed((), 0, "UnitFileState=enabled\nActiveState=active\n")


WATCH = "/etc/systemd/system/mailwizard-definitions.path"
SCANNER = (
    *("mailwizard-definitions.path", "clamav-freshclam.service"),
    *("clamav-daemon.service", "clamav-daemon.socket"),
)


@pytest.mark.parametrize("virus", ["true", "false"])
@pytest.mark.parametrize("ours", [True, False])
def test_a_scanner_of_ours_ends_when_it_is_not_wanted(
    host: RecordedHost, virus: str, ours: bool
) -> None:
    host.files[VIRUS] = Written(b"x")
    if ours:
        host.files[WATCH] = Written(b"x")
    changes = list(amavis.STEP.plan(context(host, f"virus = {virus}\n")))
    ended = [change for change in changes if isinstance(change, Stopped)]
    for change in ended:
        change.apply(host)
    wanted = SCANNER if ours and virus == "false" else ()
    assert host.ran == [("systemctl", "disable", "--quiet", "--now", unit) for unit in wanted]
    # when the filter asks it no more
    assert not ended or changes.index(ended[0]) > changes.index(next(stages(host, "virus = false")))


@pytest.mark.parametrize("greylist", ["true", "false"])
@pytest.mark.parametrize("ours", [True, False])
def test_a_policy_server_of_ours_ends_when_it_is_not_wanted(
    host: RecordedHost, greylist: str, ours: bool
) -> None:
    if ours:
        host.files["/etc/postfix/greylist_clients"] = Written(b"x")
    chosen = f"[protection]\ngreylist = {greylist}\n"
    last = list(protection.STEP.plan(context(host, chosen, "protection")))[-1]
    assert isinstance(last, Stopped) is (ours and greylist == "false")


def test_what_does_not_run_is_not_stopped(host: RecordedHost) -> None:
    assert not Stopped("greylist").needed(host)
    running(host, "postgrey.service")
    assert Stopped("greylist").needed(host)
    assert Stopped("greylist").shell(host).endswith("--now postgrey.service || true")
