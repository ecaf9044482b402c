#!/usr/bin/env bash
# One changed letter in a private key makes cryptography raise InternalError, "please file an issue".
#
# Expected: load_pem_private_key documents ValueError for data that cannot be decoded, and
#   UnsupportedAlgorithm for a kind of key that is not supported.
# What happens: the object identifiers of Ed25519 (1.3.101.112), X448 (.111) and Ed448 (.113) differ
#   in their last byte only, and that is one letter of the PEM file. With it an Ed25519 key
#   of 32 bytes claims to be an X448 key, which has 56, or an Ed448 key, which has 57. OpenSSL refuses
#   that, and cryptography raises exceptions.InternalError, which is neither of the two.
# Why it matters: whoever reads key files that may be damaged and catches the documented errors
#   ends in a traceback that blames another library.
#
# Exits 0 while this is so, 1 when the behaviour has changed.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/venv"
"$scratch/venv/bin/pip" --disable-pip-version-check install --quiet cryptography==50.0.2
"$scratch/venv/bin/python" - <<'PYTHON'
import sys

import cryptography
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

whole = Ed25519PrivateKey.generate().private_bytes(
    serialization.Encoding.PEM,
    serialization.PrivateFormat.PKCS8,
    serialization.NoEncryption(),
)
seen = {}
for name, letters in (("X25519", b"K2Vu"), ("X448", b"K2Vv"), ("Ed448", b"K2Vx")):
    damaged = whole.replace(b"K2Vw", letters, 1)
    assert damaged != whole
    try:
        serialization.load_pem_private_key(damaged, None)
        seen[name] = "no error"
    except Exception as error:
        seen[name] = type(error).__name__
print("cryptography", cryptography.__version__, seen)
sys.exit(0 if seen["X448"] == seen["Ed448"] == "InternalError" else 1)
PYTHON
