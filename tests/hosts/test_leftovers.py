"""What was on a host before: another mail server with mail in its queue, a broken package run."""

from __future__ import annotations

import hashlib
import re
import shlex

import pytest
from lab import images
from lab.fixtures import FreshHost
from lab.host import Host
from lab.internet import Internet
from support.applied import ANSWERS, DOMAIN, FQDN, PYTHON, UNFILTERED, answers
from support.bare import launched, put_checkout
from support.program import Program, mails, stand_in_for_providers

FEW = ("hostname", "postfix")
UNIT = "mailwizard-packages"
INPUT = "/var/spool/exim4/input"
EXIM = "apt-get -q -y install --no-install-recommends exim4-daemon-light"
# nobody listens at that port
SMARTHOST = """
sed -i "s/^dc_eximconfig_configtype=.*/dc_eximconfig_configtype='smarthost'/
s/^dc_smarthost=.*/dc_smarthost='{}::9'/" /etc/exim4/update-exim4.conf.conf
systemctl restart exim4
"""
MESSAGES = (
    ("Subject: here\n\nhere\n", "alice@example.test", "bob@localhost"),
    ("Subject: both\n folded\n\nboth\n", "alice@example.test", "bob@localhost", "far@foreign.test"),
    ("Subject: far\n\n.far\n\nFrom far\n", "", "far@foreign.test", "it's+x@foreign.test"),
)


@pytest.fixture
def exim(fresh_host: FreshHost, internet: Internet, suite: str) -> Host:
    """A host on which exim4 runs, and the program has never run."""
    key = hashlib.sha256(EXIM.encode()).hexdigest()
    below = launched(suite, internet)
    return named(
        fresh_host(images.layer(below, f"exim-{suite}", key, _exim, internet.network)), internet
    )


def _exim(host: Host) -> None:
    host.run(EXIM, timeout=300)


@pytest.fixture
def bare(fresh_host: FreshHost, internet: Internet, suite: str) -> Host:
    """A host without mail packages, whose name is known."""
    return named(fresh_host(launched(suite, internet)), internet)


def named(host: Host, internet: Internet) -> Host:
    internet.register(host, FQDN, mx=DOMAIN)
    stand_in_for_providers(internet)
    put_checkout(host, more="")
    host.put(answers(host, UNFILTERED), ANSWERS)
    return host


def queue(host: Host, smarthost: str) -> None:
    """Let exim4 have three messages: one for here, one for here and far away, one for far away."""
    host.run(SMARTHOST.format(smarthost))
    for text, sender, *recipients in MESSAGES:
        command = shlex.join(["exim4", "-odq", "-i", "-f", sender, *recipients])
        host.run(f"{command} <<'END'\n{text}END")


def words(text: str) -> str:
    return " ".join(text.split())


def test_a_server_that_postfix_replaces_is_stopped_and_no_mail_of_it_is_lost(
    exim: Host, internet: Internet
) -> None:
    queue(exim, internet.foreign.address)
    program = Program(exim)
    planned = program("plan", "-a", ANSWERS, *FEW)
    # the daemon may have come upon the first when it started
    many = len(exim.run(f"find {INPUT} -name '*-H'").stdout.splitlines())
    assert f"{many} messages wait in the queue of exim4, which Postfix replaces." in planned.stdout
    done = program.apply(*FEW, "aliases", "dovecot", timeout=300)
    said = words(done.stdout)
    assert done.status == 0, done.stdout[-3000:] + done.stderr
    assert f"2 messages wait in {INPUT}, still unsent" in said
    assert exim.run("pgrep -x exim4", check=False).status == 1
    # it is told until somebody has done something
    assert (
        f"warn HOST-LEFT No mail waits in another server's queue It is: 2 messages wait in {INPUT}"
        in said
    )
    assert "mail lies in /var/mail for bob: mail programs do not show it" in said
    handing = re.search(r"`(sh /\S+/exim4\.sh)` hands", said)
    assert handing
    handed = exim.run(handing[1], check=False)
    assert (handed.status, handed.stdout) == (0, f"handed to Postfix: 2, kept in {INPUT}: 0\n"), (
        handed
    )
    both = internet.foreign.wait_for(lambda one: one["Subject"] == "both folded")
    far = internet.foreign.wait_for(lambda one: one["Subject"] == "far")
    assert both.get_payload() == "both\n"
    assert far.get_payload() == ".far\n\nFrom far\n"
    assert "alice.liddell@example.test" in both["Return-Path"], "Postfix rewrites it as its own"
    assert far["Return-Path"] == "<>"
    assert len(mails(exim, "bob")) == 0, "he had it from exim4"
    # the old mailbox, into the one of today
    way = re.search(r"`(runuser -u bob [^`]+)`", said)
    assert way
    exim.run(way[1])
    inbox = "doveadm fetch -u bob hdr.subject mailbox INBOX"
    # the order of the two in the old mailbox is that of exim4's deliveries, made side by side
    assert sorted(re.findall(r"here|both", exim.run(inbox).stdout)) == ["both", "here"]
    exim.run("mv /var/mail/bob /root")
    checked = {one["id"]: one["outcome"] for one in program.check()["checks"]}
    assert (checked["HOST-LEFT"], checked["HOST-MBOX"]) == ("pass", "pass")


