"""The HOWTO's steps; their order stands here, once."""

from mailwizard.model import Step
from mailwizard.steps import (
    aliases,
    certificates,
    dovecot,
    hostname,
    postfix,
    protection,
    relay,
    submission,
)

STEPS: tuple[Step, ...] = (
    hostname.STEP,
    postfix.STEP,
    aliases.STEP,
    dovecot.STEP,
    certificates.STEP,
    submission.STEP,
    relay.STEP,
    protection.STEP,
)
