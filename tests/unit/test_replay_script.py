"""What the exported script makes of a host on which an earlier run of it was cut short."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.replaying import replay

SYSTEMD = 'systemctl() { case $1 in is-*) ;; *) echo "$*" ;; esac; }\n'
ALICE = "getent() { [ \"$1 $2\" = 'passwd alice' ]; }\n"
HALF_MADE = """
getent() { case $1 in passwd) [ "$2" = carol ] ;; shadow) echo "carol:$FIELD:20000::::::" ;; esac; }
useradd() { echo "useradd $*"; }
chpasswd() { cat; }
PASSWORD_carol='a b'
"""


@pytest.mark.parametrize(("unfinished", "said"), [(1, b"restart postfix\n"), (0, b"")])
def test_what_was_written_before_is_put_into_service(
    tmp_path: Path, unfinished: int, said: bytes
) -> None:
    lines = f"{SYSTEMD}unfinished={unfinished}\nchanged=$unfinished\ninto_service postfix restart"
    ended = replay(lines, tmp_path)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, said, b"")


@pytest.mark.parametrize(
    ("unfinished", "field", "said"),
    [(1, "!", b"carol:a b\n"), (1, "$y$j9T$x", b""), (0, "!", b"")],
)
def test_an_account_without_a_password_gets_its_own_after_all(
    tmp_path: Path, unfinished: int, field: str, said: bytes
) -> None:
    lines = f"FIELD='{field}' unfinished={unfinished}\n{HALF_MADE}\n"
    ended = replay(f"{lines}make_account carol PASSWORD_carol", tmp_path)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, said, b"")


@pytest.mark.parametrize(
    ("there", "left"), [(None, False), ("exit 101\n", False), ("exit 0\n", True)]
)
def test_starts_are_allowed_again_unless_somebody_else_forbids_them(
    tmp_path: Path, there: str | None, left: bool
) -> None:
    policy = tmp_path / "policy-rc.d"
    if there is not None:
        policy.write_text(there)
    lines = f"shopt -s lastpipe\nprintf '%s\\n' 'exit 101' | forbid_starts {policy}\ncat {policy}"
    ended = replay(lines, tmp_path)
    assert (ended.returncode, ended.stdout.decode()) == (0, there or "exit 101\n")
    assert policy.exists() is left


@pytest.mark.parametrize(("owner", "code"), [(101, 0), (0, 1)])
def test_a_copy_may_belong_to_whom_its_original_belongs(
    tmp_path: Path, owner: int, code: int
) -> None:
    said = "warning: not owned by root: /var/spool/postfix/etc/resolv.conf"
    stubs = f"stat() {{ echo {owner}; }}\npostfix() {{ echo '{said}' >&2; }}\n"
    ended = replay(f"{stubs}check postfix check", tmp_path)
    assert ended.returncode == code
    assert (said.encode() in ended.stderr) is bool(code)


@pytest.mark.parametrize(("asked", "missing"), [("bash", 1), ("bash no-such-package", 0)])
def test_packages_are_brought_only_where_one_is_missing(
    tmp_path: Path, asked: str, missing: int
) -> None:
    stub = 'dpkg-query() { [ "${*: -1}" = bash ] && printf installed; }\n'
    lines = f"{stub}code=0\npackages_missing {asked} || code=$?\necho $code"
    assert replay(lines, tmp_path).stdout == f"{missing}\n".encode()


@pytest.mark.parametrize(("sends", "code"), [("rm -f", 0), ("true", 3)])
def test_mail_of_a_server_that_goes_is_sent_first_or_it_stays(
    tmp_path: Path, sends: str, code: int
) -> None:
    waits = tmp_path / "input" / "1abc-H"
    waits.parent.mkdir()
    waits.touch()
    lines = (
        "sleep() { :; }\n"
        f"old_queue exim4 sh {waits.parent} '*-H' {sends} {waits}\n"
        "old_queue none no-such-program /tmp '*'\necho goes"
    )
    ended = replay(lines, tmp_path)
    assert ended.returncode == code
    assert ended.stdout.endswith(b"goes\n") is (code == 0)
    assert (b"refused: messages still in the queue of exim4: 1" in ended.stderr) is (code == 3)


HELD = "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 7 (apt-get)"


@pytest.mark.parametrize(
    ("fails", "said", "code"), [(0, "", 0), (2, HELD, 0), (1, "E: no such mirror", 1)]
)
def test_the_lock_on_the_package_lists_is_waited_for(
    tmp_path: Path, fails: int, said: str, code: int
) -> None:
    # in a file: what is on the left of a pipe runs in a shell of its own
    stub = f"""
    sleep() {{ echo "slept $1"; }}
    apt_get() {{
      echo x >>tries
      [ "$(wc -l <tries)" -gt {fails} ] || {{ echo '{said}' >&2; return 100; }}
    }}
    update_lists apt_get; echo renewed"""
    ended = replay(stub, tmp_path)
    assert ended.returncode == code
    assert ended.stdout.decode().count("slept 5") == (fails if said == HELD else 0)
    assert ended.stdout.endswith(b"renewed\n") is (code == 0)
    assert (b"FAIL the package lists could not be renewed" in ended.stderr) is (code == 1)


@pytest.mark.parametrize(
    ("said", "code", "changed"),
    [
        ("", 0, b"0\n"),
        ("warning: /var/spool/postfix/etc/hosts and /etc/hosts differ", 0, b"1\n"),
        ("warning: /a and /b differ\nfatal: x", 1, b""),
        ("fatal: x", 1, b""),
    ],
)
def test_a_copy_that_is_old_is_made_anew(
    tmp_path: Path, said: str, code: int, changed: bytes
) -> None:
    lines = f"postfix() {{ printf '%s' '{said}' >&2; }}\ncheck postfix check\necho $changed"
    ended = replay(lines, tmp_path)
    assert (ended.returncode, ended.stdout) == (code, changed)
    assert (b"fatal: x" in ended.stderr) is bool(code)


@pytest.mark.parametrize(
    ("ends", "wrong"),
    [
        ("alice", b""),
        ("root, alice", b""),
        ("bob@example.net", b""),
        ("|/bin/x", b""),
        ("alice, carol", b"alias sales leads to carol, and nobody has that login"),
        ("", b"alias sales leads nowhere"),
    ],
)
def test_an_alias_must_end_at_somebody(tmp_path: Path, ends: str, wrong: bytes) -> None:
    tables = (
        "postconf() { echo hash:/etc/aliases; }\n"
        f"sales='{ends}'\n"
        'postalias() { case $2 in root) ;; sales) echo "$sales" | grep . ;; *) false ;; esac; }\n'
    )
    ended = replay(f"{ALICE}{tables}aliases_resolve sales", tmp_path)
    assert (ended.returncode, wrong in ended.stderr) == (int(bool(wrong)), True)
