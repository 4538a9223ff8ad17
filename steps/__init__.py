"""The HOWTO's steps; their order stands here, once."""

from mailwizard.model import Step
from mailwizard.steps import (
    aliases,
    amavis,
    authentication,
    certificates,
    dovecot,
    firewall,
    hostname,
    opendmarc,
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
    amavis.STEP,
    authentication.STEP,
    opendmarc.STEP,
    firewall.STEP,
)
