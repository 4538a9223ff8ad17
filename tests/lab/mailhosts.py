"""Other people's mail servers: real Postfix, which keeps all that it is sent."""

import base64
import email
import email.policy
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

from lab import client, shell
from lab.errors import LabError
from lab.host import ENVIRONMENT, Host

MAILBOX = "/var/mail/lab/all"
MAIN = """\
compatibility_level = 3.6
myhostname = {name}
mydestination =
alias_maps =
alias_database =
inet_protocols = all
smtpd_banner = $myhostname ESMTP
maillog_file = /var/log/mail.log
message_size_limit = 52428800
virtual_mailbox_limit = 0
virtual_mailbox_domains = {domain}
virtual_mailbox_base = /var/mail/lab
virtual_mailbox_maps = static:all/
virtual_uid_maps = static:8
virtual_gid_maps = static:8
virtual_minimum_uid = 8
smtpd_tls_cert_file = /etc/lab/{domain}.pem
smtpd_tls_security_level = may
smtpd_tls_received_header = yes
smtp_tls_security_level = may
smtpd_client_connection_rate_limit = 0
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_recipient_restrictions = check_recipient_access inline:{{
  {{ refused@{domain} = 550 5.1.1 nobody of that name }},
  {{ later@{domain} = 450 4.2.1 not now }} }}
"""
MASTER = """\
smtp      inet  n - n - - smtpd
pickup    unix  n - n 60 1 pickup
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
tlsmgr    unix  - - n 1000? 1 tlsmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
verify    unix  - - n - 1 verify
proxymap  unix  - - n - - proxymap
smtp      unix  - - n - - smtp
error     unix  - - n - - error
retry     unix  - - n - - error
discard   unix  - - n - - discard
virtual   unix  - n n - - virtual
anvil     unix  - - n - 1 anvil
scache    unix  - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
"""


@dataclass(frozen=True)
class Sent:
    """How the other side took a message: its last answer, and all its answers."""

    code: int
    text: str
    answers: list[str]

    @property
    def ok(self) -> bool:
        """Whether the message was accepted."""
        return 200 <= self.code < 300


def crlf(message: EmailMessage | bytes | str) -> bytes:
    """Give a message as it goes over the wire after DATA, its end included (RFC 5321, 4.5.2)."""
    if isinstance(message, EmailMessage):
        data = message.as_bytes(policy=email.policy.SMTP)
    else:
        data = message.encode() if isinstance(message, str) else message
    lines = data.replace(b"\r\n", b"\n").removesuffix(b"\n").split(b"\n")
    stuffed = [b"." + line if line.startswith(b".") else line for line in lines]
    return b"\r\n".join([*stuffed, b".", b""])


