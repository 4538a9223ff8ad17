# The words in which faults are written; every one begins with a sound host and ends with it.
set -e

KEPT='/etc/postfix /etc/aliases* /etc/hosts /etc/resolv.conf /var/lib/mailwizard/answers.toml'

# What is put back after a fault, with its times: a table is not stale for having been restored.
keep() {
    # shellcheck disable=SC2086 # a list of patterns
    tar -C / -cpf /root/sound.tar $KEPT 2>/dev/null
}

# restored: the files are as they were kept.
restored() {
    rm -rf /etc/postfix /etc/aliases*
    tar -C / -xpf /root/sound.tar
}

# settled: Postfix has read its files; it would wait for those that changed just now.
settled() {
    touch -d '10 seconds ago' /etc/postfix/main.cf /etc/postfix/master.cf
    postfix reload 2>/dev/null
    sleep 0.3
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

greets() {
    for _ in $(seq 50); do
        ss -Hltn 'sport = :25' | grep -q . && return
        sleep 0.1
    done
    return 1
}

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
    for _ in $(seq 50); do
        ss -Hltn "sport = :$2" | grep -q . && return
        sleep 0.1
    done
    return 1
}
no_listeners() {
    while read -r pid; do kill "$pid" || true; done </root/listeners
    rm /root/listeners
}

# small_disk PATH FREE_MIB: a disk of 40 MiB there with that much free.
small_disk() {
    mount -t tmpfs -o size=40m none "$1"
    head -c "$((40 - $2))M" /dev/zero >"$1/filling"
}
