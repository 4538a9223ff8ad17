"""Faults of the alias table and of rewritten senders."""

from support.faults.fault import Fault

SHORT = {"wait": 2.0}

FAULTS = (
    Fault(
        "the system's own accounts are written to, as Postfix has it by itself",
        {
            "SMTP-35": r"fail: mail for \S+, .* and \d+ more is accepted, and nobody reads it",
            "SMTP-10": "pass",
        },
        "main 'local_recipient_maps=proxy:unix:passwd.byname $alias_maps'",
    ),
    Fault(
        "nobody is unknown",
        {"SMTP-35": "fail: is accepted, and nobody reads it", "SMTP-10": "fail: is accepted"},
        "main local_recipient_maps=",
    ),
    Fault(
        "the table of people cannot be read",
        {"SMTP-35": "unknown: people.regexp"},
        "rm /etc/postfix/people.regexp; settled",
    ),
    Fault(
        "no alias for postmaster",
        {
            "OUT-07": "fail: postmaster ends nowhere",
            # local(8) takes the mail and discards it: "required alias not found"
            "SMTP-11": "pass",
            "DELIVERY-ALIAS:postmaster": "fail: did not reach alice within 2 s",
            "DELIVERY-ALIAS:root": "pass",
        },
        "no_alias postmaster",
        options=SHORT,
    ),
    Fault(
        "no alias for abuse",
        {
            "OUT-07": "fail: abuse ends nowhere",
            "SMTP-11": "fail: <abuse@example.test>: 550",
            "DELIVERY-ALIAS:abuse": "fail: is refused: 550",
        },
        "no_alias abuse",
    ),
    Fault(
        "a loop of aliases",
        {"OUT-07": "fail: goes round in circles"},
        "alias_lines 'root: postmaster' 'postmaster: root'",
    ),
    Fault(
        "an alias to nobody",
        {"OUT-07": "fail: webmaster -> nobody-here ends nowhere"},
        "alias_lines 'webmaster: nobody-here'",
    ),
    Fault(
        "root's mail stays with root",
        {"OUT-07": "warn: ends in the mailbox of a system account"},
        "no_alias root",
    ),
    Fault(
        "root's mail leaves this host",
        {"OUT-07": "warn: leaves this host"},
        "alias_lines 'root: someone@other.test'",
    ),
    Fault(
        "no alias table at all",
        {"OUT-07": "unknown: alias_maps names no table", "SMTP-11": "fail"},
        "main alias_maps=",
    ),
    Fault(
        "other people get the mail of root, postmaster and abuse",
        {
            "DELIVERY-ALIAS:root": "fail: did not reach alice within 2 s",
            "DELIVERY-ALIAS:postmaster": "fail: did not reach alice within 2 s",
            "DELIVERY-ALIAS:abuse": "fail: did not reach alice within 2 s",
            "OUT-07": "pass",
        },
        "alias_lines 'root: bob'",
        options=SHORT,
    ),
    Fault(
        "one of a list is left out",
        {
            "DELIVERY-LIST:sales": "fail: did not reach bob within 2 s",
            "OUT-07": "fail: sales leads to alice, and not to bob",
        },
        "alias_lines 'sales: alice'",
        options=SHORT,
    ),
    Fault(
        "the list is unknown: its table was not compiled",
        {"DELIVERY-LIST:sales": "fail: is refused: 550", "OUT-07": "fail: sales ends nowhere"},
        "cp -p /etc/aliases /root/aliases; no_alias sales; cp -p /root/aliases /etc/aliases",
    ),
    Fault(
        "no table of senders",
        {
            "SENDER:alice": "fail: the envelope sender is .*<alice@example.test>",
            "SENDER-MAPS": "fail: alice is not there, and not alice.liddell@example.test",
        },
        "main sender_canonical_maps=",
    ),
    Fault(
        "the table has another address for a sender",
        {"SENDER-MAPS": "fail: alice is alice.other@example.test, and not alice.liddell"},
        "sed -i s/liddell/other/ /etc/postfix/sender_canonical; "
        'postmap "$(postconf -xh sender_canonical_maps)"; settled',
    ),
    Fault(
        "senders are rewritten in the header alone",
        {"SENDER:alice": "fail: the envelope sender"},
        "main sender_canonical_classes=header_sender",
    ),
    Fault(
        "senders are rewritten in the envelope alone",
        {"SENDER:alice": "fail: the header sender"},
        "main sender_canonical_classes=envelope_sender",
    ),
    Fault(
        "the login may not send at all",
        {"SENDER:alice": "unknown: could not send as alice"},
        "main authorized_submit_users=root",
    ),
)
