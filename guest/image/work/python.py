"""What Python programs do, from the standard library: containers, text, classes, numbers, files, the language itself."""

import ast
import base64
import bisect
import collections
import contextlib
import copy
import csv
import dataclasses
import datetime
import decimal
import difflib
import enum
import fractions
import functools
import hashlib
import heapq
import io
import itertools
import json
import math
import operator
import os
import pathlib
import pickle
import random
import re
import shutil
import statistics
import string
import struct
import sys
import tempfile
import textwrap
import time
import tokenize
import types
import typing
import unittest

LIBRARY = pathlib.Path(os.__file__).parent
rng = random.Random(42)
TEXT = (LIBRARY / "argparse.py").read_text(encoding="utf-8")


def containers():
    numbers = [rng.randrange(10_000) for _ in range(3000)]
    squares = {n: n * n for n in numbers if n % 2}
    odd = {n for n in numbers if n & 1}
    pairs = sorted(zip(numbers, reversed(numbers)), key=lambda p: (p[1] % 100, p[0]))
    assert len(odd) == len(squares)
    groups = collections.defaultdict(list)
    for a, b in pairs:
        groups[a % 13].append(b)
    counter = collections.Counter(n % 50 for n in numbers)
    counter.update(counter.most_common(3)[0][0] for _ in range(10))
    queue = collections.deque(numbers[:500], maxlen=300)
    queue.rotate(7)
    while len(queue) > 10:
        queue.append(queue.popleft() + queue.popleft())
        queue.pop()
    heap = numbers[:800]
    heapq.heapify(heap)
    order = [heapq.heappop(heap) for _ in range(400)]
    assert order == sorted(order)
    merged = list(heapq.merge(order, sorted(odd)))
    for n in numbers[:500]:
        bisect.insort(merged, n)
    grid = [[(i * k) % 7 for k in range(40)] for i in range(40)]
    turned = [list(row) for row in zip(*grid)]
    flat = list(itertools.chain.from_iterable(turned))
    first, *middle, last = flat
    runs = [(k, sum(1 for _ in g)) for k, g in itertools.groupby(flat)]
    total = functools.reduce(operator.add, (n for _, n in runs), 0)
    chained = collections.ChainMap({"a": 1}, {"b": 2}, squares)
    table = {**{str(k): v for k, v in groups.items()}, "end": [first, last]}
    table.setdefault("more", []).extend(middle[10:30:3])
    for key in list(table):
        if len(table[key]) > 200:
            del table[key]
    numbers.sort()
    numbers[10:20] = []
    numbers.insert(0, -1)
    numbers.remove(numbers[5])
    s, t = set(range(300)), frozenset(range(150, 450))
    return total, len(chained), len(s & t), len(s | t), len(s ^ t), len(s - t), max(table, key=len), numbers.index(-1)


def text():
    words = re.findall(r"[A-Za-z_]+", TEXT)
    common = collections.Counter(w.lower() for w in words).most_common(10)
    lines = TEXT.splitlines()
    stripped = [line.strip() for line in lines if line and not line.lstrip().startswith("#")]
    table = [f"{w:<14}|{n:>6d}|{n / len(words):8.3%}" for w, n in common]
    table += ["%-10s %5d %6.2f %r" % (w, n, n / 7, w) for w, n in common]
    table += ["{0:>12} {1:#x} {1:,} {name!s}".format(w, n * 1000, name=w.title()) for w, n in common]
    definitions = re.compile(r"^\s*def (?P<name>\w+)\((?P<args>[^)]*)\)", re.M)
    names = {m["name"]: m["args"].split(", ") for m in definitions.finditer(TEXT)}
    swapped = re.sub(r"(\w+) = (\w+)", lambda m: f"{m[2]} <- {m[1]}", TEXT[:20_000])
    joined = " ".join(stripped[:400])
    wrapped = textwrap.fill(joined, 70, initial_indent="  ")
    dedented = textwrap.dedent(textwrap.indent(wrapped, "    "))
    upper = dedented.upper().translate(str.maketrans(string.ascii_uppercase, string.ascii_lowercase[::-1]))
    pieces = upper.partition(" ")[2].split(",")
    found = sum(joined.find(w) >= 0 and w in swapped for w in set(words[:300]))
    chars = "".join(chr(ord(c) + 1) if c.isalpha() else c for c in joined[:5000])
    unicode = "grüße, ₤ 漢字 🙂" * 20
    data = unicode.encode("utf-8")
    assert data.decode("utf-8") == unicode and base64.b64decode(base64.b64encode(data)) == data
    difference = list(difflib.unified_diff(lines[:120], [x for i, x in enumerate(lines[:120]) if i % 9], lineterm=""))
    close = difflib.get_close_matches("argumen", list(names), n=3)
    template = string.Template("$who has $count").substitute(who="it", count=len(pieces))
    return len(table), len(names), found, len(chars), len(difference), close, template, joined.count("the"), joined.replace("e", "E")[:5]


