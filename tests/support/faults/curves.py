"""Faults of the curves on which keys are agreed upon."""

from support.faults.fault import Fault

DROP_IN = "/etc/dovecot/conf.d/99-zz-curves.conf"

FAULTS = (
    Fault(
        "Postfix takes a weak curve",
        {
            "TLS-04:25": "warn: weak curves are taken: P-224",
            "TLS-04:465": "fail: weak curves are taken: P-224",
            "TLS-04:587": "fail: weak curves are taken: P-224",
        },
        "main tls_eecdh_auto_curves=secp224r1",
    ),
    Fault(
        "Dovecot takes a curve that few know",
        {"TLS-04:993": "fail: only P-521, which many clients lack"},
        f"echo 'ssl_curve_list = secp521r1' >{DROP_IN}; reread",
        f"rm {DROP_IN}; reread",
    ),
)
