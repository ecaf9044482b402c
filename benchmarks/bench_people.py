"""`python bench_people.py STATE FOLDER COUNT`: accounts for the C generator, and a PEM file each.

Run with the environment and the path of the version to be measured: its own code enrols.
"""

from __future__ import annotations

import sys
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from benchmarks.people import settle


def main(state: Path, folder: Path, count: int) -> None:
    """See above."""
    folder.mkdir()
    for number, one in enumerate(settle(state, count)):
        key = one.identity.private_key.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        )
        certificate = one.identity.certificate.public_bytes(Encoding.PEM)
        (folder / f"{number:05}.pem").write_bytes(certificate + key)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
