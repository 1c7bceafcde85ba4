"""What the tree of an image must be: a second, slow implementation over Python's tarfile."""

import hashlib
import io
import json
import os
import subprocess
import tarfile


def escape(data):
    if isinstance(data, str):
        data = data.encode("utf-8", "surrogateescape")
    return "".join(f"\\x{c:02x}" if c <= 32 or c >= 127 or chr(c) in "\\=," else chr(c) for c in data)


class Node:
    def __init__(self, type, mode=0o755, uid=0, gid=0, mtime=0):
        self.type, self.mode, self.uid, self.gid, self.mtime = type, mode, uid, gid, mtime
        self.children, self.layer = {}, 0
        self.data, self.link, self.rdev, self.xattrs = b"", "", 0, {}
        self.stamp = {}  # name -> layer that brought it


class Model:
    def __init__(self):
        self.root = Node("d")

    def walk(self, parts, make, layer):
        """The directory that `parts` lead to, symlinks followed inside the root."""
        at, trail, todo, links = self.root, [], list(parts), 0
        while todo:
            name = todo.pop(0)
            if name in ("", "."):
                continue
            if name == "..":
                if trail:
                    trail.pop()
                at = trail[-1][1] if trail else self.root
                continue
            child = at.children.get(name)
            if child is None:
                if not make:
                    return None
                child = at.children[name] = Node("d")
                at.stamp[name] = layer
            if child.type == "l":
                links += 1
                assert links < 256
                todo = child.link.split("/") + todo
                if child.link.startswith("/"):
                    at, trail = self.root, []
                continue
            assert child.type == "d", name
            trail.append((name, child))
            at = child
        return at

    def prune(self, dir, layer):
        for name in list(dir.children):
            child = dir.children[name]
            if child.type == "d":
                self.prune(child, layer)
            if dir.stamp[name] != layer and not child.children:
                del dir.children[name], dir.stamp[name]

    def meta(self, node, m):
        node.mode = 0o777 if node.type == "l" else m.mode & 0o7777
        node.uid, node.gid, node.mtime = m.uid, m.gid, int(m.mtime // 1)
        node.xattrs = {k[13:]: v for k, v in m.pax_headers.items() if k.startswith("SCHILY.xattr.")
                       and not k[13:].startswith(("trusted.overlay.", "user.overlay."))}

    def apply(self, data, layer):
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            for m in tar:
                self.entry(tar, m, layer)

    def entry(self, tar, m, layer):
        parts = [p for p in m.name.split("/") if p not in ("", ".")]
        parts = os.path.normpath("/".join(parts)).split("/") if parts else []
        if not parts or parts == ["."]:
            self.meta(self.root, m)
            return
        assert parts[0] != ".."
        base = parts[-1]
        if parts[0].startswith(".wh..wh.") and parts != [".wh..wh..opq"]:
            return
        dir = self.walk(parts[:-1], not base.startswith(".wh."), layer)
        if base == ".wh..wh..opq":
            if dir:
                self.prune(dir, layer)
        elif base.startswith(".wh..wh."):
            pass
        elif base.startswith(".wh."):
            name = base[4:]
            if dir and name in dir.children:
                child = dir.children[name]
                if child.type == "d":
                    self.prune(child, layer)
                if dir.stamp[name] != layer and not child.children:
                    del dir.children[name], dir.stamp[name]
        else:
            self.put(tar, m, dir, base, layer)

    def put(self, tar, m, dir, base, layer):
        old = dir.children.get(base)
        if m.isdir() and old is not None and old.type == "d":
            node = old
        elif m.islnk():
            parts = os.path.normpath("/" + m.linkname).strip("/").split("/")
            node = self.walk(parts[:-1], False, layer).children[parts[-1]]
            dir.children[base], dir.stamp[base] = node, layer
            return
        else:
            node = Node({tarfile.DIRTYPE: "d", tarfile.SYMTYPE: "l", tarfile.CHRTYPE: "c",
                         tarfile.BLKTYPE: "b", tarfile.FIFOTYPE: "p"}.get(m.type, "f"))
        if node.type == "f":
            node.data = tar.extractfile(m).read()
        elif node.type == "l":
            node.link = m.linkname
        elif node.type in "cb":
            node.rdev = os.makedev(m.devmajor, m.devminor)
        dir.children.pop(base, None)
        dir.children[base], dir.stamp[base] = node, layer
        self.meta(node, m)

    def lines(self):
        """path -> fields, and hard link groups."""
        out, groups = {}, {}

        def visit(node, path):
            if node.type != "d":
                groups.setdefault(id(node), []).append(escape(path))
            size = {"f": len(node.data), "l": len(os.fsencode(node.link)), "d": 4096}.get(node.type, 0)
            content = "sha256:" + hashlib.sha256(node.data).hexdigest() if node.type == "f" else "-"
            xattrs = ",".join(sorted(escape(k) + "=" + escape(v) for k, v in node.xattrs.items()))
            out[escape(path)] = (node.type, f"{node.mode:o}", str(node.uid), str(node.gid),
                                 str(node.mtime), str(size), f"{node.rdev:x}", content,
                                 escape(node.link), xattrs)
            for name, child in node.children.items():
                visit(child, ("" if path == "/" else path) + "/" + name)

        visit(self.root, "/")
        return out, sorted(sorted(g) for g in groups.values() if len(g) > 1)


def parse_dump(text):
    """The same of oci_dump's output; also checks nlink and that inode numbers are dense."""
    out, groups, inos, nlinks, dir_nlinks = {}, {}, set(), {}, {}
    for line in text.splitlines():
        (type, mode, uid, gid, mtime, size, ino, nlink, rdev, content, path, link,
         xattrs) = line.split("\t")
        assert path not in out, f"{path} twice"
        out[path] = (type, mode, uid, gid, mtime, size, rdev, content, link,
                     ",".join(sorted(xattrs.split(","))) if xattrs else "")
        inos.add(int(ino))
        if type == "d":
            dir_nlinks[path] = int(nlink)
        else:
            groups.setdefault(ino, []).append(path)
            nlinks[ino] = int(nlink)
    for ino, paths in groups.items():
        assert nlinks[ino] == len(paths), f"{paths} have nlink {nlinks[ino]}"
    assert inos == set(range(1, len(inos) + 1)), "inode numbers have holes"
    subdirs = {}
    for path, fields in out.items():
        if fields[0] == "d" and path != "/":
            parent = path.rsplit("/", 1)[0] or "/"
            subdirs[parent] = subdirs.get(parent, 0) + 1
    for path, nlink in dir_nlinks.items():
        assert nlink == 2 + subdirs.get(path, 0), f"nlink of {path}"
    return out, sorted(sorted(g) for g in groups.values() if len(g) > 1)


def model_of(layers):
    m = Model()
    for n, data in enumerate(layers):
        m.apply(data, n + 1)
    return m.lines()


def umoci_tree(layout, tag, bundle):
    """The tree as umoci unpacks it without root: type, mode, size, content, link target by path."""
    subprocess.run(["umoci", "unpack", "--rootless", "--image", f"{layout}:{tag}", bundle], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    root, out = bundle + "/rootfs", {}
    for dir, dirs, files in os.walk(root):
        for name in dirs + files:
            full = os.path.join(dir, name)
            st = os.lstat(full)
            path = escape(full[len(root):])
            if os.path.islink(full):
                out[path] = ("l", escape(os.readlink(full)))
            elif os.path.isdir(full):
                out[path] = ("d", f"{st.st_mode & 0o7777:o}")
            else:
                with open(full, "rb") as f:
                    content = "sha256:" + hashlib.sha256(f.read()).hexdigest()
                out[path] = ("f", f"{st.st_mode & 0o7777:o}", str(st.st_size), content, str(int(st.st_mtime)))
    return out
