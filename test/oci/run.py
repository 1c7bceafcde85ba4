#!/usr/bin/env python3
"""Images made with standard tools, unpacked by us and compared with other unpackers.

Good images: our tree against test/oci/oracle.py and `umoci unpack --rootless`. Bad ones: the message must
say what is wrong. Needs build/test/bin/oci_dump, zstd, GNU tar, umoci and skopeo; no network, no root.
"""

import gzip
import json
import os
import random
import shutil
import subprocess
import sys
import tarfile
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from layout import (CONFIG, DOCKER, INDEX, LAYER, MANIFEST, Layout, Tar, digest, gz, zstd)  # noqa: E402
import oracle  # noqa: E402

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(TOP, os.environ.get("BUILD", "build"))
DUMP = os.environ.get("OCI_DUMP", BUILD + "/test/bin/oci_dump")
WORK = BUILD + "/test/oci"
TESTS = []


def test(f):
    TESTS.append(f)
    return f


def fresh(name):
    path = f"{WORK}/{name}"
    if os.path.exists(path):
        subprocess.run(["chmod", "-R", "u+rwX", path], check=True)
        shutil.rmtree(path)
    os.makedirs(path)
    return path


def dump(ref, arch="riscv64", cache=None):
    env = {**os.environ, "BERTH_NO_CACHE": "1"}
    if cache:
        del env["BERTH_NO_CACHE"]
        env["XDG_CACHE_HOME"] = cache
    r = subprocess.run([DUMP, ref] + ([arch] if arch else []), env=env, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, text=True, errors="surrogateescape")
    return r.returncode, r.stdout, r.stderr


def same(got, want):
    for path in sorted(set(got) | set(want)):
        assert path in got, f"{path} is missing"
        assert path in want, f"{path} should not be there"
        assert got[path] == want[path], f"{path}: {got[path]} instead of {want[path]}"


def check(ref, layers, **more):
    """The dump of `ref` equals the model's tree of these uncompressed layers."""
    status, out, err = dump(ref, **more)
    assert status == 0, err
    got, links = oracle.parse_dump(out)
    want, want_links = oracle.model_of(layers)
    same(got, want)
    assert links == want_links, f"hard links {links} instead of {want_links}"
    return got


def check_fails(ref, *words, **more):
    status, _, err = dump(ref, **more)
    assert status == 1, f"status {status}, message {err!r}"
    for w in words:
        assert w in err, f"{w!r} is not in the message: {err.strip()}"


def good(name, *layers, **more):
    """One image of these layers: our tree against the model's and umoci's."""
    work = fresh(name)
    raw = [l.bytes() if isinstance(l, Tar) else l for l in layers]
    Layout(work + "/img").single(raw, **more)
    got = check(f"oci:{work}/img", raw)
    return work, got


def with_umoci(name, *layers):
    work, got = good(name, *layers)
    want = oracle.umoci_tree(work + "/img", "latest", work + "/bundle")
    for path, fields in want.items():
        assert path in got, f"umoci has {path}"
        g = got[path]
        mine = {"l": (g[0], g[8]), "d": (g[0], g[1]), "f": (g[0], g[1], g[5], g[7], g[4])}.get(g[0])
        if mine:  # devices are plain files to umoci without root
            assert mine == fields, f"{path}: {mine}, umoci has {fields}"
    extra = set(got) - set(want) - {"/"}
    assert not extra, f"umoci does not have {extra}"
    return got


# ---- entries of every kind

@test
def plain_entries():
    got = with_umoci("plain", Tar().dir("./").dir("bin", mode=0o755).file("bin/sh", "#!", mode=0o4755)
                     .symlink("sh", "bin/sh").link("bin/bash", "bin/sh").file("empty")
                     .dir("tmp", mode=0o1777).file("a b\tc\\d", "odd name").file("ü€", "utf-8", mode=0o600))
    assert got["/bin/sh"][1] == "4755" and got["/tmp"][1] == "1777"


@test
def owners_devices_times():
    got = good("owners", Tar().file("x", "1", uid=1000, gid=100, mtime=-5).file("big", uid=3000000, gid=2147483650)
               .add("null", tarfile.CHRTYPE, devmajor=1, devminor=3)
               .add("disk", tarfile.BLKTYPE, devmajor=259, devminor=1048575)
               .add("pipe", tarfile.FIFOTYPE).file("frac", mtime=1234567890.987654321))[1]
    assert got["/big"][2:4] == ("3000000", "2147483650")
    assert got["/x"][4] == "-5"


