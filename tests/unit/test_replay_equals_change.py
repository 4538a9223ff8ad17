"""What a change writes and what its line in the exported script writes are the same bytes."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from support.replaying import replay

from mailwizard.changes import (
    DebconfSettings,
    FileContent,
    HostsEntry,
    KeyedEntries,
    MasterCfParameters,
    PostfixParameters,
    PrivateAuthority,
    PrivateCertificate,
    hostname,
)
from mailwizard.changes.certificates import names_in
from mailwizard.host import LocalHost
from mailwizard.model import Change
from mailwizard.platform.debian import TRIXIE

# the corpus of R18, without what no validator lets through: line ends, NUL, control characters
HOSTILE = [
    "; touch owned",
    "$(touch owned)",
    "`touch owned`",
    "| touch owned",
    "& touch owned &",
    "> owned",
    "*",
    "?[a-z]{a,b}",
    "~root",
    "# comment",
    "!history",
    "%s%n%d",
    "it's",
    'say "x"',
    "\\",
    "\\n\\t\\\\",
    "-oProxyCommand=touch owned",
    "--",
    "-n",
    "{{7*7}}",
    "{% raw %}",
    "${PATH}",
    "%u",
    "$1 $@ $'x'",
    "  leading",
    "trailing  ",
    "größe ☃",
    "x" * 65536,
]
ALIASES = [
    "",
    "\n",
    "root: bob",
    "root: bob\n",
    "root:\tbob  \n",
    "ROOT : bob\nnobody: root\n",
    "# head\nroot: bob,\n  carol\n# between\n\n\tdave\nnext: x\n",
    "root: a\nroot: b\nother: c\n",
    "root: bob\r\nother: c\r\n",
    "other: c\x0cstill c\n",
    "no separator here\n  goes on\nroot: bob\n",
    "  begins with a blank\nroot: bob\n",
    '"quoted name": |"/bin/prog $x"\nroot: bob\n# end',
]
CLAMD = [
    "",
    "LogTime true\nStreamMaxLength 25M\nBytecode true\n",
    "# StreamMaxLength 1M\nstreammaxlength\t25M \nExample\nStreamMaxLength 10M\nLogFile x",
    "StreamMaxLength   50M\n",
]
HOSTS = [
    "",
    "127.0.0.1 localhost\n",
    "127.0.0.1\tlocalhost\n127.0.1.1\tmail.example.org mail\n",
    "10.0.0.5 old.example.org old\n127.0.0.1 localhost # ours\n",
    "10.0.0.5 mail.example.org mail other # comment\n10.0.0.5 extra\n127.0.0.1 localhost",
    "  10.0.0.5   mail   indented\n127.0.0.1 localhost\n",
    "::1 localhost ip6-localhost\n2001:db8::5 mail.example.org\n# mail.example.org\n",
    "127.0.0.1 localhost\r\n10.0.0.5 mail.example.org mail\r\n",
    "127.0.0.1 localhost\n127.0.1.1 Mail.Example.ORG Mail\n2001:DB8::5 MAIL extra\n",
]


@pytest.fixture
def host(tmp_path: Path) -> LocalHost:
    return LocalHost(TRIXIE, str(tmp_path))


def folders(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("changed", "replayed"):
        (tmp_path / name).mkdir()
    return tmp_path / "changed", tmp_path / "replayed"


@pytest.mark.parametrize(
    "value", [*HOSTILE, "two\nlines\n", "\n\n", "", "no end", "cr\r\n", "ff\x0c\n"]
)
def test_a_whole_file(host: LocalHost, tmp_path: Path, value: str) -> None:
    changed, replayed = folders(tmp_path)
    for text in (value, f"{value}\n", f"a {value}\nb\n"):
        change = FileContent(str(changed / "file"), text)
        if change.needed(host):
            change.apply(host)
        assert not change.needed(host)
        same = FileContent(str(replayed / "file"), text)
        ended = replay(same.shell(host), replayed)
        assert (ended.returncode, ended.stderr) == (0, b"")
        assert (replayed / "file").read_bytes() == (changed / "file").read_bytes() == text.encode()
        assert {p.name for p in replayed.iterdir()} == {"file", "replay.sh"}


def test_a_file_keeps_its_link_and_its_mode_both_ways(host: LocalHost, tmp_path: Path) -> None:
    for folder in folders(tmp_path):
        (folder / "real").write_text("old\n")
        (folder / "real").chmod(0o640)
        (folder / "link").symlink_to("real")
        change = FileContent(str(folder / "link"), "new\n")
        if folder.name == "changed":
            change.apply(host)
        else:
            assert replay(change.shell(host), folder).returncode == 0
        assert (folder / "link").is_symlink()
        assert (folder / "real").read_text() == "new\n"
        assert (folder / "real").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("mode", [0o644, 0o600, 0o755])
def test_a_new_file_has_its_mode_both_ways(host: LocalHost, tmp_path: Path, mode: int) -> None:
    changed, replayed = folders(tmp_path)
    FileContent(str(changed / "file"), "x\n", mode).apply(host)
    replay(FileContent(str(replayed / "file"), "x\n", mode).shell(host), replayed)
    modes = [(folder / "file").stat().st_mode & 0o777 for folder in (changed, replayed)]
    assert modes == [mode, mode]


@pytest.mark.parametrize("before", ALIASES)
@pytest.mark.parametrize("value", ["alice", *HOSTILE[:6], "it's \\ 100%"])
def test_entries_in_a_shared_file(host: LocalHost, tmp_path: Path, before: str, value: str) -> None:
    changed, replayed = folders(tmp_path)
    entries = {"root": f"root: {value}", "Postmaster": "Postmaster: root"}
    for folder in (changed, replayed):
        if before:
            (folder / "aliases").write_bytes(before.encode())
    change = KeyedEntries(str(changed / "aliases"), ":", entries)
    change.apply(host)
    assert not change.needed(host)
    same = KeyedEntries(str(replayed / "aliases"), ":", entries)
    for _ in range(2):
        ended = replay(same.shell(host), replayed)
        assert (ended.returncode, ended.stderr) == (0, b"")
        assert (replayed / "aliases").read_bytes() == (changed / "aliases").read_bytes()
    assert not (replayed / "owned").exists()


@pytest.mark.parametrize("before", CLAMD)
def test_entries_with_a_blank_behind_the_key(host: LocalHost, tmp_path: Path, before: str) -> None:
    changed, replayed = (folder / "clamd.conf" for folder in folders(tmp_path))
    for path in (changed, replayed):
        path.write_text(before)
        change = KeyedEntries(str(path), " ", {"StreamMaxLength": "StreamMaxLength 50M"})
        if path == changed:
            change.apply(host)
            assert not change.needed(host)
        else:
            assert replay(change.shell(host), replayed.parent).returncode == 0
    assert replayed.read_text() == changed.read_text()
    assert changed.read_text().count("\nStreamMaxLength") <= 1


@pytest.mark.parametrize("before", HOSTS)
def test_the_hosts_file(
    host: LocalHost, tmp_path: Path, before: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed, replayed = folders(tmp_path)
    for folder in (changed, replayed):
        (folder / "hosts").write_bytes(before.encode())
    monkeypatch.setattr(hostname, "HOSTS", str(changed / "hosts"))
    change = HostsEntry(("10.0.0.5", "2001:db8::5"), "mail.example.org", "mail")
    change.apply(host)
    assert not change.needed(host)
    assert "127.0.1.1" not in (changed / "hosts").read_text()
    places = {"/etc/hosts": str(replayed / "hosts")}
    for _ in range(2):
        ended = replay(change.shell(host), replayed, places)
        assert (ended.returncode, ended.stderr) == (0, b"")
        assert (replayed / "hosts").read_text() == (changed / "hosts").read_text()


def about(path: Path) -> str:
    """Whose certificate it is, and whose the authority's."""
    argv = ["openssl", "x509", "-in", str(path), "-noout", "-subject", "-issuer"]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl(1)")
