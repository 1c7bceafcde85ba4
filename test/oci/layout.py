"""OCI image layouts for tests, written byte by byte so that they can also be wrong."""

import gzip
import hashlib
import io
import json
import os
import subprocess
import tarfile

OCI = "application/vnd.oci.image."
DOCKER = "application/vnd.docker."
INDEX, MANIFEST, CONFIG = OCI + "index.v1+json", OCI + "manifest.v1+json", OCI + "config.v1+json"
LAYER = OCI + "layer.v1.tar"


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def zstd(data, *options):
    return subprocess.run(["zstd", "-q", "-c", *options], input=data, stdout=subprocess.PIPE,
                          check=True).stdout


def gz(data):
    return gzip.compress(data, mtime=0)


PACK = {"": lambda d: d, "+gzip": gz, "+zstd": zstd}


class Tar:
    """A layer. Entries go in the order of the calls, whatever they say."""

    def __init__(self, format=tarfile.PAX_FORMAT):
        self.out = io.BytesIO()
        self.tar = tarfile.open(fileobj=self.out, mode="w", format=format)

    def add(self, name, type=tarfile.REGTYPE, data=b"", **more):
        info = tarfile.TarInfo(name)
        info.type = type
        info.mode = 0o755 if type == tarfile.DIRTYPE else 0o644
        info.mtime = 1700000000
        info.size = len(data)
        for key, value in more.items():
            if key == "xattrs":
                info.pax_headers = {"SCHILY.xattr." + k: v for k, v in value.items()}
            else:
                setattr(info, key, value)
        self.tar.addfile(info, io.BytesIO(data))
        return self

    def file(self, name, data=b"", **more):
        return self.add(name, data=data.encode() if isinstance(data, str) else data, **more)

    def dir(self, name, **more):
        return self.add(name, tarfile.DIRTYPE, **more)

    def symlink(self, name, target, **more):
        return self.add(name, tarfile.SYMTYPE, linkname=target, **more)

    def link(self, name, target, **more):
        return self.add(name, tarfile.LNKTYPE, linkname=target, **more)

    def bytes(self):
        self.tar.close()
        return self.out.getvalue()


class Layout:
    def __init__(self, path):
        self.path = path
        os.makedirs(path + "/blobs/sha256", exist_ok=True)
        self.write("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')

    def write(self, name, data):
        with open(f"{self.path}/{name}", "wb") as f:
            f.write(data)

    def blob(self, data):
        self.write("blobs/sha256/" + digest(data)[7:], data)
        return digest(data)

    def desc(self, data, media_type, **more):
        return {"mediaType": media_type, "digest": self.blob(data), "size": len(data), **more}

    def json(self, obj, media_type, **more):
        return self.desc(json.dumps(obj).encode(), media_type, **more)

    def image(self, layers, arch="riscv64", os="linux", config=None, config_more=None,
              manifest_more=None, config_type=CONFIG, manifest_type=MANIFEST):
        """layers: list of (tar bytes, packing suffix) or (tar bytes, suffix, packed bytes, media type)."""
        descs, diffs = [], []
        for layer in layers:
            tar, pack, *rest = layer if isinstance(layer, tuple) else (layer, "+gzip")
            packed = rest[0] if rest else PACK[pack](tar)
            descs.append(self.desc(packed, rest[1] if len(rest) > 1 else LAYER + pack))
            diffs.append(digest(tar))
        c = {"architecture": arch, "os": os, "config": config or {},
             "rootfs": {"type": "layers", "diff_ids": diffs}, **(config_more or {})}
        manifest = {"schemaVersion": 2, "mediaType": manifest_type,
                    "config": self.json(c, config_type), "layers": descs, **(manifest_more or {})}
        return self.json(manifest, manifest_type)

    def index(self, entries, **more):
        obj = {"schemaVersion": 2, "manifests": entries, **more}
        self.write("index.json", json.dumps(obj).encode())
        return self

    def single(self, layers, tag="latest", **more):
        d = self.image(layers, **more)
        d["annotations"] = {"org.opencontainers.image.ref.name": tag}
        return self.index([d])
