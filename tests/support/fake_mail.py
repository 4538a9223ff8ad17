"""An IMAP and a submission server on loopback, with TLS, as right or wrong as a test says."""

from __future__ import annotations

import base64
import re
import socket
import ssl
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from support.fake_servers import FakeServer
from support.recorded import RecordedHost

from mailwizard.model import SecretRef

NAME = "mail.example.test"
ALICE = (("alice", SecretRef(env="PW")),)


def knowing_alice() -> RecordedHost:
    """A host that knows alice's password."""
    return RecordedHost(secrets={"PW": "pw"})


@dataclass(frozen=True)
class Pki:
    """A certificate with its key and authority, made for one test run."""

    ca: str
    chain: str
    key: str

    def context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain, self.key)
        return context


def make_pki(
    folder: Path,
    name: str = NAME,
    *,
    days: int = 90,
    key: str = "ec",
    digest: str = "sha256",
    extra: str = "extendedKeyUsage=serverAuth",
) -> Pki:
    """An authority and a certificate of it, by openssl(1)."""
    folder.mkdir(parents=True, exist_ok=True)
    curve = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
    mine = curve if key == "ec" else f"-newkey {key} -nodes"
    names = f"subjectAltName=DNS:{name}\n" if name else ""
    (folder / "ext").write_text(
        f"{names}basicConstraints=CA:FALSE\nauthorityKeyIdentifier=keyid\n"
        f"subjectKeyIdentifier=hash\n{extra}\n"
    )
    usage = "-addext keyUsage=critical,keyCertSign,cRLSign"
    signed = f"-CA ca.pem -CAkey ca.key -set_serial 7 -days {days} -{digest} -extfile ext"
    for command in (
        f"req -x509 {curve} -days 99 -keyout ca.key -out ca.pem -subj /CN=Authority {usage}",
        f"req {mine} -keyout key.pem -out csr -subj /CN=x",
        f"x509 -req -in csr {signed} -out chain.pem",
    ):
        argv = ["openssl", *command.split()]
        subprocess.run(argv, cwd=folder, check=True, capture_output=True, timeout=30)
    return Pki(*(str(folder / one) for one in ("ca.pem", "chain.pem", "key.pem")))


