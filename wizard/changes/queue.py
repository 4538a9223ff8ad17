"""Mail that waits in the queue when its way changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mailwizard.changes import previews
from mailwizard.model import Host, Look, Preview, Subject
from mailwizard.subjects import WaitingMail, requeue


@dataclass(frozen=True, slots=True)
class WaitingMailRerouted:
    """Mail that waits goes the new way, and after an undo the old one.

    A message keeps the filter that it was given when it came: without this it would wait for one
    that is there no more, and be bounced in the end (FILTER_README, postsuper(1)).
    """

    title: str = "send mail that waits the new way"
    follows: str = "<"

    def needed(self, look: Look) -> bool:
        del look
        return False

    def preview(self, look: Look) -> Preview:
        del look
        return previews.commands(["postsuper", "-r", "ALL"])

    def subjects(self, look: Look) -> Sequence[Subject]:
        del look
        return (WaitingMail(),)

    def apply(self, host: Host) -> None:
        requeue(host)

    def shell(self, look: Look) -> str:
        del look
        return '[ "$changed" = 0 ] || postsuper -r ALL'
