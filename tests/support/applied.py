"""Hosts that need not be set up anew: ready for the steps, or with all of them applied.

A test asks for the session fixture `prepared` (or for `ready_layer`) and boots as
many hosts from a layer as it likes; each boot takes half a second:

    def test_something(prepared: Prepared, fresh_host: FreshHost, suite: str) -> None:
        host = fresh_host(prepared.ready(suite))           # nothing is configured yet
        host.put(answers(host), "/root/answers.toml")
        host.run([LAUNCHER, "apply", "-a", "/root/answers.toml", "--yes"])

        with prepared.applied_host(suite) as host:         # verified, a file may be broken now
            host.run([LAUNCHER, "check", "--json"])

`ready`: a minimal Debian with the logins alice and bob, the checkout in /opt/mailwizard, the
launcher's environment, and the packages of all steps and of the relay (a firewall is what a test
makes of it), brought by the program's own transaction.
There is no /var/lib/mailwizard: the program never ran there. Since it booted, Postfix runs with
what the package brought; right after the package transaction it would not. What filters and
verifies mail does not.
`applied`: ready, and then `apply` with `answers(host)`, whose file is /root/answers.toml: mail goes
through the filter, and nothing is looked for. With FOR_SPAM it is: half a second of a processor for
each message. With UNFILTERED there is no filter, for tests that are about other things.

Each is made by whoever asks first, for all: the packages until what they are made from changes, the
rest until anything in the checkout does, but for a day at most (a signing key's name has the month
in it). An applied host knows its own address, one that no other kind of host is given: the first
one booted from the layer has it again, in every test process. Another one beside it has another
address, and `applied_host` applies the steps to it again; `fresh_host(prepared.applied(suite))`
does not.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from lab import images, network, shell
from lab.host import Host
from lab.internet import Internet
from lab.layers import Identity, Layer

CHECKOUT = Path(__file__).parents[2]
PLACE = "/opt/mailwizard"
LAUNCHER = f"{PLACE}/mailwizard"
ANSWERS = "/root/answers.toml"
# the account that the program makes, with its password, which checks log in with
LOGIN, SECRET, PASSWORD = "carol", "/root/carol-password", "a Sound-Password of 2 words"
FQDN, DOMAIN = "mail.example.test", "example.test"
LEFT_OUT = ("./.*", "__pycache__", "./tests", "./screenshots", "./build", "./dist", "*.egg-info")
# The addresses of strangers whom probes make up have no name: the lab says so, at once, by itself.
STRANGERS = ("18.198.in-addr.arpa", "19.198.in-addr.arpa", "d.f.ip6.arpa")
# What the other layers are made from beside it, and with what.
MAKERS = ("tests/lab", "tests/support")
DIGEST = 'tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -c "$@" | sha256sum'
# What the packages and the launcher's environment are made from.
MADE_FROM = ("mailwizard", "requirements.txt", "pyproject.toml", "wizard/transaction.py")
INSTALL = """
from mailwizard import platform
from mailwizard.answers import Answers
from mailwizard.engine import Engine
from mailwizard.events import ChangeDone
from mailwizard.host import LocalHost
from mailwizard.journal import Journal
from mailwizard.steps import STEPS

host = LocalHost(platform.here(), "/var/lib/mailwizard")
host.make_dir(host.state_dir, 0o700)
journal = Journal(f"{host.state_dir}/journal.db", platform.machine_id())
engine = Engine(STEPS, Answers.empty(STEPS), host, journal)
engine.answers = engine.answers.with_value("hostname", "fqdn", "mail.example.test")
engine.answers = engine.answers.with_value("relay", "enabled", True)
engine.answers = engine.answers.with_value("amavis", "virus", True)
events = list(engine.prepare([step.id for step in engine.wanted()]))
assert isinstance(events[-1], ChangeDone), events[-1]
"""
# A boot shall not start them: amavis fails for want of a full name again and again, the updaters
# look for definitions (one of Debian 13's holds up a boot for 40 s), the others are slow to stop.
QUIET = """
systemctl list-unit-files --plain --no-legend --state=enabled 'clamav-freshclam-once*' |
  cut -d' ' -f1 >/root/updaters
systemctl disable -q amavis clamav-freshclam opendkim opendmarc $(cat /root/updaters)
"""
AS_SHIPPED = "xargs -r systemctl enable -q </root/updaters"
RECORDS = """
import json
from mailwizard import platform
from mailwizard.answers import Answers
from mailwizard.engine import Engine
from mailwizard.host import LocalHost
from mailwizard.journal import Journal
from mailwizard.steps import STEPS

host = LocalHost(platform.here(), "/var/lib/mailwizard")
journal = Journal(f"{host.state_dir}/journal.db", platform.machine_id())
engine = Engine(STEPS, Answers.load("/root/answers.toml", STEPS), host, journal)
print(json.dumps({one.owner: one.value for one in engine.records() if one.type == "TXT"}))
"""
# no definitions can be had in a lab: tests/hosts/test_scanning.py brings its own
FOR_SPAM = """\
[amavis]
virus = false
"""
UNSCANNED = f"""{FOR_SPAM}\
spam = false
"""
UNFILTERED = """\
[amavis]
enabled = false

[opendmarc]
enabled = false
"""
# a plain Debian in the place that is kept for applied hosts
PLAIN = Identity("debian", "debian.test", network.APPLIED)
# the environment's own Python, with the program in it
PYTHON = "$(echo /usr/local/lib/mailwizard/env-*/bin/python) -I"


def answers(host: Host, filtering: str = UNSCANNED) -> str:
    """The answer file of every prepared host; UNFILTERED is quicker, where that will do."""
    return f"""\
