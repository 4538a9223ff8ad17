"""Faults of what renews a certificate of an ACME authority, and of what follows a renewal."""

from lab.host import Host
from lab.internet import Internet
from support.applied import FQDN
from support.faults.fault import Fault
from support.faults.names import published

HOOK = "/etc/letsencrypt/renewal-hooks/deploy/mailwizard"
# the lab's authority answers on another port
ACME_AWAY = "https://acme.lab.test:14009/dir"


def elsewhere(_: Host, internet: Internet) -> None:
    """The name leads to a host where nobody listens on port 80."""
    internet.dns.remove(FQDN)
    internet.dns.set(FQDN, "A", internet.dns.address)


ELSEWHERE = Fault(
    "the name leads elsewhere (renewal)",
    {"TLS-13": f"fail: could not reach {FQDN} on port 80 .*refused"},
    lab=elsewhere,
    mend=published,
)
RENEWAL = (
    Fault(
        "the hook is gone",
        {"TLS-13": "fail: is not there: .* the old certificate"},
        f"mv {HOOK} /root/hook",
        f"mv /root/hook {HOOK}",
    ),
    Fault(
        "the hook is not executable",
        {"TLS-13": "fail: is not executable"},
        f"chmod 0644 {HOOK}",
        f"chmod 0755 {HOOK}",
    ),
    Fault(
        "the hook was edited",
        {"TLS-13": "warn: was edited by hand"},
        f"cp -p {HOOK} /root/hook; echo true >>{HOOK}",
        f"mv /root/hook {HOOK}",
    ),
    Fault(
        "the timer is disabled",
        {"TLS-13": "fail: nothing starts the renewal: certbot.timer"},
        "systemctl disable --quiet certbot.timer",
        "systemctl enable --quiet certbot.timer",
    ),
    Fault(
        "the timer is stopped",
        {"TLS-13": "fail: nothing starts the renewal: certbot.timer"},
        "systemctl stop certbot.timer",
        "systemctl start certbot.timer",
    ),
    Fault(
        "another server holds port 80",
        {"TLS-13": "fail: port 80 is held by nginx"},
        "listener 0.0.0.0 80 nginx",
        "no_listeners",
    ),
    ELSEWHERE,
    Fault(
        "the authority is away",
        {"TLS-13": "unknown: cannot be reached: connection refused"},
        "echo 127.0.0.9 acme.lab.test >>/etc/hosts",
        "sed -i '/acme.lab.test/d' /etc/hosts",
    ),
    Fault(
        "certbot is at work",
        {"TLS-13": "unknown: certbot is at work already"},
        "python3 -c 'import fcntl, time\n"
        'held = open("/etc/letsencrypt/.certbot.lock", "w")\n'
        "fcntl.lockf(held, fcntl.LOCK_EX)\n"
        'open("/root/held", "w").close()\n'
        "time.sleep(600)' >/dev/null 2>&1 & echo $! >/root/lock\n"
        "until [ -e /root/held ]; do sleep 0.1; done",
        "kill $(cat /root/lock); rm -f /root/held /etc/letsencrypt/.certbot.lock",
    ),
)