class Shape:
    sides = 0
    made = 0

    def __init__(self, name, scale=1.0):
        self.name = name
        self.scale = scale
        Shape.made += 1

    def area(self):
        raise NotImplementedError(self.name)

    def __lt__(self, other):
        return self.area() < other.area()

    def __repr__(self):
        return f"{type(self).__name__}({self.name!r}, {self.scale:.1f})"


class Square(Shape):
    sides = 4

    def __init__(self, name, edge):
        super().__init__(name, edge)
        self._edge = edge

    @property
    def edge(self):
        return self._edge

    @edge.setter
    def edge(self, value):
        if value < 0:
            raise ValueError("negative")
        self._edge = value

    def area(self):
        return self.edge * self._edge


class Circle(Shape):
    __slots__ = ("radius",)

    def __init__(self, name, radius):
        super().__init__(name)
        self.radius = radius

    def area(self):
        return math.pi * self.radius**2

    @classmethod
    def unit(cls):
        return cls("unit", 1)

    @staticmethod
    def describe(*args, **options):
        return len(args) + len(options)


class Color(enum.Enum):
    RED = 1
    GREEN = 2
    BLUE = 3


class Flags(enum.IntFlag):
    READ = enum.auto()
    WRITE = enum.auto()


@dataclasses.dataclass(order=True)
class Item:
    weight: float
    name: str = dataclasses.field(compare=False)
    tags: list = dataclasses.field(default_factory=list, compare=False)


@dataclasses.dataclass(frozen=True)
class Point:
    x: int
    y: int

    def __add__(self, other):
        return Point(self.x + other.x, self.y + other.y)


class Pair(typing.NamedTuple):
    left: int
    right: int


class Stack:
    def __init__(self):
        self.items = []

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        return self.items[i]

    def __setitem__(self, i, value):
        self.items[i] = value

    def __contains__(self, value):
        return value in self.items

    def __iter__(self):
        return iter(self.items)

    def __getattr__(self, name):
        return getattr(self.items, name)

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.items.clear()


def classes():
    shapes = [Square(f"s{i}", i % 17) if i % 2 else Circle(f"c{i}", i % 11) for i in range(600)]
    for s in shapes:
        if isinstance(s, Square):
            s.edge = s.edge + 1
    shapes.sort()
    largest = max(shapes, key=lambda s: s.area())
    items = sorted(Item(rng.random(), f"item {i}", [i]) for i in range(300))
    lighter = [dataclasses.replace(i, weight=i.weight / 2) for i in items[:50]]
    path = functools.reduce(operator.add, (Point(i, -i) for i in range(300)))
    places = {Point(i % 20, i % 7): i for i in range(400)}
    pairs = [Pair(i, i * i % 31)._replace(left=0) for i in range(200)]
    with Stack() as stack:
        for i in range(300):
            stack.append(i)
            stack[len(stack) - 1] += 1
        total = sum(stack) + (5 in stack) + Circle.describe(*range(5), a=1, b=2)
    colors = [Color((i % 3) + 1).name for i in range(200)]
    modes = [Flags.READ | (Flags.WRITE if i % 2 else Flags(0)) for i in range(100)]
    copies = copy.deepcopy(items[:60])
    assert copies == items[:60] and json.dumps(dataclasses.asdict(lighter[0]))
    dynamic = type("Dynamic", (Shape,), {"area": lambda self: 1, "__hash__": object.__hash__})
    setattr(dynamic, "extra", types.SimpleNamespace(a=1))
    return repr(largest), path, len(places), pairs[-1], total, colors.count("RED"), modes.count(Flags.READ), dynamic("d").extra.a


