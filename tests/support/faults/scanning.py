"""Faults of the scanner and of what the filter keeps; on a host that looks for viruses."""

from __future__ import annotations

from support.faults.fault import Fault

SHORT = {"wait": 4.0}
# the scanner's own unit waits for these (clamav-daemon.service, ConditionPathExistsGlob=)
KEPT = "/var/lib/amavis/virusmails"
GONE = "systemctl stop clamav-daemon.socket clamav-daemon"
# one after the other and from a clean state: asked for together the socket's job failed once
BACK = (
    f"{GONE}; systemctl reset-failed clamav-daemon.socket clamav-daemon; "
    "systemctl start clamav-daemon.socket && systemctl start clamav-daemon; scans"
)

FAULTS = (
    Fault(
        "there are no virus definitions",
        {"CLAMAV": "warn: no virus definitions", "SMTP-27:virus": "warn: marked .*UNCHECKED"},
        f"{GONE}; mv /var/lib/clamav /root/kept-clamav; mkdir /var/lib/clamav",
        f"rmdir /var/lib/clamav; mv /root/kept-clamav /var/lib/clamav; {BACK}",
    ),
    Fault(
        "the scanner is stopped",
        {"CLAMAV": "fail: does not answer", "SMTP-27:virus": "warn: marked .*UNCHECKED"},
        GONE,
        BACK,
    ),
    Fault(
        "the scanner does not know the test virus",
        {"SMTP-27:virus": "fail: reached alice, and nothing in it says"},
        "sed -i s/:58354f21/:00354f21/ /var/lib/clamav/local.ndb; "
        "systemctl restart clamav-daemon; scans",
        "sed -i s/:00354f21/:58354f21/ /var/lib/clamav/local.ndb; "
        "systemctl restart clamav-daemon; scans",
    ),
    Fault(
        "the quarantine takes nothing",
        {"SMTP-27:virus": "fail: not kept in quarantine; it waits in the queue: .*451"},
        f"mv {KEPT} /root/kept && echo >{KEPT}",
        f"rm {KEPT} && mv /root/kept {KEPT}",
        options=SHORT,
    ),
    Fault(
        "every process of the filter is busy",
        {"FILTER": "warn: does not greet", "SMTP-28": "unknown: still busy with it"},
        "busy 10024 3",
        "no_listeners",
        options=SHORT,
    ),
)