class MailHost:
    """A mail server that takes anything for its domain, and a place to send from."""

    def __init__(self, host: Host, domain: str, name: str) -> None:
        self.host, self.domain, self.name = host, domain, name
        self._start(MAIN.format(domain=domain, name=name), MASTER)

    def _start(self, main: str, master: str) -> None:
        self.host.put(master, "/etc/postfix/master.cf")
        # Outgoing mail leaves from the address that has the right name, not from any of them.
        main += f"smtp_bind_address = {self.address}\nsmtp_bind_address6 = {self.address6}\n"
        self.host.put(main, "/etc/postfix/main.cf")
        # Postfix sleeps for two seconds over a main.cf that has just been written.
        self.host.run(
            f"touch -d '1 minute ago' /etc/postfix/main.cf; mkdir -p {MAILBOX} && "
            f"chown -R mail: {MAILBOX} && systemctl start postfix"
        )

    @property
    def address(self) -> str:
        """Give the address that this host has its name for, and sends from by right."""
        return self.host.address

    @property
    def address6(self) -> str:
        """Give the same in IPv6."""
        return self.host.address6

    @property
    def blocklisted_address(self) -> str:
        """Give an address of this host that is on block lists."""
        return self.host.network.address(self.host.offsets[1])

    @property
    def outside_spf_address(self) -> str:
        """Give an address of this host from which its domain says it does not send."""
        return self.host.network.address(self.host.offsets[2])

    def raw(self) -> list[bytes]:
        """Give the messages received so far, as they came, the oldest first."""
        new = Path(f"{self.host.root}{MAILBOX}/new")
        paths = list(new.iterdir()) if new.is_dir() else []
        return [path.read_bytes() for path in sorted(paths, key=lambda p: p.stat().st_mtime_ns)]

    def received(self) -> list[EmailMessage]:
        """Give the messages received so far, parsed, the oldest first."""
        return [email.message_from_bytes(data, policy=email.policy.default) for data in self.raw()]

    def wait_for(
        self, wanted: Callable[[EmailMessage], bool] = lambda _: True, timeout: float = 60
    ) -> EmailMessage:
        """Give the first message that is wanted, as soon as it is there."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            for message in self.received():
                if wanted(message):
                    return message
            time.sleep(0.05)
        log = self.host.run("tail -n 20 /var/log/mail.log", check=False).stdout
        raise LabError(f"{self.name} did not receive the message in time; its log:\n{log}")

    def clear(self) -> None:
        """Forget all received messages."""
        self.host.run(f"rm -f {MAILBOX}/new/* {MAILBOX}/cur/*")

    def dialogue(
        self,
        address: str,
        port: int,
        steps: Sequence[str | bytes],
        *,
        source: str | None = None,
        tls: bool = False,
        protocol: str = "smtp",
        stop: bool = False,
        timeout: float = 30,
    ) -> list[str]:
        """Say things to a server from here and give its answers, the greeting first.

        Text is sent with CR LF, bytes as they are; after STARTTLS the dialogue goes on in TLS;
        `protocol` (smtp, imap, line) says when an answer is complete; `stop` ends at a refusal.
        """
        if source is None:
            source = self.address6 if ":" in address else self.address
        said = [f"{step}\r\n".encode() if isinstance(step, str) else step for step in steps]
        wish = {"address": address, "port": port, "source": source, "tls": tls}
        wish |= {"protocol": protocol, "stop": stop, "timeout": timeout}
        wish["steps"] = [base64.b64encode(step).decode() for step in said]
        # Only the network is this host's: the client is the build machine's own Python.
        enter = ["nsenter", f"--net=/run/netns/{self.host.name}", sys.executable, client.__file__]
        done = shell.run(
            enter, stdin=json.dumps(wish), env=ENVIRONMENT, timeout=timeout * (len(steps) + 2)
        )
        return [str(answer) for answer in json.loads(done.stdout)]

    def send(
        self,
        sender: str,
        recipient: str | Sequence[str],
        message: EmailMessage | bytes | str,
        *,
        to: Host | str,
        port: int = 25,
        source: str | None = None,
        helo: str | None = None,
        tls: bool = False,
        timeout: float = 30,
    ) -> Sent:
        """Hand a message straight to a server and give what it said."""
        address = to if isinstance(to, str) else to.address
        hello = f"EHLO {helo or self.name}"
        recipients = [recipient] if isinstance(recipient, str) else recipient
        steps: list[str | bytes] = [hello, *(["STARTTLS", hello] if tls else [])]
        steps += [f"MAIL FROM:<{sender}>", *(f"RCPT TO:<{name}>" for name in recipients)]
        steps += ["DATA", crlf(message)]
        return _outcome(
            self.dialogue(address, port, steps, source=source, stop=True, timeout=timeout)
        )

    def submit(
        self, relay: "Relay", sender: str, recipient: str, message: EmailMessage | bytes | str
    ) -> Sent:
        """Log in at the relay from here and send through it."""
        token = base64.b64encode(f"\0{relay.user}\0{relay.password}".encode()).decode()
        hello = f"EHLO {self.name}"
        steps: list[str | bytes] = [hello, "STARTTLS", hello, f"AUTH PLAIN {token}"]
        steps += [f"MAIL FROM:<{sender}>", f"RCPT TO:<{recipient}>", "DATA", crlf(message)]
        return _outcome(self.dialogue(relay.address, 587, steps, stop=True))


def _outcome(answers: list[str]) -> Sent:
    last = answers[-1].splitlines()[-1]
    return Sent(int(last[:3]) if last[:3].isdigit() else 0, last[4:], answers)


class Relay(MailHost):
    """A provider's relay: takes mail for anywhere from who logs in, on 587 and 465."""

    user = "customer@relay.test"
    password = "Pa$$ w0rd#relay"

    def _start(self, main: str, master: str) -> None:
        main += "cyrus_sasl_config_path = /etc/postfix/sasl\n"
        main += f"always_bcc = kept@{self.domain}\nsmtpd_sasl_auth_enable = yes\n"
        main += "smtpd_tls_auth_only = yes\nsmtpd_sasl_security_options = noanonymous\n"
        inside = "\n  -o smtpd_client_restrictions=permit_sasl_authenticated,reject\n"
        master += f"587 inet n - n - - smtpd -o smtpd_tls_security_level=encrypt{inside}"
        master += f"465 inet n - n - - smtpd -o smtpd_tls_wrappermode=yes{inside}"
        sasl = "pwcheck_method: auxprop\nauxprop_plugin: sasldb\nmech_list: PLAIN LOGIN\n"
        self.host.put(sasl, "/etc/postfix/sasl/smtpd.conf")
        user, _, realm = self.user.partition("@")
        self.host.run(["saslpasswd2", "-p", "-c", "-u", realm, user], input=self.password)
        self.host.run("chown root:postfix /etc/sasldb2 && chmod 640 /etc/sasldb2")
        super()._start(main, master)
