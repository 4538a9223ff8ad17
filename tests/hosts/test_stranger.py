"""The stranger on real hosts: Postfix sees an address that it does not trust, in both families."""

import json

from lab.fixtures import FreshHost
from lab.host import Host
from lab.layers import Layer
from support.applied import PYTHON

POSTFIX = r"""
set -e
echo "$(hostname -I | cut -d' ' -f1) mail.example.test mail" >>/etc/hosts
postconf -e 'myhostname = mail.example.test' 'mydestination = example.test' \
  'home_mailbox = Maildir/' 'mynetworks = 127.0.0.0/8 [::1]/128' 'inet_interfaces = all' \
  'smtpd_forbid_bare_newline = normalize' 'smtpd_forbid_unauth_pipelining = yes' "$@"
printf 'root: alice\n' >/etc/aliases
newaliases
touch -d '-10 seconds' /etc/postfix/main.cf
systemctl restart postfix
"""
ASK = """
import json, sys
from mailwizard import platform, probes
from mailwizard.host import LocalHost

host = LocalHost(platform.here(), "/var/lib/mailwizard")
to = "alice@example.test"
asked = [
    probes.SmtpGreeting("mail.example.test"),
    probes.RefusesRelay(("example.test",), "alice"),
    probes.RefusesSmuggling(to, "alice"),
    probes.EarlyTalker(),
    probes.DeliversMail(to, "alice"),
]
results = {probe.id: probe.ask(host) for probe in asked}
print(json.dumps({name: [r.outcome, r.said, *r.transcript] for name, r in results.items()}))
"""
DIE = """
import os, signal
from mailwizard import platform
from mailwizard.host import LocalHost
from mailwizard.probes.vantage import seat

with seat(LocalHost(platform.here(), "/var/lib/mailwizard")):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def ask(host: Host) -> dict[str, list[str]]:
    host.put(ASK, "/root/ask.py")
    answers: dict[str, list[str]] = json.loads(host.run(f"{PYTHON} /root/ask.py").stdout)
    return answers


def left_behind(host: Host) -> str:
    return host.run("ip netns list; ip -br link | grep ^mws", check=False).stdout


def configure(host: Host, *settings: str) -> None:
    host.run(["sh", "-c", POSTFIX, "sh", *settings])


def test_a_right_host_passes_and_nothing_of_the_stranger_stays(
    ready_layer: Layer, fresh_host: FreshHost
) -> None:
    host = fresh_host(ready_layer)
    configure(host)
    answers = ask(host)
    assert {name: lines[0] for name, lines in answers.items()} == dict.fromkeys(answers, "pass")
    assert "IPv4 and IPv6" in answers["SMTP-06"][1]
    assert left_behind(host) == ""
    assert host.run("find /home/alice/Maildir -type f").stdout == ""
    log = host.run("journalctl -o cat | grep 'NOQUEUE: reject: RCPT from'").stdout
    assert "[198.1" in log
    assert "[fd" in log
    assert "[127." not in log


def test_an_open_relay_is_found_and_a_killed_run_is_tidied_up(
    ready_layer: Layer, fresh_host: FreshHost
) -> None:
    host = fresh_host(ready_layer)
    hole = "permit_mynetworks, check_sender_access static:OK, reject_unauth_destination"
    configure(host, f"smtpd_relay_restrictions = {hole}", "smtpd_forbid_bare_newline = no")
    host.put(DIE, "/root/die.py")
    assert not host.run(f"{PYTHON} /root/die.py", check=False).ok
    assert "mailwizard-stranger-" in left_behind(host)
    answers = ask(host)
    assert answers["SMTP-06"][0] == "fail"
    assert answers["SMTP-16"][0] == "fail"
    assert left_behind(host) == ""
    assert host.run("postqueue -p").stdout.strip() == "Mail queue is empty"
    assert host.run("find /home/alice/Maildir -type f").stdout == ""
