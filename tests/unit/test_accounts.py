"""Accounts: who gets which password, in a run and in the exported script."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.recorded import RecordedHost
from support.replaying import replay

from mailwizard.changes import UserAccount
from mailwizard.export.script import passwords
from mailwizard.model import SecretRef

SYSTEM = """
getent() { return 2; }
useradd() { printf 'useradd %s\\n' "$*"; env | grep ^PASSWORD || true; }
refuse() { printf "refused: %s\\n" "$*" >&2; exit 3; }
chpasswd() { cat; env | grep ^PASSWORD || true; }
"""


def in_script(folder: Path, made: UserAccount, settings: str) -> tuple[int, str, str]:
    lines = [SYSTEM, settings, *passwords(made), made.shell(RecordedHost())]
    done = replay("\n".join(lines), folder)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.mark.parametrize(
    ("login", "variable"),
    [
        ("carol", "PASSWORD_carol"),
        ("jan.van-eyck", "PASSWORD_jan_DOT_van_DASH_eyck"),
        ("jan_van_eyck", "PASSWORD_jan_van_eyck"),
    ],
)
def test_the_script_takes_each_password_from_a_variable_of_its_own(
    tmp_path: Path, login: str, variable: str
) -> None:
    made = UserAccount(login, SecretRef(file="/root/password"))
    code, said, wrong = in_script(tmp_path, made, f"export {variable}='a $(b) c'")
    assert (code, wrong) == (0, "")
    # no program that it starts sees the variable
    assert said == f"useradd --create-home --shell /bin/bash -- {login}\n{login}:a $(b) c\n"


def test_the_script_makes_no_account_without_its_password(tmp_path: Path) -> None:
    made = UserAccount("carol", SecretRef(env="CAROL"))
    code, said, wrong = in_script(tmp_path, made, "unset CAROL")
    assert code == 3
    assert said == ""
    assert "set CAROL in the environment" in wrong


def test_a_password_is_told_on_standard_input_alone() -> None:
    host = RecordedHost(secrets={"CAROL": "secret"})
    made = UserAccount("carol", SecretRef(env="CAROL"))
    made.apply(host)
    assert host.ran == [tuple(made._make()), ("chpasswd",)]
    assert host.stdin[1] == "carol:secret\n"
    assert not any("secret" in word for argv in host.ran for word in argv)