class Line:
    """Lines read from a connection that may become TLS in between."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock, self.buffer = sock, b""

    def read(self) -> str:
        while b"\n" not in self.buffer:
            if not (data := self.sock.recv(4096)):
                raise OSError("closed")
            self.buffer += data
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line.decode("utf-8", "replace").rstrip("\r")

    def exactly(self, count: int) -> bytes:
        while len(self.buffer) < count:
            if not (data := self.sock.recv(4096)):
                raise OSError("closed")
            self.buffer += data
        out, self.buffer = self.buffer[:count], self.buffer[count:]
        return out

    def say(self, text: str) -> None:
        self.sock.sendall(text.encode() + b"\r\n")

    def secure(self, pki: Pki, keep: bool = False) -> None:
        """Go on encrypted; `keep` is the mistake of CVE-2011-0411."""
        left = self.buffer if keep else b""
        self.buffer = b""
        self.sock = pki.context().wrap_socket(self.sock, server_side=True)
        self.buffer = left


def plain(said: str) -> tuple[str, str]:
    """Login and password of SASL PLAIN."""
    _, login, password = base64.b64decode(said).decode().split("\0")
    return login, password


@dataclass
class FakeImap:
    """An IMAP server with one mailbox; what is wrong with it is said by the fields."""

    pki: Pki
    wrapped: bool = True
    greeting: str = "* OK ready"
    clear: str = "IMAP4rev1 STARTTLS LOGINDISABLED"
    inside: str = "IMAP4rev1 AUTH=PLAIN"
    clear_login: str = "NO [PRIVACYREQUIRED] not in clear"
    keeps_clear: bool = False
    users: dict[str, str] = field(default_factory=lambda: {"alice": "pw"})
    lets_in: bool = False
    refusal: str = "NO [AUTHENTICATIONFAILED] no"
    spoils: Callable[[bytes], bytes] = lambda data: data
    keeps_deleted: bool = False
    folders: tuple[str, ...] = (r"\Drafts", r"\Junk", r"\Sent", r"\Trash")
    opens: str = "INBOX"
    heard: list[str] = field(default_factory=list)

    def server(self) -> FakeServer:
        return FakeServer(self._talk)

    def _talk(self, sock: socket.socket) -> None:
        line, secure, box = Line(sock), self.wrapped, dict[int, bytes]()
        if secure:
            line.secure(self.pki)
        line.say(self.greeting)
        while True:
            text = line.read()
            self.heard.append(text)
            tag, _, rest = text.partition(" ")
            verb = rest.split(" ")[0].upper()
            if verb == "STARTTLS":
                line.say(f"{tag} OK go")
                line.secure(self.pki, self.keeps_clear)
                secure = True
            elif verb == "AUTHENTICATE":
                line.say("+ ")
                login, password = plain(line.read())
                known = self.users.get(login.partition("@")[0]) == password
                line.say(f"{tag} OK in" if known or self.lets_in else f"{tag} {self.refusal}")
            elif verb == "LOGIN":
                line.say(f"{tag} {self.clear_login}")
            elif verb == "CAPABILITY":
                line.say(f"* CAPABILITY {self.inside if secure else self.clear}")
                line.say(f"{tag} OK done")
            else:
                self._mailbox(line, box, tag, rest)
            if verb == "LOGOUT":
                return

    def _mailbox(self, line: Line, box: dict[int, bytes], tag: str, rest: str) -> None:
        status = "OK done"
        if size := re.search(r"\{(\d+)\}$", rest):
            line.say("+ go on")
            box[len(box) + 1] = self.spoils(line.exactly(int(size[1])))
            line.read()
        elif "SEARCH" in rest:
            mark = rest.split('"')[1].encode()
            found = " ".join(str(uid) for uid, data in box.items() if mark in data)
            line.say(f"* SEARCH {found}".rstrip())
        elif "FETCH" in rest:
            data = box[1]
            line.say(f"* 1 FETCH (UID 1 BODY[] {{{len(data)}}}")
            line.sock.sendall(data + b")\r\n")
        elif "EXPUNGE" in rest and not self.keeps_deleted:
            box.clear()
        elif rest.startswith("LIST"):
            for use in self.folders:
                line.say(f'* LIST (\\HasNoChildren {use}) "." {use[1:]}')
        elif rest.startswith("SELECT") and rest[7:].strip('"') != self.opens:
            status = "NO no such mailbox"
        line.say(f"{tag} {status}")


@dataclass
class FakeSubmission:
    """A submission server; what is wrong with it is said by the fields."""

    pki: Pki
    wrapped: bool = False
    greeting: str = "220 mail.example.test ESMTP"
    starttls: bool = True
    keeps_clear: bool = False
    auth_in_clear: bool = False
    clear_mail: str = "530 5.7.0 Must issue a STARTTLS command first"
    clear_auth: str = "530 5.7.0 Must issue a STARTTLS command first"
    mechanisms: str = "PLAIN LOGIN"
    users: dict[str, str] = field(default_factory=lambda: {"alice": "pw"})
    refusal: Callable[[str], str] = lambda _: "535 5.7.8 Error: authentication failed"
    unknown_sender: str = "553 5.7.1 not owned by user"
    without_login: str = "554 5.7.1 Access denied"
    helo: Callable[[str], str] = lambda _: ""
    extension: str = "8BITMIME"
    heard: list[str] = field(default_factory=list)

    def server(self) -> FakeServer:
        return FakeServer(self._talk)

    def _talk(self, sock: socket.socket) -> None:
        line, secure, login, sender, helo = Line(sock), self.wrapped, "", "", ""
        if secure:
            line.secure(self.pki)
        line.say(self.greeting)
        while True:
            text = line.read()
            self.heard.append(text)
            verb = text[:4].upper()
            if verb == "EHLO":
                helo = text[5:]
                line.say(self._ehlo(secure))
            elif verb == "STAR":
                line.say("220 2.0.0 go")
                line.secure(self.pki, self.keeps_clear)
                secure = True
            elif verb == "AUTH":
                login = self._auth(line, text, secure)
            elif verb == "MAIL":
                sender = text[11:].partition(">")[0]
                line.say("250 ok" if secure or not self.starttls else self.clear_mail)
            elif verb == "RCPT":
                line.say(self.helo(helo) or self._recipient(login, sender))
            elif verb == "QUIT":
                line.say("221 bye")
                return
            else:
                line.say(self._taken(line, verb))

    def _taken(self, line: Line, verb: str) -> str:
        if verb == "DATA":
            line.say("354 go on")
            while line.read() != ".":
                pass
        return "250 ok"

    def _ehlo(self, secure: bool) -> str:
        lines = ["mail.example.test"]
        lines += [] if secure or not self.starttls else ["STARTTLS"]
        lines += [f"AUTH {self.mechanisms}"] if secure or self.auth_in_clear else []
        lines = [line for line in lines if line != "AUTH "]
        return "\r\n".join([*(f"250-{one}" for one in lines), f"250 {self.extension}"])

    def _auth(self, line: Line, text: str, secure: bool) -> str:
        if not secure:
            line.say(self.clear_auth)
            return ""
        line.say("334 ")
        login, password = plain(line.read())
        if self.users.get(login.partition("@")[0]) == password:
            line.say("235 2.7.0 Authentication successful")
            return login.partition("@")[0]
        line.say(self.refusal(login))
        return ""

    def _recipient(self, login: str, sender: str) -> str:
        if not login:
            return self.without_login
        return (
            "250 ok"
            if sender.split("@", maxsplit=1)[0] in (login, "sales")
            else self.unknown_sender
        )
