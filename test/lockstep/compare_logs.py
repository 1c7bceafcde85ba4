#!/usr/bin/python3
"""Compares two commit logs (berth ... --log-commits FILE, lines "count pc hash").

  compare_logs.py REFERENCE LOG

REFERENCE is of an engine with one instruction a block (--torture=insn), so that it has a line for every count; every line of
LOG has to be in it. Prints the last line in common and the first that is not, and ends with 1 when there is one.
Two runs are comparable only where nothing depends on the host: `berth machine --icount` with a kernel that neither
asks for randomness nor is interrupted, or up to the first interrupt.
"""
import sys


def lines(path):
    with open(path) as f:
        for line in f:
            count, rest = line.rstrip("\n").split(" ", 1)
            yield int(count), rest


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    reference, common, compared = lines(sys.argv[1]), None, 0
    at = next(reference, None)
    for count, rest in lines(sys.argv[2]):
        seen = []
        while at is not None and at[0] <= count:
            if at[0] == count:
                seen.append(at[1])
            if at[0] == count and at[1] == rest:
                break
            at = next(reference, None)
        if at is None or at[0] > count:
            if at is None and not seen:
                break  # the reference ends earlier
            print(f"the last stop in common: {common}\ndiffers: {count} {rest}")
            for other in seen:
                print(f"reference: {count} {other}")
            return 1
        common, compared = f"{count} {rest}", compared + 1
    print(f"{compared} stops are the same")
    return 0 if compared else 1


if __name__ == "__main__":
    sys.exit(main())