@test
def ustar_and_gnu_formats():
    for format in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        long = "d" * 90 + "/" + "e" * 60 if format == tarfile.USTAR_FORMAT else "n" * 250 + "/" + "m" * 200
        with_umoci(f"format{format}", Tar(format).dir(long.split("/")[0]).file(long, "long name")
                   .symlink("l", "t" * (90 if format == tarfile.USTAR_FORMAT else 300)))


@test
def longest_names():
    deep = "/".join(["x" * 254] * 15)
    good("longest", Tar().file(deep + "/" + "y" * 200, "deep").symlink("l", "z" * 4095).file("n" * 255))


@test
def xattrs():
    caps = "\x01\x00\x00\x02\x00\x04\x00\x00"
    got = good("xattrs", Tar().file("ping", "x", xattrs={"security.capability": caps, "user.note": "a=b\nc"})
               .dir("d", xattrs={"user.dir": "1", "trusted.overlay.opaque": "y"})
               .link("ping2", "ping"))[1]
    assert "security.capability=" in got["/ping2"][9] and "overlay" not in got["/d"][9]


@test
def gnu_tar_itself():
    """What GNU tar writes in each of its formats, sparse files included."""
    work = fresh("gnutar")
    src = work + "/src"
    os.makedirs(src + "/dir/" + "long" * 40)
    with open(src + "/sparse", "wb") as f:
        for n in range(40):
            f.seek(n * 300000 + 4096)
            f.write(os.urandom(1000))
        f.truncate(20000000)
    with open(src + "/holes-only", "wb") as f:
        f.truncate(5000000)
    with open(src + "/plain", "wb") as f:
        f.write(random.Random(1).randbytes(300001))
    os.link(src + "/plain", src + "/dir/hard")
    os.symlink("../plain", src + "/dir/soft")
    with open(src + "/dir/" + "long" * 40 + "/" + "name" * 50, "w") as f:
        f.write("x")
    for n, options in enumerate((["--format=gnu"], ["--format=gnu", "--sparse"],
                                 ["--format=pax", "--sparse", "--sparse-version=0.0"],
                                 ["--format=pax", "--sparse", "--sparse-version=0.1"],
                                 ["--format=pax", "--sparse", "--sparse-version=1.0"],
                                 ["--format=oldgnu", "--sparse"])):
        data = subprocess.run(["tar", "-C", src, "-c", *options, "--sort=name", "."], check=True,
                              stdout=subprocess.PIPE).stdout
        Layout(f"{work}/img{n}").single([data])
        got = check(f"oci:{work}/img{n}", [data])
        assert got["/sparse"][5] == "20000000" and got["/holes-only"][5] == "5000000"
        usage = dump(f"oci:{work}/img{n}")[2]
        stored = int(usage.split(" KiB stored")[0].split()[-1])
        assert "--sparse" not in options or stored < 1200, f"{options}: {stored} KiB stored"


@test
def odd_paths():
    with_umoci("paths", Tar().dir("/abs").file("/abs/f", "1").file("./dot//double/./f", "2")
               .file("abs/../other", "3").dir("trail/").file("a/b/c/implicit", "4"))


# ---- layers over each other

@test
def whiteouts():
    low = Tar().dir("d").file("d/a", "1").file("d/b", "1").dir("d/sub").file("d/sub/x", "1").file("f", "1")
    up = Tar().file("d/.wh.a").file("d/.wh.sub").file(".wh.f").file("d/new", "2").file(".wh.never-there")
    got = with_umoci("whiteouts", low, up)
    assert "/d/b" in got and "/d/new" in got and "/d/a" not in got and "/d/sub/x" not in got


@test
def whiteout_spares_its_own_layer():
    """A whiteout hides lower layers only, whether it comes before or after the new entry."""
    low = Tar().file("f", "1").dir("d").file("d/old", "1")
    for n, up in enumerate((Tar().file(".wh.f").file("f", "2").file(".wh.d").dir("d").file("d/new", "2"),
                            Tar().file("f", "2").file(".wh.f").dir("d").file("d/new", "2").file(".wh.d"))):
        low = Tar().file("f", "1").dir("d").file("d/old", "1")
        got = good(f"own{n}", low, up)[1]
        assert "/f" in got and "/d/new" in got and "/d/old" not in got