@pytest.mark.parametrize(
    ("domain", "subject"),
    [
        ("example.org", "mail.example.org"),
        # a subject holds 64 characters, a name in the DNS 253
        (f"{'a' * 48}.example.org", "mailwizard"),
        (".".join(["a" * 56] * 4 + ["example.org"]), "mailwizard"),
    ],
)
def test_a_private_certificate(host: LocalHost, tmp_path: Path, domain: str, subject: str) -> None:
    names = (f"mail.{domain}", f"imap.{domain}")
    changed, replayed = folders(tmp_path)
    lines = []
    for folder in (changed, replayed):
        authority = PrivateAuthority(str(folder), domain)
        certificate = PrivateCertificate(str(folder), names)
        lines = [authority.shell(host), certificate.shell(host)]
        if folder == changed:
            authority.apply(host)
            certificate.apply(host)
            assert not certificate.needed(host)
    ended = replay("\n".join(lines), replayed)
    assert ended.returncode == 0, ended.stderr
    for name in ("ca.pem", "fullchain.pem"):
        assert about(changed / name) == about(replayed / name)
    assert f"CN = {subject}\n" in about(changed / "fullchain.pem").replace("CN=", "CN = ")
    for folder in (changed, replayed):
        assert names_in(host, str(folder / "fullchain.pem")) == set(names)


@pytest.mark.parametrize("value", HOSTILE)
def test_every_hostile_value_is_one_inert_word(host: LocalHost, tmp_path: Path, value: str) -> None:
    path = str(tmp_path / "file")
    changes: list[Change] = [
        FileContent(path, f"{value}\n"),
        KeyedEntries(path, ":", {"root": value}),
        HostsEntry((value,), value, value),
        PostfixParameters({"myorigin": value}),
        MasterCfParameters({"smtp/inet/myorigin": value}),
        DebconfSettings("postfix", {"postfix/mailname": ("string", value)}),
    ]
    for change in changes:
        # each function of the script is replaced by one that shows its words
        shown = 'show() { printf "%s\\0" "$@"; cat; }\n' + "".join(
            f"{name}() {{ show '{name}' \"$@\" </dev/null; }}\n"
            for name in ("put_entry", "hosts_entry", "set_parameters", "set_service_options")
        )
        script = (
            f"{shown}put_file() {{ cat; }}\ndebconf_settings() {{ cat; }}\n{change.shell(host)}\n"
        )
        (tmp_path / "script").write_text(script)
        syntax = subprocess.run(["bash", "-n", tmp_path / "script"], check=False)
        assert syntax.returncode == 0
        ran = subprocess.run(
            ["bash", tmp_path / "script"], cwd=tmp_path, capture_output=True, check=True
        )
        assert value.encode() in ran.stdout
        assert ran.stderr == b""
        assert {p.name for p in tmp_path.iterdir()} == {"script"}
