# SPDX-License-Identifier: Apache-2.0
"""Each node in a network namespace of its own; the packets between them go through a program that can lose them.

    network = Network(["node1", "node2", "node3"], program)
    network.impair("a fault", network.between({"node1"}, {"node2", "node3"}), loss=1)
    network.relieve("a fault")

Where this process is, is a host too: OUTSIDE, with the clients and the local AWS.
"""
import fcntl
import itertools
import json
import os
import struct
import subprocess

OUTSIDE = "outside"
DEVICE_MTU = 9000  # fewer packets
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000


def run(*command):
    subprocess.run(command, check=True)


class Network:
    def __init__(self, names, program):
        self.addresses = {name: f"10.77.0.{number}" for number, name in enumerate(names, 1)}
        self.addresses[OUTSIDE] = "10.77.0.100"
        self.impaired = {}  # what a fault does: {fault: (pairs, quality)}
        os.makedirs("/run/netns", exist_ok=True)
        run("mount", "-t", "tmpfs", "none", "/run/netns")  # seen in our mount namespace alone
        run("ip", "link", "set", "lo", "up")
        devices = {name: self._add_host(name) for name in self.addresses}
        self.program = subprocess.Popen([program, *(f"{self.addresses[name]}={fd}" for name, fd in devices.items())],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        pass_fds=list(devices.values()))
        for fd in devices.values():
            os.close(fd)

    def _add_host(self, name):
        fd = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
        there = []
        if name != OUTSIDE:
            run("ip", "netns", "add", name)
            run("ip", "link", "set", name, "netns", name)
            there = ["-n", name]
            run("ip", *there, "link", "set", "lo", "up")
        run("ip", *there, "address", "add", f"{self.addresses[name]}/24", "dev", name)
        run("ip", *there, "link", "set", name, "mtu", str(DEVICE_MTU), "up")
        return fd

    @staticmethod
    def launcher(name):
        """What a command is to be preceded by to run on that host."""
        return ["nsenter", f"--net=/run/netns/{name}"]

    # ---- What happens to it ----

    @staticmethod
    def between(some, others):
        """The links both ways."""
        return [pair for one, other in itertools.product(some, others) if one != other
                for pair in ((one, other), (other, one))]

    def impair(self, fault, pairs, loss=0, delay_ms=0, jitter_ms=0):
        self.impaired[fault] = (pairs, {"loss": loss, "delay_ms": delay_ms, "jitter_ms": jitter_ms})
        self._tell()

    def relieve(self, fault):
        self.impaired.pop(fault, None)
        self._tell()

    def _tell(self):
        """A link that several faults share has the worst of each."""
        table = {}
        for pairs, quality in self.impaired.values():
            for one, other in pairs:
                link = table.setdefault(f"{self.addresses[one]}>{self.addresses[other]}", dict(quality))
                link.update({what: max(link[what], much) for what, much in quality.items()})
        self.program.stdin.write(json.dumps(table) + "\n")
        self.program.stdin.flush()
        assert self.program.stdout.readline() == "ok\n", "the network has ended"

    def stop(self):
        self.program.stdin.close()
        self.program.wait()