@test
def opaque():
    for n in range(2):
        low = Tar().dir("d").file("d/a", "1").dir("d/s").file("d/s/x", "1").dir("e").file("e/keep", "1")
        up = Tar().dir("d")
        if n == 0:
            up.file("d/.wh..wh..opq")
        up.dir("d/s").file("d/s/y", "2").file("d/b", "2")
        if n == 1:
            up.file("d/.wh..wh..opq")
        got = with_umoci(f"opaque{n}", low, up)
        assert "/d/s/y" in got and "/d/a" not in got and "/d/s/x" not in got and "/e/keep" in got


@test
def opaque_root_and_missing():
    got = good("opaque-root", Tar().file("a", "1").dir("d").file("d/x"),
               Tar().file(".wh..wh..opq").file("b", "2").file("no/such/.wh..wh..opq"))[1]
    assert "/b" in got and "/a" not in got and "/d" not in got


@test
def replaced_types():
    got = with_umoci("replaced", Tar().dir("d").file("d/x", "1").file("f", "1").symlink("l", "d").dir("e"),
                     Tar().file("d", "now a file").dir("f").file("f/y", "2").dir("l").file("l/z", "2")
                     .symlink("e", "f"))
    assert got["/d"][0] == "f" and got["/f"][0] == "d" and got["/l"][0] == "d" and got["/e"][0] == "l"


@test
def directory_metadata_and_children():
    got = with_umoci("dirmeta", Tar().dir("d", mode=0o700).file("d/x", "1"), Tar().dir("d", mode=0o755, uid=5))
    assert got["/d"][1:3] == ("755", "5") and "/d/x" in got


@test
def links_across_layers():
    got = good("links", Tar().dir("d").file("d/a", "one", mode=0o755).file("b", "1").symlink("s", "d/a"),
               Tar().link("c", "d/a", mode=0o755).link("b", "d/a", mode=0o755).link("s2", "s"),
               Tar().file(".wh.d").link("e", "/c", mode=0o755).link("e", "./e", mode=0o755))[1]
    assert "/d/a" not in got and got["/c"][7] == got["/e"][7] == got["/b"][7] and got["/s2"][0] == "l"


@test
def parent_symlinks():
    """usr-merge and the like: symlinked parents are followed inside the root."""
    low = Tar().dir("usr").dir("usr/lib").symlink("lib", "usr/lib").symlink("abs", "/usr").symlink("up", "../../usr")
    got = with_umoci("parents", low, Tar().file("lib/a", "1").file("abs/lib/b", "2").file("up/lib/c", "3")
                     .link("lib/d", "lib/a").file("lib/.wh.none"))
    assert all(p in got for p in ("/usr/lib/a", "/usr/lib/b", "/usr/lib/c", "/usr/lib/d"))
    assert got["/lib"][0] == "l"


@test
def symlinks_out_of_the_root():
    """Absolute and climbing symlinks lead back inside; dangling ones get their directories."""
    got = with_umoci("escape", Tar().symlink("out", "/../../../etc").symlink("far", "no/such/place"),
                     Tar().file("out/passwd", "ours").file("far/f", "1"))
    assert "/etc/passwd" in got and "/no/such/place/f" in got


@test
def many_random_layers():
    """Random entries over a small set of names, against the model."""
    for seed in range(40):
        rnd = random.Random(seed)
        names = ["a", "b", "c", "a/x", "a/y", "b/x", "b/y", "a/x/p", "b/x/p", "c/q"]
        layers, live = [], oracle.Model()
        for n in range(5):
            tar = Tar()
            for k in range(rnd.randrange(1, 9)):
                name = rnd.choice(names)
                dir, _, base = name.rpartition("/")
                dir = dir + "/" if dir else ""
                kind = rnd.randrange(8)
                if kind < 2:
                    tar.file(name, f"{seed} {n} {k}")
                elif kind < 4:
                    tar.dir(name, mode=rnd.choice((0o755, 0o700)))
                elif kind == 4:
                    tar.symlink(name, rnd.choice(("/a", "../b", "c", "nowhere")))
                elif kind == 5:
                    tar.file(dir + ".wh." + base)
                elif kind == 6:
                    tar.file(dir + ".wh..wh..opq")
                else:
                    tar.file(name, "again", mode=0o600)
            data = tar.bytes()
            try:
                live.apply(data, n + 1)
            except AssertionError:
                break  # below a file, or a loop: not for this test
            layers.append(data)
        if layers:
            work = fresh("random")
            Layout(work + "/img").single(layers)
            check(f"oci:{work}/img", layers)


