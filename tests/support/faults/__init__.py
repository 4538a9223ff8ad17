"""Every probe shown able to fail: what is broken on a sound host, and what must then be said."""

from support.faults.aliases import FAULTS as ALIASES
from support.faults.authentication import FAULTS as AUTHENTICATION
from support.faults.bench import Bench, bench, outcomes
from support.faults.certificates import FAULTS as CERTIFICATES
from support.faults.conversation import FAULTS as CONVERSATION
from support.faults.curves import FAULTS as CURVES
from support.faults.dovecot import FAULTS as DOVECOT
from support.faults.fault import Fault
from support.faults.filtering import FAULTS as FILTERING
from support.faults.held import FAULTS as HELD
from support.faults.hostname import FAULTS as HOSTNAME
from support.faults.keys import FAULTS as KEYS
from support.faults.libraries import FAULTS as LIBRARIES
from support.faults.names import FAULTS as NAMES
from support.faults.postfix import FAULTS as POSTFIX
from support.faults.protection import FAULTS as PROTECTION
from support.faults.submission import FAULTS as SUBMISSION

__all__ = ["FAULTS", "Bench", "Fault", "bench", "outcomes"]

FAULTS: tuple[Fault, ...] = (
    *(*HOSTNAME, *NAMES, *POSTFIX, *CONVERSATION, *ALIASES, *HELD),
    *(*DOVECOT, *CERTIFICATES, *CURVES),
    *(*SUBMISSION, *PROTECTION, *FILTERING, *AUTHENTICATION, *LIBRARIES, *KEYS),
)