NULLMAILER = """
export DEBIAN_FRONTEND=noninteractive
apt-get -q -y install --no-install-recommends nullmailer
printf 'Subject: waits\\n\\nwaits\\n' | sendmail -f alice@example.test far@foreign.test
"""


def test_a_server_whose_mail_nobody_else_can_send_stays(bare: Host) -> None:
    bare.run(NULLMAILER, timeout=120)
    done = Program(bare).apply(*FEW, timeout=300)
    assert done.status == 1
    queue = "1 message waits in the queue of nullmailer (/var/spool/nullmailer/queue)"
    assert f"{queue} and cannot be sent now" in words(done.stdout)
    assert len(bare.run("find /var/spool/nullmailer/queue -type f").stdout.splitlines()) == 1
    assert bare.run("dpkg-query -W -f '${Status}' nullmailer").stdout == "install ok installed"
    assert not bare.exists("/usr/sbin/postfix")


UNPACKING = """
export DEBIAN_FRONTEND=noninteractive
apt-get -q -y install --no-install-recommends dovecot-imapd
sed -i '/^Package: dovecot-core$/,/^$/s/^Status: .*/Status: install reinstreq half-installed/
/^Package: dovecot-imapd$/,/^$/{s/^Status: .*/Status: install ok unpacked/}' /var/lib/dpkg/status
systemctl stop dovecot.socket dovecot
: >/usr/sbin/dovecot
"""


def test_a_package_that_was_cut_in_unpacking_is_brought_again(bare: Host) -> None:
    bare.run(UNPACKING, timeout=120)
    assert "must be reinstalled" in words(bare.run("dpkg --audit").stdout)
    done = Program(bare).apply(*FEW, timeout=300)
    assert done.status == 0, done.stdout[-3000:] + done.stderr
    assert bare.run("dpkg --audit").stdout == ""
    assert bare.run("dpkg --verify dovecot-core", check=False).stdout == ""


# the journal is sealed: only the program itself can write in it
CUT = """
from mailwizard import platform
from mailwizard.journal import Journal

journal = Journal("/var/lib/mailwizard/journal.db", platform.machine_id())
journal._write("UPDATE entries SET state = 'intent', after = NULL WHERE step = 'packages'")
"""
# an end that takes three seconds, and that systemd keeps as a failure
STOPPING = f"""
systemd-run -q --unit={UNIT} -p TimeoutStopSec=3 sh -c 'trap "" TERM; while :; do sleep 1; done'
sleep 0.3
systemctl stop --no-block {UNIT}
"""


def test_a_unit_that_is_still_ending_is_waited_for_and_a_cut_run_is_verified(bare: Host) -> None:
    bare.run(STOPPING)
    assert bare.run(f"systemctl is-active {UNIT}", check=False).stdout == "deactivating\n"
    program = Program(bare)
    done = program.apply(*FEW, timeout=300)
    assert done.status == 0, done.stdout[-3000:] + done.stderr
    # what a power cut leaves of a file that was never synced, and of the journal
    bare.run(f": >/usr/sbin/postmap; {PYTHON} - <<'END'\n{CUT}END")
    done = program.apply(*FEW, timeout=300)
    assert done.status == 0, done.stdout[-3000:] + done.stderr
    assert bare.run("dpkg --verify postfix", check=False).stdout == ""
    bare.run("test -s /usr/sbin/postmap")