# ---- packing, manifests, archives

@test
def compressions():
    work = fresh("compress")
    a, b, c, d = (Tar().file(n, n * 100000).bytes() for n in "abcd")
    members = b"".join(gz(c[i:i + 7000]) for i in range(0, len(c), 7000)) + b"\0" * 1024
    skippable = b"\x50\x2a\x4d\x18\x08\x00\x00\x00skipped!"
    frames = skippable + b"".join(zstd(d[i:i + 9000]) for i in range(0, len(d), 9000)) + skippable
    Layout(work + "/img").single([(a, ""), (b, "+zstd"), (c, "+gzip", members), (d, "+zstd", frames)])
    check(f"oci:{work}/img", [a, b, c, d])
    Layout(work + "/lies").single([(a, "+gzip", a), (b, "", gz(b)), (c, "+gzip", zstd(c))])
    check(f"oci:{work}/lies", [a, b, c])
    e = Tar().file("long", os.urandom(1 << 20)).bytes()
    Layout(work + "/window").single([(e, "+zstd", zstd(e, "-19", "--long=27"))])
    check(f"oci:{work}/window", [e])


@test
def empty_images():
    work = fresh("empty")
    Layout(work + "/none").single([])
    check(f"oci:{work}/none", [])
    Layout(work + "/zero").single([b"\0" * 1024, b""])
    check(f"oci:{work}/zero", [])


@test
def docker_media_types():
    work = fresh("docker")
    t = Tar().file("f", "1").bytes()
    l = Layout(work + "/img")
    m = l.image([(t, "+gzip", gz(t), DOCKER + "image.rootfs.diff.tar.gzip")],
                config_type=DOCKER + "container.image.v1+json",
                manifest_type=DOCKER + "distribution.manifest.v2+json")
    m["platform"] = {"os": "linux", "architecture": "riscv64"}
    inner = l.json({"schemaVersion": 2, "mediaType": DOCKER + "distribution.manifest.list.v2+json",
                    "manifests": [m]}, DOCKER + "distribution.manifest.list.v2+json")
    l.index([inner])
    check(f"oci:{work}/img", [t])


def multi_arch(work):
    l = Layout(work)
    tars, entries = {}, []
    for arch in ("amd64", "riscv64", "arm64"):
        tars[arch] = Tar().file("arch", arch).bytes()
        entries.append({**l.image([tars[arch]], arch=arch), "platform": {"os": "linux", "architecture": arch}})
    attest = l.image([Tar().file("never", "1").bytes()], arch="unknown", os="unknown")
    entries.insert(0, {**attest, "platform": {"os": "unknown", "architecture": "unknown"},
                       "annotations": {"vnd.docker.reference.type": "attestation-manifest"}})
    inner = l.json({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}, INDEX,
                   annotations={"org.opencontainers.image.ref.name": "latest"})
    return l, tars, inner, entries


@test
def multi_arch_nested():
    work = fresh("multi")
    l, tars, inner, entries = multi_arch(work + "/img")
    l.index([inner])
    for arch, tar in tars.items():
        check(f"oci:{work}/img", [tar], arch=arch)
    check(f"oci:{work}/img", [tars["amd64"]], arch="x86_64")
    check_fails(f"oci:{work}/img", "linux/amd64, linux/riscv64, linux/arm64",
                "Build or choose an image for linux/s390x", arch="s390x")
    l.index(entries)  # flat, without names
    check(f"oci:{work}/img", [tars["riscv64"]])
    outer = l.json({"schemaVersion": 2, "mediaType": INDEX, "manifests": [inner]}, INDEX)
    l.index([outer])
    check(f"oci:{work}/img", [tars["riscv64"]])
    for _ in range(5):
        outer = l.json({"schemaVersion": 2, "manifests": [outer]}, INDEX)
    l.index([outer])
    check_fails(f"oci:{work}/img", "nested")


