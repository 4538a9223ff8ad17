"""The lab's network: a namespace for each process that runs hosts, the same inside for all."""

import atexit
import ipaddress
import itertools
import threading
from pathlib import Path

from lab import namespace, shell
from lab.errors import LabError
from lab.place import Slot, others_running, require
from lab.reaper import Reaper

# What the build machine is set to while a network is there. Each machine's systemd watches files:
# where dozens run, the usual 128 for a user are soon used up, and services fail to start.
FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
SETTINGS = {FORWARD: 1, Path("/proc/sys/fs/inotify/max_user_instances"): 4096}
BRIDGE, UPLINK = "lab", "uplink"
NET4 = ipaddress.IPv4Network("198.18.0.0/20")
NET6 = ipaddress.IPv6Network("fd00:6d77::/64")
# each process's way out, by its place: the far end of each is on the build machine
UPLINKS = list(ipaddress.IPv4Network("198.19.255.0/24").subnets(new_prefix=30))
APPLIED = 257  # below are the gateway and the hosts of the small internet
FIRST_HOST = 258
CARD = "02:6d:77:00"
INSIDE = f"""
table inet lab {{
    chain forward {{
        type filter hook forward priority -10; policy accept;
        iifname "{BRIDGE}" ip daddr 198.18.0.0/15 oifname != "{BRIDGE}" drop
        iifname "{BRIDGE}" oifname != "{BRIDGE}" tcp dport {{ 25, 465, 587 }} reject
    }}
    chain refuse {{
        type filter hook prerouting priority -10; policy accept;
        iifname "{BRIDGE}" ip6 daddr 2000::/3 reject with icmpv6 no-route
    }}
    chain outside {{
        type nat hook postrouting priority 100; policy accept;
        oifname "{UPLINK}" masquerade
    }}
}}
"""
OUTSIDE = """
table inet {name} {{
    chain outside {{
        type nat hook postrouting priority 100; policy accept;
        ip saddr {inner} oifname != "{name}" masquerade
    }}
}}
"""
WAY_OUT = """\
link add {name} type veth peer name {uplink} netns {name}
addr add {outer}/30 dev {name}
link set {name} up
"""
WITHIN = """\
link set lo up
addr add {inner}/30 dev {uplink}
link set {uplink} up
route add default via {outer}
link add {bridge} address {card}:00:01 type bridge
"""


