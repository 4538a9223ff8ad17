"""The HOWTO's steps; their order stands here, once."""

from mailwizard.model import Step
from mailwizard.steps import aliases, hostname, postfix

STEPS: tuple[Step, ...] = (hostname.STEP, postfix.STEP, aliases.STEP)
