"""Private keys that sign mail (RFC 6376): made on this host, readable by the signer alone."""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mailwizard.errors import CommandFailed, ProofFailed
from mailwizard.model import Host, Look, Preview, Subject
from mailwizard.probes.signingkeys import NEW_KEY, broken
from mailwizard.subjects import OwnFolder, SecretFile, SpentKey

# RFC 8301 3.2: 1024 is too short, and verifiers need not take more than 2048
MAKE = ("openssl", "genrsa", "-traditional", "2048")
MODE = 0o640


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The key is there, root's own, and the signer's group may read it; one that is there is kept.

    Where that one cannot sign, only the administrator knows whether it can go.
    signer: the platform's role of the daemon that signs.
    """

    path: str
    signer: str

    @property
    def title(self) -> str:
        return f"make the key {self.path}"

    @property
    def follows(self) -> str:
        return ""

    def needed(self, look: Look) -> bool:
        state = look.state(self.path)
        if state.kind == "absent" or broken(look, self.path):
            return True
        return (state.mode, state.uid, state.gid) != (MODE, 0, self._group(look))

    def preview(self, look: Look) -> Preview:
        name = look.platform.user(self.signer)
        rights = shlex.join(["install", "-m", "0640", "-g", name, "/dev/stdin", self.path])
        return Preview(f"{shlex.join(MAKE)} | {rights}")

    def subjects(self, look: Look) -> Sequence[Subject]:
        return (*map(OwnFolder, self._folders()), SecretFile(self.path))

    def apply(self, host: Host) -> None:
        group, state = self._group(host), host.state(self.path)
        if state.kind == "absent":
            for folder in self._folders():
                host.make_dir(folder)
            host.write(self.path, host.run(MAKE).out.encode(), mode=MODE, owner=(0, group))
        elif broken(host, self.path):
            raise ProofFailed(f"{self.path} is no private key that can sign", hint=NEW_KEY)
        else:
            # written anew it would keep the rights that it has
            rights = replace(state, mode=MODE, uid=0, gid=group)
            host.restore(self.path, rights, host.read(self.path))

    def shell(self, look: Look) -> str:
        return shlex.join(["signing_key", self.path, look.platform.user(self.signer)])

    def _folders(self) -> tuple[str, str]:
        own = posixpath.dirname(self.path)
        return posixpath.dirname(own), own

    def _group(self, look: Look) -> int:
        name = look.platform.user(self.signer)
        argv = ["id", "-g", "--", name]
        done = look.ask(argv, of=("/etc/passwd", "/etc/group"))
        if not done.out.strip().isdigit():
            raise CommandFailed(tuple(argv), done.code, tuple(done.err.splitlines()))
        return int(done.out)


@dataclass(frozen=True, slots=True)
class RetiredKey:
    """A key that signs no more is gone, for good."""

    path: str

    @property
    def title(self) -> str:
        return f"remove the key {self.path}"

    @property
    def follows(self) -> str:
        return ""

    def needed(self, look: Look) -> bool:
        return look.state(self.path).kind != "absent"

    def preview(self, look: Look) -> Preview:
        return Preview(self.shell(look))

    def subjects(self, look: Look) -> Sequence[Subject]:
        return (SpentKey(self.path),)

    def apply(self, host: Host) -> None:
        host.remove(self.path)

    def shell(self, look: Look) -> str:
        return shlex.join(["rm", "-f", self.path])
