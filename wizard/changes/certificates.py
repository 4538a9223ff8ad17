"""Keys and certificates: a private authority, and a certificate of it for this server's names."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass

from mailwizard.model import Host, Look, Preview, Subject
from mailwizard.probes.deadline import CannotAsk
from mailwizard.subjects import File, SecretFile

AUTHORITY_DAYS = 3650
# RFC 5280 A.1, ub-common-name and ub-organization-name: names in the DNS may be longer
LONGEST = 64
# Apple's programs refuse more (support.apple.com 103769)
LEAF_DAYS = 825
DAY = 86400
RENEW_SECONDS = LEAF_DAYS * DAY // 3
EC_KEY = ("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
AUTHORITY_EXTENSIONS = (
    "basicConstraints=critical,CA:TRUE,pathlen:0",
    "keyUsage=critical,keyCertSign,cRLSign",
)


@dataclass(frozen=True, slots=True)
class PrivateAuthority:
    """A certificate authority of this host's own: ca.key (0600) and ca.pem to import into programs.

    One that is there is kept, so that renewed certificates are trusted by those who trust it.
    """

    folder: str
    name: str

    @property
    def title(self) -> str:
        return "make a private certificate authority"

    @property
    def follows(self) -> str:
        return ""

    def needed(self, look: Look) -> bool:
        key, authority = f"{self.folder}/ca.key", f"{self.folder}/ca.pem"
        if look.state(key).kind == "absent" or look.state(authority).kind == "absent":
            return True
        return not look.ask(["openssl", "x509", "-in", authority, "-noout", "-checkend", "0"]).ok

    def preview(self, look: Look) -> Preview:
        return Preview(f"{shlex.join(EC_KEY)} > ca.key\n{shlex.join(self._sign())} > ca.pem")

    def subjects(self, look: Look) -> Sequence[Subject]:
        return (
            File(self.folder),
            SecretFile(f"{self.folder}/ca.key"),
            File(f"{self.folder}/ca.pem"),
        )

    def apply(self, host: Host) -> None:
        host.make_dir(self.folder)
        _write_key(host, f"{self.folder}/ca.key", host.run(EC_KEY).out.encode())
        host.write(f"{self.folder}/ca.pem", host.run(self._sign()).out.encode())

    def shell(self, look: Look) -> str:
        return shlex.join(["private_authority", self.folder, self.name])

    def _sign(self) -> list[str]:
        extensions = [word for one in AUTHORITY_EXTENSIONS for word in ("-addext", one)]
        request = ["openssl", "req", "-x509", "-new", "-key", f"{self.folder}/ca.key"]
        subject = f"/O={fitting(self.name)}/CN=mailwizard private authority"
        return [*request, "-days", str(AUTHORITY_DAYS), "-subj", subject, *extensions]


@dataclass(frozen=True, slots=True)
class PrivateCertificate:
    """A key and a certificate of the private authority, for exactly these names.

    It ends with its authority at the latest: nobody would believe it any longer.
    """

    folder: str
    names: tuple[str, ...]

    @property
    def title(self) -> str:
        return f"certify {', '.join(self.names)}"

    @property
    def follows(self) -> str:
        return f"{self.folder}/ca.pem"

    def needed(self, look: Look) -> bool:
        key, chain = f"{self.folder}/mail.key", f"{self.folder}/fullchain.pem"
        if look.state(key).kind == "absent" or look.state(chain).kind == "absent":
            return True
        # one that was cut to its authority's whole days is not made again and again
        due = max(0, min(RENEW_SECONDS, self._vouched(look) - 2 * DAY))
        lasts = ["openssl", "x509", "-in", chain, "-noout", "-checkend", str(due)]
        trusted = ["openssl", "verify", "-CAfile", f"{self.folder}/ca.pem", chain]
        return names_in(look, chain) != set(self.names) or not (
            look.ask(lasts).ok and look.ask(trusted).ok
        )

    def preview(self, look: Look) -> Preview:
        signing = shlex.join(self._sign(".", self._days(look)))
        return Preview(f"{shlex.join(EC_KEY)} > mail.key\n{signing} > mail.crt")

    def subjects(self, look: Look) -> Sequence[Subject]:
        return (SecretFile(f"{self.folder}/mail.key"), File(f"{self.folder}/fullchain.pem"))

    def apply(self, host: Host) -> None:
        key = host.run(EC_KEY).out.encode()
        with host.draft({"extensions": self._extensions().encode(), "key": key}) as draft:
            subject = ["-subj", f"/CN={fitting(self.names[0])}"]
            request = host.run(["openssl", "req", "-new", "-key", f"{draft}/key", *subject]).out
            leaf = host.run(self._sign(draft, self._days(host)), stdin=request).out.encode()
        authority = host.read(f"{self.folder}/ca.pem")
        _write_key(host, f"{self.folder}/mail.key", key)
        host.write(f"{self.folder}/fullchain.pem", leaf + authority)

    def shell(self, look: Look) -> str:
        return shlex.join(["private_certificate", self.folder, *self.names])

    def _extensions(self) -> str:
        names = ",".join(f"DNS:{name}" for name in self.names)
        usage = "extendedKeyUsage=serverAuth\nkeyUsage=critical,digitalSignature\n"
        return f"subjectAltName={names}\n{usage}basicConstraints=critical,CA:FALSE\n"

    def _vouched(self, look: Look) -> int:
        """For how many seconds yet the authority is valid; one that is still to be made: all."""
        from mailwizard.probes.certificate import inspect

        try:
            return int(inspect(look, f"{self.folder}/ca.pem").ends - time.time())
        except CannotAsk:
            return AUTHORITY_DAYS * DAY

    def _days(self, look: Look) -> int:
        return max(1, min(LEAF_DAYS, self._vouched(look) // DAY))

    def _sign(self, draft: str, days: int) -> list[str]:
        authority = ["-CA", f"{self.folder}/ca.pem", "-CAkey", f"{self.folder}/ca.key"]
        lasting = ["-days", str(days), "-extfile", f"{draft}/extensions"]
        return ["openssl", "x509", "-req", *authority, *lasting]


def fitting(name: str) -> str:
    """The name as it stands in a subject; another one where it is too long for that.

    Programs look for names in subjectAltName alone (RFC 9525 6.3).
    """
    return name if len(name) <= LONGEST else "mailwizard"


def _write_key(host: Host, path: str, key: bytes) -> None:
    """A key for root alone, whatever stood there: a file that others may read keeps its mode."""
    was = host.state(path)
    if was.kind != "absent" and (was.kind != "file" or was.mode & 0o077 or was.uid != 0):
        host.remove(path)
    host.write(path, key, mode=0o600)


def names_in(look: Look, chain: str) -> set[str]:
    """The DNS names of the first certificate in the file."""
    shown = look.ask(["openssl", "x509", "-in", chain, "-noout", "-ext", "subjectAltName"]).out
    return {part.strip().removeprefix("DNS:") for part in shown.replace("\n", ",").split(",")
            if part.strip().startswith("DNS:")}  # fmt: skip
