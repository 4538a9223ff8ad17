"""Accounts of people on this host (useradd(8), chpasswd(8))."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from mailwizard.changes import previews
from mailwizard.model import Host, Look, Preview, SecretRef, Subject
from mailwizard.platform import facts
from mailwizard.subjects import Account


@dataclass(frozen=True, slots=True)
class UserAccount:
    """The login exists; one made here gets this password, one that was there keeps its own."""

    login: str
    password: SecretRef

    @property
    def title(self) -> str:
        return f"make the account {self.login}"

    @property
    def follows(self) -> str:
        return ""

    @property
    def secrets(self) -> Sequence[SecretRef]:
        return (self.password,)

    def needed(self, look: Look) -> bool:
        return not facts.has_login(look, self.login)

    def preview(self, look: Look) -> Preview:
        return previews.commands(self._make(), ["chpasswd"])

    def subjects(self, look: Look) -> Sequence[Subject]:
        return (Account(self.login),)

    def apply(self, host: Host) -> None:
        # read first: without the password no account is made
        password = host.secret(self.password)
        if self.needed(host):
            host.run(self._make())
        # never in argv, which every user can read
        host.run(["chpasswd"], stdin=f"{self.login}:{password}\n")

    def shell(self, look: Look) -> str:
        return shlex.join(["make_account", self.login, self.variable])

    @property
    def variable(self) -> str:
        """Where the exported script looks for the password: names in a shell have no dot, no -."""
        letters = self.login.replace(".", "_DOT_").replace("-", "_DASH_")
        return self.password.env or f"PASSWORD_{letters}"

    def _make(self) -> list[str]:
        return ["useradd", "--create-home", "--shell", "/bin/bash", "--", self.login]
