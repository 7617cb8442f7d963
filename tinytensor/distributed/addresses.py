"""The addresses of this machine, as other machines may reach it."""

from __future__ import annotations

import contextlib
import os
import socket


def own_addresses() -> list[str]:
    """Addresses at which other machines may reach this one: MASTER_ADDR, if it is set, first."""
    found = [os.environ.get("MASTER_ADDR", "")]
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing: asks for the address of the route
        found.append(probe.getsockname()[0])
    with contextlib.suppress(OSError):
        found += socket.gethostbyname_ex(socket.gethostname())[2]
    with contextlib.suppress(OSError):
        found += [address for _, name in socket.if_nameindex()
                  if (address := _of_interface(name)) is not None]
    usable = [address for address in dict.fromkeys(found)
              if address not in ("", "localhost") and not address.startswith("127.")]
    return usable or ["127.0.0.1"]


def _of_interface(name: str) -> str | None:
    """The IPv4 address of a network interface, on Linux."""
    import fcntl
    import struct

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            answer = fcntl.ioctl(probe.fileno(), 0x8915, struct.pack("256s", name.encode()[:15]))
        except OSError:  # SIOCGIFADDR: it has none
            return None
    return socket.inet_ntoa(answer[20:24])
