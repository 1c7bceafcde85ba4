# A loop of what Python programs are made of: attributes, calls, lists, dictionaries, strings, integers
# and floats. Prints as bench.h does: RESULT SECONDS 0.
import time

ROUNDS = 2000


class Record:
    def __init__(self, name, number, following=None):
        self.name = name
        self.number = number
        self.following = following

    def copy(self):
        return Record(self.name, self.number, self.following)


def chain(records, n):
    head = None
    for i in range(n):
        head = Record("r%d" % i, i * 3, head)
        records[head.name] = head
    return head


def walk(record):
    total = 0
    while record is not None:
        if record.number % 2 == 0 or len(record.name) > 2:
            total += record.number
        record = record.following
    return total


def letters(text):
    counts = {}
    for c in text:
        counts[c] = counts.get(c, 0) + 1
    return sorted(counts.items())[0][1]


def matrix(n):
    a = [[float(i * j % 7) for j in range(n)] for i in range(n)]
    return int(sum(a[i][k] * a[k][i] for i in range(n) for k in range(n)))


def main():
    begin = time.monotonic()
    result = 0
    for i in range(ROUNDS):
        records = {}
        head = chain(records, 12)
        result = (result * 31 + walk(head) + records["r7"].copy().number) & 0xFFFFFFFF
        result ^= letters("in a tab of the browser %d" % i)
        result += matrix(4)
    print("%x %.6f 0" % (result, time.monotonic() - begin))
    if result != EXPECTED:
        raise SystemExit("wrong: expected %x" % EXPECTED)


EXPECTED = 0xC632E160
main()