[hostname]
fqdn = "{FQDN}"
address = "{host.address}"
address6 = "{host.address6}"

[aliases]
root = "alice"

[aliases.aliases]
sales = ["alice", "bob"]

[aliases.senders]
alice = "alice.liddell@example.test"

[dovecot]
users = [{{ login = "{LOGIN}", password = {{ file = "{SECRET}" }} }}]

{filtering}"""


def records(host: Host) -> dict[str, str]:
    """What the steps ask the zone's owner to publish: each TXT record's owner and its text."""
    found: dict[str, str] = json.loads(host.run(f"{PYTHON} - <<'END'\n{RECORDS}\nEND").stdout)
    return found


def publish(internet: Internet, host: Host) -> None:
    """Do what whoever runs the zone is asked for."""
    internet.dns.update((owner, "TXT", text) for owner, text in records(host).items())


@cache
def sources() -> str:
    """Tell by a digest what goes into the layers, the program as it is copied there."""
    skipped = [f"--exclude={pattern}" for pattern in LEFT_OUT]
    parts = (
        ["-C", str(CHECKOUT), *skipped, "."],
        ["-C", str(CHECKOUT), "--exclude=__pycache__", *MAKERS],
    )
    return "".join(shell.run(["sh", "-c", DIGEST, "sh", *part]).stdout for part in parts)


class Prepared:
    """The layers for tests, each made when it is first asked for.

    packages: what they stand on, where that is more than the packages of all steps.
    """

    def __init__(
        self, internet: Internet, packages: Callable[[str, Internet], Layer] | None = None
    ) -> None:
        self.internet = internet
        self._packages = packages or with_packages
        for zone in STRANGERS:
            if zone not in internet.dns.zones:
                internet.dns.add_zone(zone)

    def ready(self, suite: str) -> Layer:
        """A host with all packages, on which the program has never run."""
        # nobody knows its name yet: the next host may have any place in the network
        below, key = self._packages(suite, self.internet), sources()
        return images.layer(below, f"ready-{suite}", key, _put_checkout, self.internet.network)

    def applied(self, suite: str, filtering: str = UNSCANNED) -> Layer:
        """A host on which every step is applied and verified."""

        def apply(host: Host) -> None:
            self._apply(host, filtering)

        return self.configured(suite, "applied", apply, filtering)

    def configured(
        self, suite: str, name: str, configure: Callable[[Host], None], key: str = ""
    ) -> Layer:
        """A host that a function made FQDN, at the address that it knows."""

        def build(host: Host) -> Identity:
            self.internet.register(host, FQDN, mx=DOMAIN)
            configure(host)
            return Identity("mail", FQDN, host.offsets[0])

        below = replace(self.ready(suite), identity=PLAIN)
        whole = f"{sources()}{datetime.now(UTC).date()}{key}"
        return images.layer(below, f"{name}-{suite}", whole, build, self.internet.network)

    @contextmanager
    def ready_host(self, suite: str) -> Iterator[Host]:
        """A running host with all packages, whose name leads to it, where the program never ran."""
        with Host(self.ready(suite), net=self.internet.network) as host:
            self.internet.register(host, FQDN, mx=DOMAIN)
            yield host

    @contextmanager
    def applied_host(self, suite: str, filtering: str = UNSCANNED) -> Iterator[Host]:
        """A running host with every step applied, whose address is the one that it knows."""
        with Host(self.applied(suite, filtering), net=self.internet.network) as host:
            if host.get(ANSWERS) == answers(host, filtering).encode():
                self.internet.register(host, FQDN, mx=DOMAIN)
            else:
                self._apply(host, filtering)
            # each release's host has a key of its own
            publish(self.internet, host)
            yield host

    def _apply(self, host: Host, filtering: str) -> None:
        self.internet.register(host, FQDN, mx=DOMAIN)
        host.put(answers(host, filtering), ANSWERS)
        host.run([LAUNCHER, "apply", "-a", ANSWERS, "--yes"], timeout=300)


def with_packages(suite: str, internet: Internet) -> Layer:
    """A Debian with the packages of all steps and the launcher's environment."""
    parts = [CHECKOUT / name for name in MADE_FROM]
    parts += sorted((CHECKOUT / "wizard/platform").glob("*.py"))
    digest = hashlib.sha256(b"".join(part.read_bytes() for part in parts)).hexdigest()
    key = f"{digest}{INSTALL}{QUIET}{PLACE}"
    return images.layer(images.base(suite), f"packages-{suite}", key, _install, internet.network)


def _install(host: Host) -> None:
    host.run("useradd -m -s /bin/bash alice && useradd -m -s /bin/bash bob")
    _put_checkout(host)
    host.run([LAUNCHER, "answers"], timeout=600)
    host.run(f"{PYTHON} - <<'END'\n{INSTALL}\nEND", timeout=600)
    host.run(QUIET)
    host.run("apt-get clean && rm -r /var/lib/mailwizard")


def _put_checkout(host: Host) -> None:
    host.run(["rm", "-rf", PLACE])
    host.put(PASSWORD, SECRET, mode=0o600)
    host.put_tree(CHECKOUT, PLACE, exclude=LEFT_OUT)
    folders = " ".join(f"{PLACE}/{name}" for name in ("wizard", "steps", "templates"))
    host.run(f"! test -d /usr/local/lib/mailwizard || {PYTHON} -m compileall -q {folders}")
