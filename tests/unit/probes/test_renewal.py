"""The rehearsal of a renewal: what stops one for good fails, an authority that is away does not."""

from __future__ import annotations

import shlex
from collections.abc import Callable

import pytest
from support.recorded import RecordedHost, Written
from support.verdicts import FAIL, PASS, UNKNOWN, WARN, checked

from mailwizard import certbot, probes
from mailwizard.model import Completed, Outcome

HOOK, TIMER, DIRECTORY = "/etc/hook", "certbot.timer", "https://acme.example.org/dir"
PROBE = probes.RenewalRehearsed(HOOK, "#!/bin/sh\n", TIMER, DIRECTORY)
REHEARSAL = shlex.join(certbot.rehearsal(DIRECTORY))
SHOW = f"systemctl show -p ActiveState,UnitFileState {TIMER}"
REFUSED = "Domain: mail.example.org\n  Type: connection\n  Detail: connection refused"


@pytest.fixture
def host() -> RecordedHost:
    """Give a host on which everything is in its place."""
    look = RecordedHost(files={HOOK: Written(b"#!/bin/sh\n", 0o755)})
    says(look, SHOW, "ActiveState=active\nUnitFileState=enabled\n")
    says(look, "ss -Hltnp", "")
    says(look, REHEARSAL, "Congratulations, all simulated renewals succeeded\n")
    return look


def says(look: RecordedHost, command: str, out: str, code: int = 0) -> None:
    look.answers[command] = Completed(tuple(shlex.split(command)), code, out)


WEB = 'LISTEN 0 5 *:80 *:* users:(("nginx",pid=7,fd=3))\n'
CASES: dict[str, tuple[Callable[[RecordedHost], object], Outcome, str]] = {
    "all is well": (lambda _: None, PASS, "the rehearsal succeeded"),
    "no hook": (lambda look: look.files.pop(HOOK), FAIL, f"{HOOK} is not there"),
    "a hook that cannot run": (
        lambda look: setattr(look.files[HOOK], "mode", 0o644),
        FAIL,
        "is not executable",
    ),
    "a hook by hand": (
        lambda look: setattr(look.files[HOOK], "data", b"#!/bin/sh\ntrue\n"),
        WARN,
        "was edited by hand",
    ),
    "a timer that is off": (
        lambda look: says(look, SHOW, "ActiveState=inactive\nUnitFileState=disabled\n"),
        FAIL,
        f"nothing starts the renewal: {TIMER}",
    ),
    "no systemd": (lambda look: look.answers.pop(SHOW), UNKNOWN, "systemd does not answer"),
    "port 80 taken": (lambda look: says(look, "ss -Hltnp", WEB), FAIL, "port 80 is held by nginx"),
    "a name that leads elsewhere": (
        lambda look: says(look, REHEARSAL, REFUSED, 1),
        FAIL,
        "could not reach mail.example.org on port 80",
    ),
    "an authority that is away": (
        lambda look: says(look, REHEARSAL, "Requesting acme/dir: Connection refused", 1),
        UNKNOWN,
        "cannot be reached",
    ),
    "an authority without end": (
        lambda look: says(look, REHEARSAL, "no answer within 110 s", 124),
        UNKNOWN,
        "no answer within",
    ),
    "no certbot": (lambda look: look.answers.pop(REHEARSAL), FAIL, "certbot, which renews it"),
}


@pytest.mark.parametrize("what", CASES)
def test_verdicts(host: RecordedHost, what: str) -> None:
    spoil, outcome, words = CASES[what]
    spoil(host)
    checked(PROBE.ask(host), outcome, words)


def test_a_web_server_is_no_trouble_where_its_folder_is_known(host: RecordedHost) -> None:
    says(host, "ss -Hltnp", WEB)
    probe = probes.RenewalRehearsed(HOOK, "#!/bin/sh\n", TIMER, DIRECTORY, "/srv/web")
    assert probe.ask(host).outcome is PASS


@pytest.mark.parametrize(
    "case", ["all is well", "no hook", "a hook that cannot run", "a hook by hand"]
)
def test_renewals_of_somebody_else_s_are_followed_by_the_same_hook(
    host: RecordedHost, case: str
) -> None:
    break_it, outcome, said = CASES[case]
    break_it(host)
    result = probes.RenewalFollowed(HOOK, "#!/bin/sh\n").ask(host)
    assert result.outcome is outcome
    assert said in result.said or outcome is PASS
