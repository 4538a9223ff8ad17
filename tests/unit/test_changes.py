"""Each kind of change: made once it is not needed, looking touches nothing, previews are inert."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support import programs
from support.clocks import Clock
from support.recorded import RecordedHost, Written

from mailwizard.changes import (
    DebconfSettings,
    FileContent,
    HostName,
    HostsEntry,
    KeyedEntries,
    LookupMap,
    MasterCfParameters,
    PostfixParameters,
    Service,
    service,
)
from mailwizard.errors import ProofFailed
from mailwizard.model import Change, Completed

MAIN, MASTER = "/etc/postfix/main.cf", "/etc/postfix/master.cf"
SAFE = b"# note\nmynetworks = 127.0.0.0/8\n"

CHANGES: list[Change] = [
    FileContent("/etc/mailname", "example.org\n"),
    FileContent("/etc/empty", ""),
    KeyedEntries("/etc/aliases", ":", {"root": "root: alice", "Abuse": "Abuse: root"}),
    KeyedEntries("/etc/new", ":", {"root": "root: alice"}),
    HostName("mail"),
    HostsEntry(("10.0.0.5", "2001:db8::5"), "mail.example.org", "mail"),
    LookupMap("/etc/aliases", "postalias"),
    PostfixParameters({"myorigin": "$mydomain", "smtpd_banner": "a  b   c", "relayhost": ""}),
    MasterCfParameters({"smtp/inet/smtpd_sasl_auth_enable": "no"}),
    DebconfSettings("postfix", {"postfix/mailname": ("string", "example.org")}),
]


@pytest.fixture
def host() -> RecordedHost:
    files = {
        "/etc/aliases": Written(b"# head\nroot: bob,\n  carol\n", mtime_ns=5),
        "/etc/hosts": Written(b"127.0.0.1 localhost\n"),
        "/etc/hostname": Written(b"debian\n"),
        MAIN: Written(SAFE),
        MASTER: Written(b"smtp inet n - y - - smtpd\n"),
    }
    known = {**programs.EVERYWHERE, **programs.POSTFIX, **programs.DEBCONF}
    return RecordedHost(files=files, programs=known)


def kind(change: Change) -> str:
    return f"{type(change).__name__}-{change.title}"[:40]


@pytest.mark.parametrize("change", CHANGES, ids=kind)
def test_made_once_it_is_not_needed_again(host: RecordedHost, change: Change) -> None:
    assert change.needed(host)
    change.apply(host)
    assert not change.needed(host)
    files, ran = {p: f.data for p, f in host.files.items()}, list(host.ran)
    change.preview(host)
    change.subjects(host)
    change.shell(host)
    assert {p: f.data for p, f in host.files.items()} == files
    assert host.ran == ran


@pytest.mark.parametrize("change", CHANGES, ids=kind)
def test_looking_touches_nothing(host: RecordedHost, change: Change) -> None:
    files = dict(host.files)
    for look in (change.needed, change.preview, change.subjects, change.shell):
        look(host)
    assert host.files == files
    assert (host.ran, host.written, host.removed) == ([], {}, [])
    assert change.title
    assert change.preview(host).text or change.title.endswith("/etc/empty")


@pytest.mark.parametrize("change", CHANGES, ids=kind)
def test_undone_it_is_as_it_was_and_needed_again(host: RecordedHost, change: Change) -> None:
    files = {p: f.data for p, f in host.files.items()}
    subjects = change.subjects(host)
    before = [subject.capture(host) for subject in subjects]
    change.apply(host)
    after = [subject.capture(host) for subject in subjects]
    for subject, one, two in zip(subjects, before, after, strict=True):
        subject.restore(host, one, two)
    # a toy: the recorded host cannot restore an absence
    left = {p: f.data for p, f in host.files.items() if f.data or p in files}
    assert left == files


@pytest.mark.parametrize(
    "make",
    [
        lambda text: FileContent("/etc/x", text),
        lambda text: KeyedEntries("/etc/aliases", ":", {"root": f"root: {text}"}),
        lambda text: PostfixParameters({"myorigin": text}),
    ],
)
def test_a_preview_drives_no_terminal(host: RecordedHost, make: Callable[[str], Change]) -> None:
    text = make("\x1b]0;x\x07\x9b31m\u202e[red]").preview(host).text
    assert all(char == "\n" or char.isprintable() for char in text)
    assert "^[]0;x^G" in text


def test_a_preview_shows_what_changes_wherever_in_a_long_file_it_is(host: RecordedHost) -> None:
    wide = f"wide: {'x' * 3000}"
    lines = [f"name{number}: bob" for number in range(3000)] + [wide, "root: bob"]
    host.files["/etc/aliases"] = Written("\n".join(lines).encode() + b"\n")
    entries = {"root": "root: alice", "wide": f"{wide}y"}
    text = KeyedEntries("/etc/aliases", ":", entries).preview(host).text
    changed = [line for line in text.splitlines() if line[0] in "+-" and "/etc/" not in line]
    assert [line[:11] for line in changed] == [
        *("-wide: xxxx", "-root: bob", "+wide: xxxx", "+root: alic"),
    ]
    assert max(map(len, changed)) < 2100
    assert "name2999" in text
    whole = FileContent("/etc/aliases", "").preview(host).text.splitlines()
    assert (len(whole), whole[-1]) == (1001, "… (2005 more lines)")


def test_a_preview_shows_another_line_ending(host: RecordedHost) -> None:
    host.files["/etc/mailname"] = Written(b"example.org\r\n")
    text = FileContent("/etc/mailname", "example.org\n").preview(host).text
    assert text.splitlines()[-2:] == ["-example.org^M", "+example.org"]


def test_a_main_cf_that_is_no_utf8_is_kept_as_it_is(host: RecordedHost) -> None:
    host.files[MAIN] = Written(b"# caf\xe9\nmynetworks = 127.0.0.0/8\n")
    PostfixParameters({"myorigin": "x"}).apply(host)
    assert host.read(MAIN) == b"# caf\xe9\nmynetworks = 127.0.0.0/8\nmyorigin = x\n"


@pytest.mark.parametrize(
    "values",
    [
        {"smtpd_relay_restrictions": "permit"},
        {"mynetworks": "0.0.0.0/0"},
    ],
)
def test_an_open_relay_is_refused_before_a_byte_is_written(
    host: RecordedHost, values: dict[str, str]
) -> None:
    with pytest.raises(ProofFailed):
        PostfixParameters(values).apply(host)
    assert host.read(MAIN) == SAFE
    assert host.written == {}


def test_a_complaint_of_the_compiler_is_a_failure(host: RecordedHost) -> None:
    said = Completed((), 0, "", "warning: duplicate entry\n")
    host.answers["postmap hash:/etc/x"] = said
    host.files["/etc/x"] = Written(b"a b\n")
    with pytest.raises(ProofFailed) as caught:
        LookupMap("/etc/x").apply(host)
    assert caught.value.tail == ("warning: duplicate entry",)


def test_a_service_is_validated_before_it_is_touched(host: RecordedHost) -> None:
    host.answers["postfix check"] = Completed((), 0, "", "warning: not owned by root\n")
    with pytest.raises(ProofFailed) as caught:
        Service("postfix", validate=(("postfix", "check"),)).apply(host)
    assert caught.value.tail == ("warning: not owned by root",)
    assert host.ran == []


class Reloading(RecordedHost):
    """A daemon whose processes end one by one after a reload, but for one that has a client."""

    steps: tuple[bytes, ...] = ()

    def read(self, path: str) -> bytes:
        if path != "/proc/7/task/7/children":
            return super().read(path)
        now, *rest = self.steps
        self.steps = tuple(rest) or (now,)
        return now


@pytest.mark.parametrize("last", [b"20 21 ", b"12 20 21 "])
def test_a_reload_is_over_when_nobody_of_before_waits_for_a_client(
    host: RecordedHost, last: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "time", Clock())
    files = {**host.files, "/var/spool/postfix/pid/master.pid": Written(b"    7\n")}
    busy = Reloading(files=files, programs=host.programs)
    busy.steps = (b"10 11 12 ", b"10 11 12 ", b"11 12 20 ", last)
    Service("postfix", worker="postfix-worker").apply(busy)
    assert list(busy.steps) == [last]
    # after a restart there is nobody of before
    busy.steps = (b"10 11 12 ", b"12 ")
    Service("postfix", "restart", worker="postfix-worker").apply(busy)
    assert len(busy.steps) == 2
