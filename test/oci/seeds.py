#!/usr/bin/env python3
"""Makes the seeds of the image fuzz targets in test/fuzz/corpus/ again (their bytes are committed)."""

import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from layout import CONFIG, INDEX, LAYER, MANIFEST, Tar  # noqa: E402

CORPUS = os.path.join(os.path.dirname(HERE), "fuzz/corpus")


def seed(target, name, data):
    os.makedirs(f"{CORPUS}/{target}", exist_ok=True)
    with open(f"{CORPUS}/{target}/{name}", "wb") as f:
        f.write(data)


def tar(name, data):
    seed("fuzz_tar", name, b"\xff" + data.rstrip(b"\0").ljust(-(-len(data.rstrip(b"\0")) // 512) * 512, b"\0"))


for fmt, word in ((tarfile.USTAR_FORMAT, "ustar"), (tarfile.GNU_FORMAT, "gnu"), (tarfile.PAX_FORMAT, "pax")):
    t = Tar(fmt).dir("d").file("d/" + "n" * (90 if word == "ustar" else 150), b"x" * 10)
    t.symlink("s", "t" * 99).link("h", "s").add("c", tarfile.CHRTYPE, devmajor=1, devminor=3)
    tar(word, t.bytes())
tar("xattr", Tar().file("f", b"1", mtime=1.5, uid=3000000, xattrs={"user.a": "b"}).bytes())
with tempfile.TemporaryDirectory() as work:
    with open(work + "/s", "wb") as f:
        for n in range(6):
            f.seek(n * 8192)
            f.write(b"%d" % n)
        f.truncate(90000)
    for word, options in (("old", ["--format=gnu"]), ("00", ["--format=pax", "--sparse-version=0.0"]),
                          ("01", ["--format=pax", "--sparse-version=0.1"]),
                          ("10", ["--format=pax", "--sparse-version=1.0"])):
        data = subprocess.run(["tar", "-C", work, "-c", "--sparse", "--mtime=@0", "--owner=root:0",
                               "--group=root:0", *options, "s"], check=True, stdout=subprocess.PIPE).stdout
        tar("sparse" + word, data[:8192])

D = {"digest": "sha256:" + "0" * 64, "size": 7}
for name, doc in (
        ("index", {"schemaVersion": 2, "mediaType": INDEX, "manifests": [
            {**D, "mediaType": MANIFEST, "platform": {"os": "linux", "architecture": "riscv64", "variant": "v1"},
             "annotations": {"org.opencontainers.image.ref.name": "latest", "io.containerd.image.name": "a:1"}},
            {**D, "mediaType": MANIFEST, "platform": {"os": "unknown", "architecture": "unknown"},
             "annotations": {"vnd.docker.reference.type": "attestation-manifest"}},
            {**D, "mediaType": INDEX}]}),
        ("manifest", {"schemaVersion": 2, "mediaType": MANIFEST, "config": {**D, "mediaType": CONFIG},
                      "layers": [{**D, "mediaType": LAYER + "+gzip"}]}),
        ("config", {"architecture": "riscv64", "os": "linux", "variant": "", "rootfs": {"diff_ids": [D["digest"]]},
                    "config": {"Entrypoint": ["a"], "Cmd": ["b"], "Env": ["A=1"], "User": "0", "WorkingDir": "/",
                               "StopSignal": "SIGTERM", "ExposedPorts": {"80/tcp": {}}, "Volumes": {"/v": {}},
                               "Labels": {"k": "v"}, "Shell": ["sh"]}})):
    seed("fuzz_manifest", name, json.dumps(doc).encode())
