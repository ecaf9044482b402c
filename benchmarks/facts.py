"""What the figures hold for: the machine and the versions, and how busy it is with other things."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

from OpenSSL import SSL

from securecom import tls


def facts() -> dict[str, str]:
    """Names and values; nothing that tells which machine it is."""
    openssl = SSL.SSLeay_version(SSL.SSLEAY_VERSION).decode("ascii")
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "Twisted": f"{version('twisted')}, epoll reactor",
        "pyOpenSSL, cryptography": f"{version('pyopenssl')}, {version('cryptography')}",
        "OpenSSL": openssl,
        "TLS": f"1.3, {tls.GROUP}",
        "certificates": "Ed25519: CA, server, clients; no resumption",
    }


def load() -> float:
    """Processes that wanted to run in the last minute, on average, ours among them."""
    return os.getloadavg()[0]


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
