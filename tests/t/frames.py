# SPDX-License-Identifier: Apache-2.0
"""Binary streams that chroma-walfilter would not write.

frames.py TYPE FLAGS    a stream of one record: a frame of this type
frames.py stray N       the same with type 18 and bit N of the payload flipped
"""
import struct
import sys


def crc32c(data, crc=0):
    crc ^= 0xffffffff
    for b in data:
        crc ^= b
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def frame(kind, flags, payload):
    head = struct.pack("<IHH", len(payload), kind, flags) + payload
    return head + struct.pack("<I", crc32c(head)), crc32c(head)


def text(s):
    return (struct.pack("<I", len(s)) + s + b"\0\0\0")[:(len(s) + 7) // 4 * 4]


def record():
    """{"type":"record","id":"a"}"""
    return struct.pack("<IBBHqQI10I", 1 << 8, 0, 0, 0, 0, 0, 0,
                       0, 0, 0, 0, 0, 1, 0, 0, 0, 0) + b"a\0\0\0"


def stream(*frames):
    out, running = b"\x89CHS\r\n\x1a\x01", 0
    for f in frames:
        data, crc = frame(*f)
        running = crc32c(struct.pack("<I", crc), running)
        out += data
    return out + frame(2, 1, struct.pack("<QI", len(frames) - 1, running))[0]


begin = (1, 1, text(b'{"type":"begin","stream":"wal","version":1}'))
if sys.argv[1] == "stray":
    payload, n = bytearray(record()), int(sys.argv[2])
    payload[n // 8] ^= 1 << n % 8
    one = (18, 1, bytes(payload))
else:
    one = (int(sys.argv[1]), int(sys.argv[2]), record())
sys.stdout.buffer.write(stream(begin, one))
