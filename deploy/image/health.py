"""Ask the service in this container whether it is alive; the exit code says it."""

from __future__ import annotations

import os
import sys
from http.client import HTTPConnection, HTTPException

PORTS = ("CAIRN_PROBE_PORT", "CAIRN_PORT")
"""Where probes are answered: a port of their own, where there is one."""


def main() -> int:
    """0 where `/healthz` says 200."""
    set_ports = [int(os.environ.get(name) or 0) for name in PORTS]  # noqa: TID251 - it stands outside the service
    connection = HTTPConnection("127.0.0.1", next(filter(None, set_ports), 8000), timeout=2)
    try:
        connection.request("GET", "/healthz")
        return int(connection.getresponse().status != 200)  # noqa: PLR2004
    except (OSError, HTTPException):
        return 1


if __name__ == "__main__":
    sys.exit(main())
