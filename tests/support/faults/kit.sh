# The words in which faults are written; every one begins with a sound host and ends with it.
set -e

KEPT='/etc/postfix /etc/aliases* /etc/hosts /etc/resolv.conf /var/lib/mailwizard/answers.toml
/etc/dovecot /etc/ssl/mailwizard'

# What is put back after a fault, with its times: a table is not stale for having been restored.
keep() {
    hasty
    settled
    # shellcheck disable=SC2086 # a list of patterns
    tar -C / --ignore-failed-read -cpf /root/sound.tar $KEPT 2>/dev/null
}

# restored: the files are as they were kept.
restored() {
    rm -rf /etc/postfix /etc/aliases* /etc/dovecot /etc/ssl/mailwizard
    tar -C / -xpf /root/sound.tar
}

# settled: Postfix has read its files; it would wait for those that changed just now.
settled() {
    touch -d '10 seconds ago' /etc/postfix/main.cf /etc/postfix/master.cf
    before=$(waiting)
    kill -HUP "$(cat /var/spool/postfix/pid/master.pid)"
    outlast waiting
    # the master begins another one when it has read all of them
    for _ in $(seq 20); do
        pgrep -x qmgr >/dev/null && break
        sleep 0.05
    done
}
# The queue manager, which goes as soon as the master reads, and every smtpd: one that waits for a
# client would greet one more by the old rules.
waiting() { pgrep -x 'qmgr|smtpd' | sort; }

# outlast LIST: until none of those before is in the list; who has a client ends with him.
outlast() {
    for _ in $(seq 100); do
        comm -12 <(echo "$before") <("$1") | grep -q . || return 0
        sleep 0.05
    done
}

sound() { restored; settled; }

# restarted: for what a reload does not change.
restarted() {
    touch -d '10 seconds ago' /etc/postfix/main.cf /etc/postfix/master.cf
    systemctl restart postfix
    greets
}

# stopped: Debian 12's unit returns while the instance that it stops still runs.
stopped() { systemctl stop postfix 'postfix@*'; }

sound_again() { restored; restarted; }

listens() {
    for _ in $(seq 50); do
        ss -Hltn "sport = :$1" | grep -q . && return
        sleep 0.1
    done
    return 1
}
greets() { listens 25; }

# main NAME=VALUE...: parameters of main.cf, by hand.
main() { postconf -e "$@"; settled; }

# service NAME=VALUE...: options in master.cf.
service() { postconf -P "$@"; settled; }

# alias_lines LINE...: instead of the lines of the same names in the alias table.
alias_lines() {
    for line; do
        sed -i "/^${line%%:*}:/d" /etc/aliases
        printf '%s\n' "$line" >>/etc/aliases
    done
    newaliases
    settled # else an idle smtpd answers once more from the table that it knows
}

# no_alias NAME: the name is in no table.
no_alias() { sed -i "/^$1:/d" /etc/aliases; newaliases; settled; }

# hasty: nobody waits after a wrong password, and Postfix not for a minute after an smtpd that died
# at birth, since it met a folder that was just being put back; nothing but time changes by it.
hasty() {
    postconf -e service_throttle_time=1s
    sed -i 's/pam_unix.so nullok$/& nodelay/' /etc/pam.d/common-auth
    echo 'auth_failure_delay = 0' >/etc/dovecot/conf.d/98-hasty.conf
    reread
}

# patient: as it was before.
patient() {
    postconf -X service_throttle_time
    sed -i 's/\(pam_unix.so nullok\) nodelay$/\1/' /etc/pam.d/common-auth
    rm /etc/dovecot/conf.d/98-hasty.conf
    reread
}

# reread: Dovecot has read its files, and those that know the old ones are gone (but an auth that
# a waiting smtpd holds on to: it takes nobody else).
reread() {
    before=$(children)
    systemctl reload dovecot
    outlast children
}
# Every child of Dovecot's master, but the one that lives as long as it.
children() {
    ps --ppid "$(cat /run/dovecot/master.pid)" -o pid=,comm= |
        awk '$2 != "anvil" { print $1 }' | sort
}

dovecot_sound() { restored; reread; }
both_sound() { restored; reread; settled; }

# dove SETTINGS [SETTINGS_OF_2_3]: Dovecot's settings by hand, after all others.
dove() { unread_dove "$@"; reread; }
unread_dove() {
    case $(dovecot --version) in 2.3*) set -- "${2:-$1}" ;; esac
    printf '%s\n' "$1" >/etc/dovecot/conf.d/99-z-fault.conf
}

# leaf: another certificate of this host's authority is on the disk. In what it differs from a
# sound one is said before the word: key=, names=, usage=, from=, until=, digest=, authority=.
leaf() {
    tls=/etc/ssl/mailwizard work=/root/leaf
    mkdir -p $work && : >$work/index
    cat >$work/ca.cnf <<END
[ca]
default_ca = here
[here]
database = $work/index
new_certs_dir = $work
rand_serial = yes
policy = subject
x509_extensions = leaf
[subject]
commonName = supplied
[leaf]
basicConstraints = critical,CA:FALSE
${names-subjectAltName = DNS:mail.example.test}
${usage-extendedKeyUsage = serverAuth}
END
    # shellcheck disable=SC2086 # several words
    openssl genpkey -algorithm ${key-EC -pkeyopt ec_paramgen_curve:P-256} -out $work/key 2>/dev/null
    openssl req -new -key $work/key -subj /CN=mail.example.test -out $work/csr
    openssl ca -batch -notext -config $work/ca.cnf -md "${digest-sha256}" -in $work/csr \
        -cert "${authority-$tls/ca}.pem" -keyfile "${authority-$tls/ca}.key" -out $work/pem \
        -startdate "$(date -u -d "${from-yesterday}" +%Y%m%d%H%M%SZ)" \
        -enddate "$(date -u -d "${until-820 days}" +%Y%m%d%H%M%SZ)" 2>/dev/null
    cat $work/pem $tls/ca.pem >$tls/fullchain.pem
    cat $work/key >$tls/mail.key
}