def generators():
    def primes():
        found = {}
        n = 2
        while True:
            if n in found:
                for p in found.pop(n):
                    found.setdefault(n + p, []).append(p)
            else:
                yield n
                found[n * n] = [n]
            n += 1

    def walk(tree):
        if isinstance(tree, list):
            for branch in tree:
                yield from walk(branch)
        else:
            yield tree

    def averager():
        total = count = 0
        value = None
        while True:
            total += yield value
            count += 1
            value = total / count

    @functools.lru_cache(maxsize=None)
    def ways(n, coins=(50, 20, 10, 5, 2, 1)):
        if n == 0:
            return 1
        return sum(ways(n - c, tuple(d for d in coins if d <= c)) for c in coins if c <= n)

    @contextlib.contextmanager
    def timed(log):
        begin = time.perf_counter()
        try:
            yield
        finally:
            log.append(time.perf_counter() - begin)

    log = []
    with timed(log):
        some = list(itertools.islice(primes(), 400))
    tree = [1, [2, [3, 4], [5, [6, [7]]]], 8] * 60
    a = averager()
    next(a)
    averages = [a.send(n) for n in some]
    nested = [[x, y] for x in range(30) for y in range(x) if (x + y) % 3 == 0]
    product = sum(x * y for x, y in itertools.product(range(40), repeat=2))
    order = list(itertools.permutations(range(5)))
    handlers = {"add": operator.add, "mul": operator.mul, "pow": pow}
    results = [handlers[name](i, 3) for i in range(100) for name in handlers]
    add = functools.partial(operator.add, 10)
    counter = itertools.count(5, 5)
    windows = [sum(w) for w in zip(some, some[1:], some[2:])]

    def closure():
        n = 0

        def step(by=1, *, twice=False):
            nonlocal n
            n += by * 2 if twice else by
            return n

        return step

    step = closure()
    for i in range(500):
        step(i, twice=i % 2 == 0)
    return sum(walk(tree)), averages[-1], len(nested), product, len(order), sum(results), add(5), next(counter), ways(60), step(), windows[-1], list(map(add, filter(None, range(5)))), any(log), all(some)


class Problem(Exception):
    def __init__(self, code):
        super().__init__(f"problem {code}")
        self.code = code


def exceptions():
    def deep(n):
        if n == 0:
            raise Problem(7)
        try:
            deep(n - 1)
        finally:
            counts["unwound"] += 1

    counts = collections.Counter()
    for i in range(400):
        try:
            if i % 5 == 0:
                deep(8)
            elif i % 5 == 1:
                {}["missing"]
            elif i % 5 == 2:
                [][i]
            elif i % 5 == 3:
                int("x%d" % i)
            else:
                None.attribute
        except Problem as e:
            counts[e.code] += 1
        except (KeyError, IndexError) as e:
            counts[type(e).__name__] += 1
        except ValueError:
            counts["value"] += 1
        except Exception as e:
            counts[str(e)] += 1
        else:
            counts["none"] += 1
    with contextlib.suppress(ZeroDivisionError):
        1 // 0
    try:
        try:
            raise OSError(2, "no such thing", "name")
        except OSError as e:
            raise RuntimeError("again") from e
    except RuntimeError as e:
        counts[repr(e.__cause__)] += 1
    return sorted(map(str, counts))


