"""The private keys that sign: whole, and nobody else's to read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mailwizard.model import Host, Look, Result
from mailwizard.probes.verdict import failed, passed, unknown

NEW_KEY = (
    "The administrator: put it back from a backup. Or remove it, start mailwizard and let it make "
    "a new key, whose record is another one."
)


def broken(look: Look, path: str) -> bool:
    """Whether openssl says that the file is no RSA key; what cannot be asked is not broken."""
    if look.state(path).kind != "file":
        return False
    # openssl(1) would end with the same code for a key that only root may read: HostRefused
    look.read(path)
    return look.ask(["openssl", "rsa", "-in", path, "-noout", "-passin", "pass:"]).code == 1


@dataclass(frozen=True, slots=True)
class SigningKeysPrivate:
    """The keys can be used, and nobody but root and the signer can read them."""

    paths: tuple[str, ...]
    signer: str
    id: ClassVar[str] = "DKIM-08"
    title: ClassVar[str] = "The signing keys are private and whole"
    deadline: ClassVar[float] = 20.0
    critical: ClassVar[bool] = False

    @property
    def by_hand(self) -> str:
        return f"ls -l {' '.join(self.paths)}"

    def ask(self, host: Host) -> Result:
        group = host.ask(["id", "-g", "--", self.signer]).out.strip()
        for path in self.paths:
            fix = f"The administrator: chown root:{self.signer} {path}; chmod 0640 {path}"
            state = host.state(path)
            shown = f"{path} is {state.kind}, {state.mode:04o} {state.uid}:{state.gid}"
            if state.kind != "file":
                return failed(shown, "a private key", NEW_KEY)
            if state.mode & 0o027 or state.uid != 0:
                return failed(shown, f"0640 root:{self.signer}", fix)
            if not group.isdigit():
                said = f"there is no user {self.signer}, so who may read {path} is not known"
                return unknown(said, f"0640 root:{self.signer}", fix)
            if state.gid != int(group):
                return failed(f"{shown}: the signer cannot read it", f"root:{self.signer}", fix)
            if broken(host, path):
                return failed(f"{path} is no private key that can sign", "an RSA key", NEW_KEY)
        return passed(f"{len(self.paths)} keys, for root and {self.signer} alone")
