"""Faults of the machine: its name, clock, disk, memory, ports and addresses."""

from support.faults.fault import Fault

OWN_LINE = "sed -i '/mail.example.test/d' /etc/hosts"
STATE = "/var/lib/mailwizard/answers.toml"
MEMINFO = """
printf 'MemTotal: 1000000 kB\\nMemAvailable: %s kB\\n' {} >/root/meminfo
mount --bind /root/meminfo /proc/meminfo"""
NO_DOVECOT, DOVECOT = "systemctl stop dovecot", "systemctl start dovecot"
NOT_A_CONTAINER = "fake systemd-detect-virt 'exit 1'"
CLOUD = "fake cloud-init :; mkdir -p /etc/cloud/cloud.cfg.d"
NO_CLOUD = "no_fakes; rm -r /etc/cloud; restored"
HALF = (
    "cp /var/lib/dpkg/status /root/status; sed -i '/^Package: {}$/,/^$/s/^Status: .*/Status: "
    "install ok half-configured/' /var/lib/dpkg/status"
)
WHOLE = "mv /root/status /var/lib/dpkg/status"

FAULTS = (
    Fault(
        "another full name in /etc/hosts",
        {"HOST-01": "fail: calls itself other.example.test"},
        "sed -i 's/mail.example.test/other.example.test/' /etc/hosts",
        "restored",
    ),
    Fault(
        "no full name anywhere",
        {"HOST-01": "fail", "HOST-02": "fail: does not find mail.example.test"},
        f"{OWN_LINE}; echo nameserver 127.0.0.9 >/etc/resolv.conf",
        "restored",
    ),
    Fault(
        "the name of a private network",
        {"HOST-01": "fail: means nothing outside"},
        "sed -i 's/mail.example.test/mail.home/' /etc/hosts",
        "restored",
    ),
    Fault(
        "somebody else's address in /etc/hosts",
        {"HOST-02": "fail: 192.0.2.9 is not this host"},
        f"{OWN_LINE}; echo 192.0.2.9 mail.example.test mail >>/etc/hosts",
        "restored",
    ),
    Fault(
        "only 127.0.1.1 in /etc/hosts, as Debian's installer writes it",
        {"HOST-02": "warn: 127.0.1.1 only"},
        f"{OWN_LINE}; echo 127.0.1.1 mail.example.test mail >>/etc/hosts",
        "restored",
    ),
    Fault(
        "getent is missing",
        {"HOST-02": "unknown: no answer"},
        "fake getent 'exit 127'",
        "no_fakes",
    ),
    Fault(
        "hostname is missing",
        {"HOST-01": "unknown: no answer"},
        "fake hostname 'exit 127'",
        "no_fakes",
    ),
    Fault(
        "an upgrade that stopped half-way",
        {"HOST-PKG": "fail: dovecot-core is here and not ready: an upgrade"},
        HALF.format("dovecot-core"),
        WHOLE,
    ),
    Fault(
        "a package that has nothing to do with mail is half done",
        {"HOST-PKG": "warn: procps is here and not ready"},
        HALF.format("procps"),
        WHOLE,
    ),
    Fault(
        "dpkg-query does not answer",
        {"HOST-PKG": "unknown: ended with code 2"},
        "fake dpkg-query 'exit 2'",
        "no_fakes",
    ),
    Fault(
        "a machine of its own whose clock nobody keeps",
        {"HOST-03": "warn: not synchronised"},
        f"fake timedatectl 'echo NTPSynchronized=no; echo NTP=no'; {NOT_A_CONTAINER}",
        "no_fakes",
    ),
    Fault(
        "(no fault) a machine of its own whose clock is kept",
        {"HOST-03": "pass: synchronised"},
        f"fake timedatectl 'echo NTP=yes; echo NTPSynchronized=yes'; {NOT_A_CONTAINER}",
        "no_fakes",
    ),
    Fault(
        "timedatectl does not answer",
        {"HOST-03": "unknown: no answer"},
        "fake timedatectl 'exit 1'",
        "no_fakes",
    ),
    Fault(
        "the queue's disk is full",
        {"HOST-04": "fail: 10 % .* free on /var/spool/postfix"},
        "small_disk /var/spool/postfix 4",
        "umount /var/spool/postfix",
    ),
    Fault(
        "the disk of the mailboxes is nearly full",
        {"HOST-04": "warn: 20 % .* free on /home"},
        "small_disk /home 8",
        "umount /home",
        options={"message_size": 0},
    ),
    Fault(
        "no room for one and a half messages",
        {"HOST-04": "fail: 50 % .* free on /home"},
        "small_disk /home 20",
        "umount /home",
        options={"message_size": 50 << 20},
    ),
    Fault("df does not answer", {"HOST-04": "unknown: no answer"}, "fake df 'exit 1'", "no_fakes"),
    Fault(
        "5 % of memory left",
        {"HOST-05": "fail: 5 %"},
        MEMINFO.format(50000),
        "umount /proc/meminfo",
    ),
    Fault(
        "15 % of memory left",
        {"HOST-05": "warn: 15 %"},
        MEMINFO.format(150000),
        "umount /proc/meminfo",
    ),
    Fault(
        "less memory than the chosen daemons need",
        {"HOST-05": "warn: 60 %"},
        MEMINFO.format(600000),
        "umount /proc/meminfo",
        options={"needed": 1 << 30},
    ),
    Fault(
        "/proc/meminfo says nothing",
        {"HOST-05": "unknown: says nothing"},
        "mount --bind /dev/null /proc/meminfo",
        "umount /proc/meminfo",
    ),
    Fault(
        "another program on port 143",
        {"HOST-PORTS": "fail: port 143 is held by squatter"},
        f"{NO_DOVECOT}; listener 0.0.0.0 143",
        f"no_listeners; {DOVECOT}",
    ),
    Fault(
        "another program on port 993, over IPv6",
        {"HOST-PORTS": "fail: port 993 is held by squatter"},
        f"{NO_DOVECOT}; listener :: 993",
        f"no_listeners; {DOVECOT}",
    ),
    Fault(
        "another program on port 80",
        {"HOST-PORTS": "warn: port 80 is held by squatter"},
        "listener 0.0.0.0 80",
        "no_listeners",
    ),
    Fault(
        "another program on port 25",
        {"HOST-PORTS": "fail: port 25 is held by squatter", "HOST-11": "fail: held by squatter"},
        "stopped; listener 0.0.0.0 25",
        "no_listeners; systemctl start postfix; greets",
        options={"programs": [[25, ["master", "smtpd"]]]},
    ),
    Fault(
        "Debian's other mailer on port 25, its package gone",
        {"HOST-PORTS": "fail: port 25 is held by exim4"},
        "stopped; listener 0.0.0.0 25 exim4",
        "no_listeners; systemctl start postfix; greets",
    ),
    Fault(
        "mail that exim4 has left behind",
        {"HOST-LEFT": "warn: 1 message waits in /var/spool/exim4/input"},
        "mkdir -p /var/spool/exim4/input; : >/var/spool/exim4/input/1abc-000001-AB-H",
        "rm -r /var/spool/exim4",
    ),
    Fault(
        "ss does not answer",
        {"HOST-PORTS": "unknown: no answer", "HOST-11": "unknown: no answer"},
        "fake ss 'exit 1'",
        "no_fakes",
    ),
    Fault(
        "the public address is the router's",
        {"HOST-NAT": "warn: 198.51.100.5 is not on this host"},
        f"""sed -i 's/^address = .*/address = "198.51.100.5"/' {STATE}""",
        "restored",
    ),
    Fault(
        "ip does not answer",
        {"HOST-NAT": "unknown: no address"},
        "fake ip 'exit 1'",
        "no_fakes",
    ),
    Fault(
        "cloud-init writes /etc/hosts",
        {"HOST-CLOUD": "warn: rewrites /etc/hosts"},
        f"{CLOUD}; printf 'manage_etc_hosts: true\\npreserve_hostname: true\\n' "
        ">/etc/cloud/cloud.cfg.d/10-provider.cfg",
        NO_CLOUD,
    ),
    Fault(
        "cloud-init sets the host name",
        {"HOST-CLOUD": "warn: may set the host name"},
        f"{CLOUD}; echo 'preserve_hostname: false' >/etc/cloud/cloud.cfg",
        NO_CLOUD,
    ),
    Fault(
        "cloud-init wrote /etc/hosts by user data",
        {"HOST-CLOUD": "warn: rewrites /etc/hosts"},
        f"{CLOUD}; echo 'preserve_hostname: true' >/etc/cloud/cloud.cfg; "
        "echo '# Your system has configured manage_etc_hosts as True.' >>/etc/hosts",
        NO_CLOUD,
    ),
    Fault(
        "(no fault) cloud-init leaves both alone",
        {"HOST-CLOUD": "pass: leaves name"},
        f"{CLOUD}; printf 'manage_etc_hosts: false\\npreserve_hostname: true\\n' "
        ">/etc/cloud/cloud.cfg.d/99-mailwizard.cfg",
        NO_CLOUD,
    ),
)
