"""Three machines, which are network namespaces; skipped with a word where there can be none."""

import os
import subprocess

LAB, STORE, DESK = "10.0.0.1", "10.0.0.2", "10.0.0.3"


class Hosts:
    """Three machines, which are network namespaces, joined by a bridge on the first of them."""

    def __init__(self) -> None:
        self.names = [f"ezt{os.getpid()}{letter}" for letter in "abc"]

    def set_up(self) -> str:
        """Make them; return what the system has against that."""
        first = self.names[0]
        commands = [f"ip netns add {name}" for name in self.names]
        commands += [f"ip -n {first} link add bridge type bridge", f"ip -n {first} addr add {LAB}/24 dev bridge"]
        commands += [f"ip -n {first} link set {device} up" for device in ("lo", "bridge")]
        for number, name in enumerate(self.names[1:], 2):
            commands += [
                f"ip link add out netns {name} type veth peer name to{number} netns {first}",
                f"ip -n {first} link set to{number} master bridge up",
                f"ip -n {name} addr add 10.0.0.{number}/24 dev out",
                f"ip -n {name} link set lo up",
                f"ip -n {name} link set out up",
            ]
        for command in commands:
            done = subprocess.run(command.split(), capture_output=True, text=True, check=False)
            if done.returncode:
                return f"{command}: {done.stderr.strip()}"
        return ""

    def on(self, address: str) -> list[str]:
        """Return what lets a command run on a host."""
        return ["ip", "netns", "exec", self.names[int(address[-1]) - 1]]

    def cut(self, address: str) -> None:
        self._link(address, "down")

    def mend(self, address: str) -> None:
        self._link(address, "up")

    def mute(self, address: str) -> None:
        """Let nothing that a host sends come to the others, while it hears them."""
        self._blackhole(address, "add")

    def unmute(self, address: str) -> None:
        self._blackhole(address, "del")

    def _blackhole(self, address: str, verb: str) -> None:
        command = ["ip", "-n", self.names[int(address[-1]) - 1], "route", verb, "blackhole", LAB]
        subprocess.run(command, check=True)

    def _link(self, address: str, state: str) -> None:
        command = ["ip", "-n", self.names[0], "link", "set", f"to{address[-1]}", state]
        subprocess.run(command, check=True)

    def remove(self) -> None:
        for name in self.names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