# played PORT <TALK: a fake server there, for what a real one cannot be made to do. TALK is Python,
# `def talk(it)` for each connection, with it.say(line), it.hear() and it.secure().
played() {
    {
        cat <<'END'
import socket, ssl, sys, threading
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/etc/ssl/mailwizard/fullchain.pem", "/etc/ssl/mailwizard/mail.key")
class It:
    def __init__(self, sock):
        self.sock, self.left = sock, b""
    def say(self, line):
        self.sock.sendall(line.encode() + b"\r\n")
    def hear(self):
        while b"\n" not in self.left:
            data = self.sock.recv(4096)
            if not data:
                raise OSError
            self.left += data
        line, _, self.left = self.left.partition(b"\n")
        return line.decode().strip()
    def secure(self):
        # what was read before is kept: the mistake of CVE-2011-0411
        self.sock = context.wrap_socket(self.sock, server_side=True)
END
        cat
        cat <<'END'
def serve(it):
    try:
        talk(it)
    except OSError:
        pass
    it.sock.close()
server = socket.create_server(("", int(sys.argv[1])))
while True:
    threading.Thread(target=serve, args=(It(server.accept()[0]),), daemon=True).start()
END
    } >/root/played.py
    setsid python3 /root/played.py "$1" </dev/null >/dev/null 2>&1 &
    echo $! >>/root/listeners
    listens "$1"
}

# fake NAME LINE: a program that stands before the real one.
fake() { printf '#!/bin/sh\n%s\n' "$2" >"/usr/local/sbin/$1"; chmod +x "/usr/local/sbin/$1"; }
no_fakes() { rm -f /usr/local/sbin/*; }

# listener ADDRESS PORT [PROGRAM]: somebody else's server, under that name.
listener() {
    cp "$(readlink -f /usr/bin/python3)" "/root/${3:-squatter}"
    setsid "/root/${3:-squatter}" -c "
import socket, time
s = socket.socket(socket.AF_INET6 if ':' in '$1' else socket.AF_INET)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('$1', $2))
s.listen()
time.sleep(600)" </dev/null >/dev/null 2>&1 &
    echo $! >>/root/listeners
    listens "$2"
}
no_listeners() {
    while read -r pid; do kill "$pid" || true; done </root/listeners
    rm /root/listeners
}

# authenticator MECHANISMS [LOGIN=REPLY]...: Postfix asks a fake of Dovecot (authenticator.py).
authenticator() {
    setsid python3 /root/authenticator.py /var/spool/postfix/private/fault-auth "$@" \
        </dev/null >/dev/null 2>&1 &
    echo $! >>/root/listeners
    for _ in $(seq 50); do
        [ -S /var/spool/postfix/private/fault-auth ] && break
        sleep 0.1
    done
    main smtpd_sasl_path=private/fault-auth
}
no_authenticator() { no_listeners; rm /var/spool/postfix/private/fault-auth; sound; }

# forwarder BITS: a resolver on this host that passes everything on; BITS are set in each answer's
# second octet of flags (0x20 is AD: no root of the lab is signed, so that is a fake).
forwarder() {
    server=$(sed -n 's/^nameserver //p' /etc/resolv.conf | head -n 1)
    setsid python3 -c "
import socket
here = socket.socket(type=socket.SOCK_DGRAM)
here.bind(('127.0.0.1', 53))
while True:
    asked, client = here.recvfrom(4096)
    there = socket.socket(type=socket.SOCK_DGRAM)
    there.settimeout(3)
    there.sendto(asked, ('$server', 53))
    answer = bytearray(there.recv(4096))
    answer[3] |= $1
    here.sendto(answer, client)" </dev/null >/dev/null 2>&1 &
    echo $! >>/root/listeners
    for _ in $(seq 50); do
        ss -Hlun 'sport = :53' | grep -q . && break
        sleep 0.1
    done
    echo nameserver 127.0.0.1 >/etc/resolv.conf
}
no_forwarder() { no_listeners; restored; }

# small_disk PATH FREE_MIB: a disk of 40 MiB there with that much free.
small_disk() {
    mount -t tmpfs -o size=40m none "$1"
    head -c "$((40 - $2))M" /dev/zero >"$1/filling"
}

# scans: clamd has read its definitions (its socket takes connections before).
scans() {
    python3 -c "
import socket
with socket.socket(socket.AF_UNIX) as clamd:
    clamd.settimeout(20)
    clamd.connect('/run/clamav/clamd.ctl')
    clamd.sendall(b'zPING\0')
    assert clamd.recv(9).startswith(b'PONG')"
}

# busy PORT COUNT: somebody holds so many connections there, and says nothing.
busy() {
    setsid python3 -c "
import socket, time
held = [socket.create_connection(('127.0.0.1', $1)) for _ in range($2)]
print([one.recv(3) for one in held], flush=True)
time.sleep(600)" </dev/null >/root/busy.out 2>&1 &
    echo $! >>/root/listeners
    for _ in $(seq 100); do
        [ -s /root/busy.out ] && break
        sleep 0.1
    done
}
