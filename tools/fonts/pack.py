"""Pack a TrueType font with zstd, in two frames: the tables before the outlines, then the rest.

So what characters a font has can be read without unpacking its outlines; `zstd -d` gives the whole font.

usage: pack.py FONT.ttf OUTPUT.zst
"""

import struct
import subprocess
import sys


def outlines(data):
    """Return where the first of the tables that hold the outlines begins."""
    (count,) = struct.unpack(">H", data[4:6])
    records = (struct.unpack(">4sIII", data[12 + 16 * i : 28 + 16 * i]) for i in range(count))
    return min(offset for tag, _, offset, _ in records if tag in (b"loca", b"glyf"))


def frame(data):
    zstd = ["zstd", "--ultra", "-22", "--long=27", "--single-thread", "--stream-size=%d" % len(data), "-q", "-c"]
    return subprocess.run(zstd, input=data, stdout=subprocess.PIPE, check=True).stdout


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with open(sys.argv[1], "rb") as f:
        data = f.read()
    cut = outlines(data)
    with open(sys.argv[2], "wb") as f:
        f.write(frame(data[:cut]) + frame(data[cut:]))


if __name__ == "__main__":
    main()