def numbers():
    total = 0
    for i in range(6000):
        total = (total * 31 + i) % 1_000_003
        if total & 8:
            total ^= i << 2
        total -= i // 3
    big = math.factorial(200) // 3**50
    powers = [pow(3, n, 10**9 + 7) for n in range(300)]
    digits = str(2**1000)
    floats = [math.sin(i / 10) * math.sqrt(i) + i**0.5 / (i + 1) for i in range(1500)]
    values = [round(f, 3) for f in floats]
    data = [rng.gauss(10, 2) for _ in range(400)]
    stats = statistics.mean(data), statistics.stdev(data), statistics.median(data), statistics.quantiles(data, n=4)
    spread = statistics.linear_regression(range(50), [2 * v + 1 for v in range(50)])
    with decimal.localcontext() as context:
        context.prec = 40
        root = decimal.Decimal(2).sqrt()
        money = sum((decimal.Decimal("0.10") * i).quantize(decimal.Decimal("0.01")) for i in range(200))
    third = sum((fractions.Fraction(1, n) for n in range(1, 40)), fractions.Fraction(0))
    z = sum(complex(i, -i) ** 2 for i in range(50))
    rng.shuffle(values)
    chosen = rng.sample(values, 50) + rng.choices(values, k=50)
    dates = [datetime.date(2024, 1, 1) + datetime.timedelta(days=7 * i) for i in range(120)]
    weeks = {d.isocalendar().week for d in dates}
    stamps = [datetime.datetime(2026, 5, 4, i % 24, i % 60, tzinfo=datetime.timezone.utc).isoformat() for i in range(120)]
    parsed = [datetime.datetime.fromisoformat(s) for s in stamps]
    shown = [d.strftime("%A %d %B %Y, week %V") for d in dates[:40]]
    when = datetime.datetime.strptime("2026-03-04 05:06:07", "%Y-%m-%d %H:%M:%S")
    packed = b"".join(struct.pack("<IhdB", i, -i, i / 3, i % 256) for i in range(200))
    unpacked = [struct.unpack_from("<IhdB", packed, i * struct.calcsize("<IhdB")) for i in range(200)]
    texts = [int(t) + float(t + ".5") for t in map(str, range(500))]
    formatted = [format(f, ".4g") + repr(f) + hex(i) + bin(i) for i, f in enumerate(floats[:300])]
    return total, big % 997, powers[-1], digits[:5], max(values), stats[0] > 0, spread, root, money, third.denominator, z, len(chosen), len(weeks), parsed[3], shown[0], when, unpacked[7], sum(texts), len(formatted), divmod(-7, 3), math.gcd(84, 36)


