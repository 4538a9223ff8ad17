"""Mail in the queue of a server that Postfix replaces, and what may stop while packages go."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from support.recorded import RecordedHost, RecordedLook

from mailwizard import leftovers, probes
from mailwizard.leftovers import MailWaits, handing_over, sent, stopped, told, waiting
from mailwizard.model import Completed, Outcome
from mailwizard.platform.apt import Apt
from mailwizard.platform.debian import TRIXIE
from mailwizard.transaction import mail_left

EXIM, SENDMAIL = leftovers.SERVERS[:2]


def queued(*counts: tuple[leftovers.OldServer, int], here: bool = True) -> RecordedHost:
    """A host on which so many messages wait, and cannot be sent."""
    host = RecordedHost()
    for server, many in counts:
        host.folders.add(server.folder)
        find = f"find {server.folder} -type f -name"
        pattern = server.pattern if server.pattern.isalnum() else f"'{server.pattern}'"
        host.answers[f"{find} {pattern}"] = Completed((), 0, f"{server.folder}/x\n" * many)
        if here:
            host.answers[server.program] = Completed((), 0)
    return host


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leftovers, "PATIENCE", 0.0)


def test_what_waits_is_told_before_it_is_touched() -> None:
    assert waiting(RecordedLook()) == []
    host = queued((EXIM, 2), (SENDMAIL, 1))
    first, second = told(host)
    assert first.startswith("2 messages wait in the queue of exim4, which Postfix replaces.")
    assert first.endswith(f"stays in {EXIM.folder}, and can be handed to Postfix later.")
    assert second.startswith("1 message waits in the queue of sendmail,")
    assert second.endswith("if it cannot send them all it stays, and nothing is installed.")
    assert mail_left(host, ["dovecot-imapd"]) == []
    assert mail_left(host, [*TRIXIE.packages("postfix")]) == [first, second]
    assert told(queued((EXIM, 2), here=False)) == []


def test_what_cannot_be_sent_is_named_with_the_way_to_send_it() -> None:
    host = queued((EXIM, 2))
    said = list(sent(host))
    assert host.ran == [("exim4", "-qff")]
    assert said[1].startswith(f"2 messages wait in {EXIM.folder}, still unsent.")
    assert f"`{handing_over(EXIM)}`" in said[1]
    assert Path(handing_over(EXIM).removeprefix("sh ")).is_file()
    gone = queued((EXIM, 2), here=False)
    assert list(sent(gone)) == []
    assert gone.ran == []


def test_a_server_whose_mail_nobody_else_can_send_stays() -> None:
    host = queued((SENDMAIL, 3))
    with pytest.raises(MailWaits, match=r"3 messages wait in the queue of sendmail") as refused:
        list(sent(host))
    assert host.ran == [("sendmail-mta", "-q")]
    assert "(`sendmail-mta -q`) or delete them, then try again." in refused.value.hint


def test_what_runs_on_without_its_program_is_stopped() -> None:
    host = RecordedHost()
    for server in (EXIM, SENDMAIL):
        command = f"systemctl is-active {server.name}.service"
        host.answers[command] = Completed((), 0, "active\n")
    host.answers["sendmail-mta"] = host.answers["sendmail-msp"] = Completed((), 0)
    assert list(stopped(host)) == ["exim4.service is stopped: its package is gone"]
    assert host.ran == [("systemctl", "stop", "exim4.service")]


@pytest.mark.parametrize(
    ("script", "asked", "code"),
    [
        ("exim4.prerm remove in-favour postfix", "exim4 stop", 0),
        ("exim4.prerm remove in-favour postfix", "--quiet exim4.service stop", 0),
        ("exim4.postrm remove", "exim4 stop", 0),
        ("exim4.prerm remove in-favour postfix", "exim4 restart", 101),
        ("exim4.prerm upgrade 2", "exim4 stop", 101),
        ("exim4.postinst configure 1", "exim4 stop", 101),
        ("exim4.postinst configure 1", "exim4 start", 101),
    ],
)
def test_a_daemon_may_stop_where_its_package_goes(
    tmp_path: Path, script: str, asked: str, code: int
) -> None:
    policy, name = tmp_path / "policy-rc.d", script.split(maxsplit=1)[0]
    policy.write_text(Apt().no_start["/usr/sbin/policy-rc.d"][0])
    policy.chmod(0o755)
    # as invoke-rc.d stands between the two
    between = tmp_path / "invoke-rc.d"
    between.write_text(f"#!/bin/sh\n{policy} {asked}\nexit $?\n")
    between.chmod(0o755)
    maintainers = tmp_path / name
    maintainers.write_text(f"#!/bin/sh -e\n{between} || exit $?\nexit 0\n")
    maintainers.chmod(0o755)
    ended = subprocess.run([maintainers, *script.split()[1:]], check=False)
    assert ended.returncode == code


@pytest.mark.parametrize(
    ("host", "outcome", "said", "fix"),
    [
        (queued(), Outcome.PASS, "none waits", ""),
        (queued((EXIM, 1)), Outcome.WARN, "queue of exim4", "By hand, now: `exim4 -qff`."),
        (queued((EXIM, 1), here=False), Outcome.WARN, "send it, is gone", "exim4.sh` hands it to"),
        (queued((SENDMAIL, 2), here=False), Outcome.WARN, "send them, is gone", "copy the folder"),
    ],
)
def test_the_check_of_the_old_queue(
    host: RecordedHost, outcome: Outcome, said: str, fix: str
) -> None:
    result = probes.QueueLeft().ask(host)
    assert (result.outcome, said in result.said, fix in result.fix) == (outcome, True, True)


@pytest.mark.parametrize(
    ("out", "code", "outcome", "word"),
    [
        ("", 0, Outcome.PASS, "none"),
        ("nobody-here\n", 0, Outcome.PASS, "none"),
        ("alice\nnobody-here\n", 0, Outcome.WARN, "for alice: mail programs do not show it"),
        ("", 1, Outcome.UNKNOWN, "could not be looked through"),
    ],
)
def test_the_check_of_old_mailboxes(out: str, code: int, outcome: Outcome, word: str) -> None:
    host = RecordedHost()
    assert probes.OldMailboxes().ask(host).outcome is Outcome.PASS
    host.folders.add("/var/mail")
    find = r"find /var/mail/ -maxdepth 1 -type f -size +0 -printf '%f\n'"
    host.answers[find] = Completed((), code, out)
    host.answers["getent passwd alice"] = Completed(
        (), 0, "alice:x:1000:1000::/home/alice:/bin/sh\n"
    )
    result = probes.OldMailboxes().ask(host)
    assert result.outcome is outcome
    assert word in result.said
    assert ("`runuser -u alice -- python3 -c " in result.fix) is (outcome is Outcome.WARN)
