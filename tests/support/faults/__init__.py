"""Every probe shown able to fail: what is broken on a sound host, and what must then be said."""

from support.faults.aliases import FAULTS as ALIASES
from support.faults.bench import Bench, bench, outcomes
from support.faults.conversation import FAULTS as CONVERSATION
from support.faults.fault import Fault
from support.faults.hostname import FAULTS as HOSTNAME
from support.faults.names import FAULTS as NAMES
from support.faults.postfix import FAULTS as POSTFIX

__all__ = ["FAULTS", "Bench", "Fault", "bench", "outcomes"]

FAULTS: tuple[Fault, ...] = (*HOSTNAME, *NAMES, *POSTFIX, *CONVERSATION, *ALIASES)