def files(folder):
    rows = [{"id": i, "name": f"name {i}", "value": i * 1.5, "note": 'with "quotes", commas'} for i in range(300)]
    path = folder / "rows.csv"
    with path.open("w", newline="") as f:
        writer = csv.DictWriter(f, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    with path.open(newline="") as f:
        back = list(csv.DictReader(f))
    assert len(back) == len(rows) and back[3]["note"] == rows[3]["note"]
    document = {"rows": rows, "nested": [[None, True, 1.5e10, "ü\n"]] * 50, "empty": {}}
    for options in ({}, {"indent": 2, "sort_keys": True}, {"ensure_ascii": False, "separators": (",", ":")}):
        dumped = json.dumps(document, **options)
        assert json.loads(dumped) == document
    (folder / "data.json").write_text(dumped)
    pickled = pickle.dumps(document)
    assert pickle.loads(pickled) == document
    digest = hashlib.sha256(pickled)
    for i in range(50):
        digest.update(hashlib.md5(pickled[i:]).digest())
    buffer = io.StringIO()
    for row in rows:
        print(*row.values(), sep="\t", file=buffer)
    buffer.seek(0)
    longest = max(buffer, key=len)
    with open(folder / "lines", "w") as f:
        for i in range(3000):
            f.write(f"{i}: {i * i}\n")
    with open(folder / "lines", "rb") as f:
        count = sum(1 for line in f if line.rstrip().endswith(b"1"))
    for root, folders, names in os.walk(LIBRARY / "json"):
        for name in names:
            shutil.copy(os.path.join(root, name), folder / f"copy-{name}")
    sizes = {p.suffix: p.stat().st_size for p in sorted(folder.glob("*")) if p.is_file()}
    data = bytearray(range(256)) * 20
    view = memoryview(data)[100:4000:2]
    return len(longest), count, sizes[".csv"] > 0, digest.hexdigest()[:8], sum(view) % 255, data.find(b"\x10\x11"), os.path.splitext("a/b.tar.gz")


def language(folder):
    names = ["dataclasses", "heapq", "textwrap", "queue", "ast", "functools"]
    counts = collections.Counter()
    for name in names:
        source = (LIBRARY / f"{name}.py").read_text(encoding="utf-8")
        tree = ast.parse(source)
        counts.update(type(node).__name__ for node in ast.walk(tree))
        code = compile(source, name, "exec")
        counts["constants"] += len(code.co_consts)
        if name in ("heapq", "queue"):
            counts["tokens"] += sum(1 for _ in tokenize.generate_tokens(io.StringIO(source).readline))
            counts["unparsed"] += len(ast.unparse(tree))

    class Renamer(ast.NodeTransformer):
        def visit_Name(self, node):
            return ast.copy_location(ast.Name(id=node.id, ctx=node.ctx), node)

    Renamer().visit(tree)
    scope = {}
    exec("def f(a, b=2, *c, d, **e):\n    return a + b + sum(c) + d + len(e)\n", scope)
    assert scope["f"](1, 2, 3, 4, d=5, x=6) == 16 and eval("[i for i in range(5)][-1]") == 4
    import py_compile

    for name in ("base64", "bisect", "shutil", "statistics"):
        py_compile.compile(str(LIBRARY / f"{name}.py"), cfile=str(folder / f"{name}.pyc"))

    def shape(value):
        match value:
            case []:
                return "empty"
            case [x, *_] if x == 1:
                return "one"
            case {"kind": str(kind)}:
                return kind
            case Point(x=0, y=y):
                return y
            case int() | float():
                return "number"
            case _:
                return None

    shapes = [shape(v) for v in ([], [1, 2], {"kind": "k"}, Point(0, 3), 5, "s") * 40]
    return counts.most_common(3), len(shapes), sys.getsizeof(tree) > 0


class Tests(unittest.TestCase):
    def setUp(self):
        self.values = list(range(20))

    def test_sum(self):
        self.assertEqual(sum(self.values), 190)
        for v in self.values:
            with self.subTest(v=v):
                self.assertIn(v, self.values)

    def test_raises(self):
        with self.assertRaisesRegex(ValueError, "invalid literal"):
            int("x")

    def test_almost(self):
        self.assertAlmostEqual(0.1 + 0.2, 0.3)
        self.assertDictEqual({"a": 1}, dict(a=1))


class Part:
    made = 0

    def __init__(self, name, price, stock=0):
        self.name, self.price, self.stock = name, price, stock
        Part.made += 1

    def value(self):
        return self.price * self.stock

    @property
    def title(self):
        return "%s (%d at %.2f)" % (self.name, self.stock, self.price)

    def __lt__(self, other):
        return self.value() < other.value()


def reports():
    parts = {}
    for i in range(1500):
        name = "part %d" % (i % 90)
        part = parts.get(name)
        if part is None:
            part = parts[name] = Part(name, i % 31 + 0.25)
        part.stock += 1 if part.price < 20 else 2
    lines = ["%-12s|%6d|%9.2f|%x" % (p.name, p.stock, p.value(), p.stock * 255) for p in sorted(parts.values())]
    lines += [p.title for p in parts.values() if p.stock > 20]
    lengths, letters = {}, {}
    for line in "\n".join(lines).split("\n"):
        for word in line.split("|"):
            word = word.strip()
            lengths.setdefault(len(word), []).append(word)
        for letter in line:
            letters[letter] = letters.get(letter, 0) + 1
    first = sorted(letters.items(), key=lambda pair: (-pair[1], pair[0]))[0]
    total = 0
    for size in sorted(lengths):
        total = (total * 31 + size * len(lengths[size])) & 0xFFFF
    while total > 9:
        total = sum(int(digit) for digit in str(total))
    return first, total, Part.made, max(parts.values()).name


def tests():
    out = io.StringIO()
    for _ in range(3):
        suite = unittest.defaultTestLoader.loadTestsFromTestCase(Tests)
        assert unittest.TextTestRunner(out, verbosity=2).run(suite).wasSuccessful()
    return len(out.getvalue()) > 0


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        parts = [containers, text, classes, generators, exceptions, numbers, reports, lambda: files(folder), lambda: language(folder), tests]
        for _ in range(2):
            for part in parts:
                begin = time.perf_counter()
                result = part()
                if "-v" in sys.argv:
                    print(f"{part.__name__:12} {time.perf_counter() - begin:.3f} {result}")


if __name__ == "__main__":
    main()