class Network:
    """The network that this process lives in, with a way out to package mirrors.

    Closing it removes all that hangs on it, and takes the process back.
    """

    net4, net6 = NET4, NET6

    def __init__(self) -> None:
        require()
        if namespace.entered() or threading.current_thread() is not threading.main_thread():
            raise LabError("a process has one network of the lab, which its main thread opens")
        self.slot = Slot.take()
        self.name_servers: list[str] = []
        self._taken: set[int] = set()
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._open = True
        self._settings = {path: path.read_text() for path in SETTINGS}
        self._reaper = Reaper(self.slot)
        atexit.register(self.close)
        self.folder = self.slot.folder
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def _start(self) -> None:
        memory = self.folder / "memory"
        memory.mkdir()
        shell.run(
            ["mount", "-t", "tmpfs", "-o", "size=60%,mode=755", "mailwizard-lab", str(memory)]
        )
        for path, least in SETTINGS.items():
            if int(self._settings[path]) < least:
                path.write_text(str(least))
        self._lay_uplink()
        namespace.enter(self.slot.network)
        FORWARD.write_text("1")
        Path("/proc/sys/net/ipv6/conf", BRIDGE, "accept_dad").write_text("0")
        shell.run(["ip", "link", "set", BRIDGE, "up"])
        self.add_address(1)
        shell.run(["nft", "-f", "-"], stdin=INSIDE)

    def _lay_uplink(self) -> None:
        name = self.slot.network
        outer, inner = list(UPLINKS[self.slot.number].hosts())
        words = {"name": name, "uplink": UPLINK, "bridge": BRIDGE, "card": CARD}
        words |= {"outer": str(outer), "inner": str(inner)}
        # the first thing made and the last one swept: while it is there, something may be
        shell.run(["ip", "netns", "add", name])
        shell.run(["ip", "-batch", "-"], stdin=WAY_OUT.format(**words))
        shell.run(["ip", "-n", name, "-batch", "-"], stdin=WITHIN.format(**words))
        shell.run(["nft", "-f", "-"], stdin=OUTSIDE.format(name=name, inner=inner))

    def add_address(self, offset: int) -> tuple[str, str]:
        """Give this process itself one more address in the lab, for a scripted peer."""
        addresses = self.address(offset), self.address6(offset)
        for address, length in zip(addresses, (self.net4.prefixlen, 64), strict=True):
            argv = ["ip", "addr", "add", f"{address}/{length}", "dev", BRIDGE]
            shell.run([*argv, *(["nodad"] if ":" in address else [])])
        return addresses

    def address(self, offset: int) -> str:
        """Give the IPv4 address of a place in the subnet."""
        return str(self.net4[offset])

    def address6(self, offset: int) -> str:
        """Give the IPv6 address of a place in the subnet."""
        return str(self.net6[offset])

    @property
    def gateway(self) -> str:
        """Give the address that this process has in the lab, which leads out of it."""
        return self.address(1)

    def take(self, wanted: int | None = None) -> int:
        """Reserve a place in the subnet, the wanted one when it is free."""
        with self._lock:
            if wanted is not None and wanted not in self._taken:
                self._taken.add(wanted)
                return wanted
            free = (n for n in range(FIRST_HOST, 4000) if n not in self._taken)
            offset = next(free)
            self._taken.add(offset)
            return offset

    def give_back(self, offset: int) -> None:
        """Free a place in the subnet."""
        with self._lock:
            self._taken.discard(offset)

    def next_name(self) -> str:
        """Give a name for a machine, its namespace and its interface that is not used twice."""
        return f"{self.slot.prefix}{next(self._numbers)}"

    def plug(self, name: str, offsets: list[int]) -> None:
        """Make a namespace whose eth0 hangs on the bridge and has its addresses from the start."""
        gateways = self.gateway, self.address6(1)
        shell.run(["ip", "netns", "add", name])
        settings = "net.ipv6.conf.all.accept_dad net.ipv6.conf.default.accept_dad"
        settings += " net.ipv6.conf.all.accept_ra net.ipv6.conf.default.accept_ra"
        shell.run(
            ["nsenter", f"--net=/run/netns/{name}", "sysctl", "-q"]
            + [f"{setting}=0" for setting in settings.split()]
        )
        veth = ["ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name]
        shell.run(veth)
        shell.run(["ip", "link", "set", name, "master", BRIDGE, "up"])
        # Neighbours remember for seconds which card has an address: the next host there has it too.
        card = f"{CARD}:{offsets[0] >> 8:02x}:{offsets[0] & 255:02x}"
        lines = ["link set lo up", f"link set eth0 address {card}", "link set eth0 up"]
        for offset in offsets:
            lines.append(f"addr add {self.address(offset)}/{self.net4.prefixlen} dev eth0")
            lines.append(f"addr add {self.address6(offset)}/64 dev eth0 nodad")
        lines += [f"route add default via {gateway}" for gateway in gateways]
        shell.run(["ip", "-n", name, "-batch", "-"], stdin="\n".join(lines) + "\n")

    def unplug(self, name: str) -> None:
        """Remove a namespace and its interface."""
        shell.run(["ip", "link", "del", name], check=False)
        shell.run(["ip", "netns", "del", name], check=False)

    def close(self) -> None:
        """Remove everything that belongs to this network, hosts included."""
        if not self._open:
            return
        self._open = False
        namespace.leave()
        self.slot.sweep()
        if not others_running(self.slot):
            for path, before in self._settings.items():
                path.write_text(before)
        self._reaper.dismiss()
        self.slot.release()

    def __enter__(self) -> "Network":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


_shared: list[Network] = []


def shared() -> Network:
    """Give this process's network, opened at first use and closed at its end."""
    if not _shared or not _shared[0]._open:
        _shared[:] = [Network()]
    return _shared[0]