@test
def tags():
    work = fresh("tags")
    l = Layout(work + "/img")
    a, b = Tar().file("a").bytes(), Tar().file("b").bytes()
    ia, ib = l.image([a]), l.image([b])
    name = "org.opencontainers.image.ref.name"
    l.index([{**ia, "annotations": {name: "one"}}, {**ib, "annotations": {name: "two"}}])
    check(f"oci:{work}/img:one", [a])
    check(f"oci:{work}/img:two", [b])
    check_fails(f"oci:{work}/img", "one, two")
    check_fails(f"oci:{work}/img:three", "three", "one, two")
    l.index([{**ia, "annotations": {name: "one"}}, {**ib, "annotations": {name: "latest"}}])
    check(f"oci:{work}/img", [b])
    l.index([{**ia, "annotations": {name: "3.19", "io.containerd.image.name": "docker.io/library/alpine:3.19"}}])
    check(f"oci:{work}/img:3.19", [a])
    check(f"oci:{work}/img:docker.io/library/alpine:3.19", [a])
    l.index([{**ia, "annotations": {name: "docker.io/library/alpine:3.19"}}])
    check(f"oci:{work}/img:3.19", [a])
    os.rename(work + "/img", work + "/with:colon")
    check(f"oci:{work}/with:colon", [a])
    check(f"oci:{work}/with:colon:3.19", [a])


