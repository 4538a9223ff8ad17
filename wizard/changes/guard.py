"""A firewall that locks its own administrator out opens again by itself.

A timer of systemd's brings the old rules back unless they are confirmed in time: it fires also when
this program is killed, and a reboot knows only what was confirmed. The confirmation is a new
connection through the new rules.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence

from mailwizard.errors import ProofFailed, WizardError
from mailwizard.model import Host, Look, Outcome, Probe

UNIT = "mailwizard-firewall-revert"
FOLDER = "/run/mailwizard/firewall"
SCRIPT = f"{FOLDER}/revert"
SECONDS = 60
_BACK = "The rules are as they were before. "


def arming() -> list[str]:
    """The command that starts the clock."""
    return [
        *("systemd-run", "--quiet", "--collect", f"--unit={UNIT}", f"--on-active={SECONDS}"),
        *("--timer-property=AccuracySec=1s", "/bin/sh", SCRIPT),
    ]


def guarded(
    host: Host,
    revert: str,
    files: Mapping[str, bytes],
    enforce: Callable[[], None],
    confirm: Sequence[Probe],
) -> None:
    """Enforce new rules, and have them confirmed; else the old ones are back (ProofFailed).

    revert: sh that brings the old rules back; it finds `files` in its working directory.
    """
    settle(host)
    host.make_dir(FOLDER, 0o700)
    for name, data in files.items():
        host.write(f"{FOLDER}/{name}", data, mode=0o600)
    text = f"cd {shlex.quote(FOLDER)} || exit 0\n{revert}\nrm -rf {shlex.quote(FOLDER)}\n"
    host.write(SCRIPT, text.encode(), mode=0o600)
    host.run(arming())
    try:
        enforce()
        _confirm(host, confirm)
    except WizardError as failed:
        settle(host)
        tail = getattr(failed, "tail", ())
        raise ProofFailed(failed.message, tail, hint=_BACK + failed.hint) from failed
    except BaseException:
        # stopped by a signal: not confirmed
        settle(host)
        raise
    _disarm(host)


def settle(host: Host) -> None:
    """Rules that nobody confirmed, of this run or a killed one, give way at once."""
    # one that is just going back is cut short, and does it all once more
    host.run(["systemctl", "stop", f"{UNIT}.timer", f"{UNIT}.service"], ok=range(256))
    if host.state(SCRIPT).kind == "file":
        host.run(["/bin/sh", SCRIPT])


def _confirm(host: Host, confirm: Sequence[Probe]) -> None:
    for probe in confirm:
        result = probe.ask(host)
        if result.outcome is not Outcome.PASS:
            raise ProofFailed(
                f"the new rules of the firewall are not confirmed: {result.said}",
                result.transcript,
                hint=result.fix,
            )


def _disarm(host: Host) -> None:
    # systemd knows no timer any more that has gone off
    host.run(["systemctl", "stop", f"{UNIT}.timer"], ok=range(256))
    ended = host.state(SCRIPT).kind == "absent" or _fires(host)
    if ended:
        raise ProofFailed(
            f"the confirmation took longer than {SECONDS} s",
            hint=f"{_BACK}See: journalctl -u {UNIT}",
        )
    for name in host.list(FOLDER):
        host.remove(f"{FOLDER}/{name}")
    host.remove(FOLDER)


def _fires(look: Look) -> bool:
    asked = look.ask(["systemctl", "is-active", f"{UNIT}.service"])
    return asked.out.strip() in ("active", "activating", "deactivating")


def going_back(commands: Sequence[Sequence[str]]) -> str:
    """Commands as lines of the script that brings the old rules back."""
    return "\n".join(map(shlex.join, commands))