@test
def real_tools():
    """umoci makes the image, skopeo the archive."""
    work = fresh("tools")
    raw = [Tar().dir("etc").file("etc/passwd", "root:x:0:0::/root:/bin/sh\n").bytes(), Tar().file("b", "2").bytes()]
    quiet = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    subprocess.run(["umoci", "init", "--layout", work + "/img"], **quiet)
    subprocess.run(["umoci", "new", "--image", work + "/img:v1"], **quiet)
    for n, data in enumerate(raw):
        with open(f"{work}/{n}.tar", "wb") as f:
            f.write(data)
        subprocess.run(["umoci", "raw", "add-layer", "--image", work + "/img:v1", f"{work}/{n}.tar"], **quiet)
    subprocess.run(["umoci", "config", "--image", work + "/img:v1", "--architecture", "riscv64",
                    "--config.cmd", "sh", "--config.env", "A=b c"], **quiet)
    check(f"oci:{work}/img:v1", raw)
    policy = work + "/policy.json"
    with open(policy, "w") as f:
        json.dump({"default": [{"type": "insecureAcceptAnything"}]}, f)
    subprocess.run(["skopeo", "--policy", policy, "--override-arch", "riscv64", "copy", f"oci:{work}/img:v1",
                    f"oci-archive:{work}/img.tar:v1"], **quiet)
    check(f"oci-archive:{work}/img.tar", raw)
    check(f"oci-archive:{work}/img.tar:v1", raw)
    check_fails(f"oci-archive:{work}/img.tar:v2", "v2", "v1")
    check_fails(f"oci:{work}/img.tar", "oci-archive:")
    with open(work + "/img.tar", "rb") as f:
        data = f.read()
    for name, packed in (("gz", gz(data)), ("zst", zstd(data))):
        with open(f"{work}/img.tar.{name}", "wb") as f:
            f.write(packed)
        check(f"oci-archive:{work}/img.tar.{name}", raw)
    with open(work + "/cut.tar", "wb") as f:
        f.write(data[:len(data) // 2])
    check_fails(f"oci-archive:{work}/cut.tar", "cut.tar", "cut off")


@test
def docker_save():
    """docker save since 25 adds manifest.json; before, there was nothing else."""
    work = fresh("save")
    t = Tar().file("f", "1").bytes()
    Layout(work + "/img").single([(t, "")])
    with open(work + "/img/manifest.json", "w") as f:
        json.dump([{"Config": "blobs/x", "RepoTags": ["x:latest"], "Layers": []}], f)
    subprocess.run(["tar", "-C", work + "/img", "-cf", work + "/new.tar", "blobs", "index.json", "manifest.json",
                    "oci-layout"], check=True)
    check(f"oci-archive:{work}/new.tar", [t])
    subprocess.run(["tar", "-C", work + "/img", "-cf", work + "/old.tar", "manifest.json"], check=True)
    check_fails(f"oci-archive:{work}/old.tar", "version 25", "skopeo copy docker-archive:")


@test
def cache():
    work = fresh("cache")
    t = Tar().dir("d").file("d/f", "content").link("hard", "d/f").file("e", xattrs={"user.a": "b"}).bytes()
    Layout(work + "/img").single([t])
    first = dump(f"oci:{work}/img", cache=work + "/c")
    entry = os.listdir(work + "/c/berth/unpacked")
    assert len(entry) == 1 and first[0] == 0
    dir = f"{work}/c/berth/unpacked/{entry[0]}"
    mtime = os.stat(dir + "/tree").st_mtime_ns
    assert dump(f"oci:{work}/img", cache=work + "/c")[1] == first[1]
    assert os.stat(dir + "/tree").st_mtime_ns == mtime, "the cached tree was not used"
    check(f"oci:{work}/img", [t], cache=work + "/c")
    for name in ("tree", "data"):
        with open(f"{dir}/{name}", "r+b") as f:
            f.truncate(5)
        assert dump(f"oci:{work}/img", cache=work + "/c")[1] == first[1], "a damaged entry is made anew"
        assert os.stat(dir + "/data").st_size > 5


@test
def cache_is_bounded():
    work = fresh("cache-bound")
    old = f"{work}/c/berth/unpacked/new-abandoned"
    os.makedirs(old)
    os.utime(old, (1, 1))
    for n in range(11):
        Layout(f"{work}/{n}").single([Tar().file(f"f{n}", "x").bytes()])
        assert dump(f"oci:{work}/{n}", cache=work + "/c")[0] == 0
        left = os.listdir(work + "/c/berth/unpacked")
        assert len(left) == min(n + 1, 8), left
        for name in left:  # so that ages differ
            path = f"{work}/c/berth/unpacked/{name}"
            os.utime(path, (os.stat(path).st_mtime - 10,) * 2)


@test
def inspect():
    berth = BUILD + "/berth"
    work = fresh("inspect")
    t = Tar().file("f").bytes()
    Layout(work + "/img").single([t], config={"Cmd": ["sh", "-c", "echo 'hi'"], "Env": ["A=\x1b[31mred"],
                                              "Labels": {"k": "v"}, "User": "me"})

    def run(*args):
        return subprocess.run([berth, "inspect", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    out = run(f"oci:{work}/img").stdout
    for want in ("platform      linux/riscv64", r"cmd           sh -c 'echo '\''hi'\'''", r"A=\x1b[31mred",
                 "user          me", "layers        1, ", "tar+gzip"):
        assert want in out, f"{want!r} is not in {out}"
    j = json.loads(run("--json", f"oci:{work}/img").stdout)
    assert j["cmd"][2] == "echo 'hi'" and j["layers"][0]["diffId"] == digest(t) and j["labels"] == ["k=v"]
    for args, status, words in ((["oci:" + work], 1, "oci-layout"), ([], 2, "no image"), (["-x"], 2, "-x"),
                                (["--arch", "s390x", f"oci:{work}/img"], 1, "s390x")):
        r = run(*args)
        assert r.returncode == status and words in r.stderr, (args, r)


# ---- bad input: each with the words its message must have

@test
def bad_names():
    work = fresh("names")
    for n, (tar, words) in enumerate((
            (Tar().file("../evil", "x"), ("../evil", "root")),
            (Tar().file("a/../../evil", "x"), ("a/../../evil", "root")),
            (Tar().dir("d").link("d/l", "../../etc/passwd"), ("../../etc/passwd", "root")),
            (Tar().link("l", "missing"), ("\"l\"", "missing")),
            (Tar().dir("d").link("l", "d"), ("\"l\"", "directory")),
            (Tar().file("f").file("f/below"), ("f/below", "not a directory")),
            (Tar().symlink("a", "b").symlink("b", "a").file("a/x"), ("a/x", "symbolic links")),
            (Tar().file("x" * 256), ("255 bytes",)),
            (Tar().file("/".join(["y" * 200] * 30)), ("4095 bytes",)),
            (Tar().file("."), ("root directory",)),
            (Tar().file("d/.wh."), (".wh.", "nothing")),
            (Tar().file(".wh.."), ("nothing",)),
            (Tar().file(".wh..."), ("nothing",)),
            (Tar().file("f").file("f/\x1b[2Jred\x7f"), ("f/?[2Jred?",)))):
        Layout(f"{work}/{n}").single([tar.bytes()])
        check_fails(f"oci:{work}/{n}", "layer 1 of 1", *words)


def blob_path(work, img, media):
    with open(f"{work}/{img}/index.json") as f:
        d = json.load(f)["manifests"][0]["digest"][7:]
    with open(f"{work}/{img}/blobs/sha256/{d}") as f:
        manifest = json.load(f)
    digest = {"manifest": d, "config": manifest["config"]["digest"][7:],
              "layer": manifest["layers"][0]["digest"][7:]}[media]
    return f"{work}/{img}/blobs/sha256/{digest}"


HTML = b"<!DOCTYPE html><html><body>404 not found</body></html>" + b" " * 600


@test
def bad_blobs():
    work = fresh("blobs")
    data = Tar().file("f", os.urandom(50000)).bytes()

    def spoil(name, blob, change, *words):
        Layout(f"{work}/{name}").single([data])
        path = blob_path(work, name, blob)
        with open(path, "rb") as f:
            old = f.read()
        os.unlink(path)
        new = change(old)
        if new is not None:
            with open(path, "wb") as f:
                f.write(new)
        check_fails(f"oci:{work}/{name}", work, *words)

    for blob in ("manifest", "config", "layer"):
        spoil("missing-" + blob, blob, lambda b: None, "missing")
        spoil("short-" + blob, blob, lambda b: b[:-7], "cut off")
        spoil("long-" + blob, blob, lambda b: b + b"x", "longer")
        spoil("flip-" + blob, blob, lambda b: b[:-1] + bytes([b[-1] ^ 1]))
        spoil("same-size-" + blob, blob, lambda b: b" " + b[1:])
    spoil("html-layer", "layer", lambda b: HTML + b" " * (len(b) - len(HTML)), "web page")
    spoil("digest", "config", lambda b: b.replace(b"riscv64", b"riscv32"), "wrong digest", "expected sha256:")
    for name, data in (("index.json", HTML), ("oci-layout", HTML)):
        l = Layout(work + "/html-" + name).single([b""])
        l.write(name, data)
        check_fails(f"oci:{work}/html-{name}", "web page", "check the URL")


@test
def bad_layers():
    work = fresh("layers")
    t = Tar().file("f", os.urandom(100000)).file("g").bytes()
    for name, layer, words in (
            ("cut-gzip", (t, "+gzip", gz(t)[:-20]), ("gzip", "cut off")),
            ("cut-zstd", (t, "+zstd", zstd(t)[:-20]), ("zstd", "cut off")),
            ("bad-gzip", (t, "+gzip", gz(t)[:-8] + b"wrongcrc"), ("damaged gzip",)),
            ("bad-zstd", (t, "+zstd", zstd(t)[:-4] + b"bad!"), ("damaged zstd",)),
            ("tail-gzip", (t, "+gzip", gz(t) + b"\0\0x"), ("garbage after",)),
            ("xz", (t, "+xz", subprocess.run(["xz", "-c"], input=t, stdout=subprocess.PIPE).stdout
                    if shutil.which("xz") else b"\xfd7zXZ\0 and more"), ("xz",)),
            ("cut-tar", (t[:60000], ""), ("cut off", "entry f")),
            ("not-tar", (b"just text, " * 200, ""), ("not a tar",)),
            ("diff-id", (t + b"\0" * 512, "", t), ("configuration says",)),
            ("html", (HTML, "", HTML), ("web page",)),
            ("media", (t, "", t, "application/vnd.cncf.helm.chart.content.v1.tar+gzip"), ("helm",)),
            ("encrypted", (t, "", t, LAYER + "+gzip+encrypted"), ("encrypted",))):
        Layout(f"{work}/{name}").single([layer])
        check_fails(f"oci:{work}/{name}", *words)


@test
def bad_documents():
    work = fresh("docs")
    t = Tar().file("f").bytes()

    def image(name, **more):
        return Layout(f"{work}/{name}").single([t], **more)

    image("arch", arch="amd64")
    check_fails(f"oci:{work}/arch", "linux/amd64", "riscv64")
    image("windows", os="windows")
    check_fails(f"oci:{work}/windows", "windows")
    image("helm", config_type="application/vnd.cncf.helm.config.v1+json")
    check_fails(f"oci:{work}/helm", "helm", "not a container image")
    image("diffs", config_more={"rootfs": {"diff_ids": []}})
    check_fails(f"oci:{work}/diffs", "1 layers", "names 0")
    image("env", config={"Env": "A=b"})
    check_fails(f"oci:{work}/env", "Env", "not a list")
    image("cmd", config={"Cmd": ["a", 1]})
    check_fails(f"oci:{work}/cmd", "Cmd", "list of strings")
    image("both", manifest_more={"manifests": []})
    check_fails(f"oci:{work}/both", "both")
    image("confused", manifest_more={"mediaType": INDEX})
    check_fails(f"oci:{work}/confused", "announced")
    image("v1", manifest_more={"schemaVersion": 1})
    check_fails(f"oci:{work}/v1", "schema version 1")
    for name, text, words in (
            ("text", b"hello", ("not valid JSON", "build or copy")), ("empty", b"", ("not valid JSON",)),
            ("list", b"[]", ("not a single JSON object",)), ("two", b"{} {}", ("not a single JSON object",)),
            ("deep", b'{"a":' + b"[" * 100000, ("nested deeper",)),
            ("wide", b'{"a":[' + b"1," * 300000 + b"1]}", ("more than",)),
            ("big", b'{"a":"' + b"x" * 5000000 + b'"}', ("larger than",)),
            ("none", b'{"schemaVersion":2,"manifests":[]}', ("no container image",)),
            ("type", b'{"manifests":{}}', ("not a list",)),
            ("digest", b'{"manifests":[{"digest":"sha256:../../etc/passwd","size":1}]}', ("malformed digest",)),
            ("sha512", b'{"manifests":[{"digest":"sha512:00","size":1}]}', ("only sha256",)),
            ("nosize", b'{"manifests":[{"digest":"sha256:' + b"0" * 64 + b'"}]}', ("size",)),
            ("negative", b'{"manifests":[{"digest":"sha256:' + b"0" * 64 + b'","size":-1}]}', ("not a size",)),
            ("huge", b'{"manifests":[{"digest":"sha256:' + b"0" * 64 + b'","size":99999999}]}', ("99999999",))):
        image(name).write("index.json", text)
        check_fails(f"oci:{work}/{name}", "index.json" if name != "huge" else "", *words)
    image("version").write("oci-layout", b'{"imageLayoutVersion":"2.0"}')
    check_fails(f"oci:{work}/version", "2.0")
    image("nolayout").write("oci-layout", b"{}")
    check_fails(f"oci:{work}/nolayout", "imageLayoutVersion")


@test
def bad_places():
    work = fresh("places")
    check_fails(f"oci:{work}/nothing", "nothing", "No such file")
    check_fails(f"oci-archive:{work}/nothing.tar", "nothing.tar", "No such file")
    check_fails(f"oci:{work}", "oci-layout", "not an OCI image layout")
    check_fails("debian:12", "oci:DIR", "oci-archive:FILE")
    with open(work + "/text.tar", "w") as f:
        f.write("not a tar " * 1000)
    check_fails(f"oci-archive:{work}/text.tar", "text.tar", "not a tar")
    with open(work + "/other.tar", "wb") as f:
        f.write(Tar().file("x", "1").bytes())
    check_fails(f"oci-archive:{work}/other.tar", "index.json")


def main():
    only = sys.argv[1:]
    failed = passed = 0
    os.makedirs(WORK, exist_ok=True)
    for f in TESTS:
        if only and f.__name__ not in only:
            continue
        try:
            f()
            passed += 1
        except Exception as e:  # noqa: BLE001: any failure is a test's failure
            failed += 1
            print(f"{f.__name__}: {type(e).__name__}: {e}")
            if isinstance(e, subprocess.CalledProcessError) and e.stderr:
                print(e.stderr.decode(errors="replace"))
    print(f"{passed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
