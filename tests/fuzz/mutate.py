"""Damage to files that keeps enough of their structure to get past the first check of a reader.

`mutate` knows PNG, TIFF, JPEG, BMP, zip, MATLAB and words (tables, JSON, TOML); each input follows from its generator
alone.
"""

from __future__ import annotations

import io
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Sequence
from random import Random

_PNG = b"\x89PNG\r\n\x1a\n"
# Numbers that break readers: nothing, one, edges of the types, more than there is.
NUMBERS: tuple[int, ...] = (
    0,
    1,
    2,
    3,
    4,
    7,
    8,
    9,
    12,
    14,
    15,
    16,
    24,
    31,
    32,
    33,
    64,
    127,
    128,
    255,
    256,
    1000,
    4096,
    13300,
)
NUMBERS += (32767, 32768, 65500, 65535, 65536, 100_000, 1 << 20, (1 << 24) - 1, 1 << 28, (1 << 31) - 1, 1 << 31)
NUMBERS += ((1 << 32) - 1, (1 << 32) - 8)
_TAGS: tuple[int, ...] = (
    254,
    256,
    257,
    258,
    259,
    262,
    266,
    270,
    273,
    274,
    277,
    278,
    279,
    284,
    305,
    317,
    320,
    322,
    323,
    324,
    325,
)
_TAGS += (330, 338, 339, 347, 530, 532, 32997, 32998, 33628, 33629, 34377, 34412, 34665, 42113, 50674, 50838, 50839)
_TAGS += (65426, 65420, 65000)
_COMPRESSIONS: tuple[int, ...] = (
    0,
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    32773,
    32809,
    32946,
    33003,
    34712,
    34887,
    34892,
    34925,
    34933,
    34934,
)
_COMPRESSIONS += (48124, 50000, 50001, 50002, 65000)
_WORDS: tuple[bytes, ...] = (
    b"",
    b'"',
    b"'",
    b",",
    b";",
    b"\t",
    b"\n",
    b"\r",
    b"\0",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b"=",
    b"#",
    b"-1",
)
_WORDS += (b"nan", b"inf", b"-inf", b"1e999", b"0", b"1", b"null", b"true", b"[[1,2]]", b'{"a":1}', b"../../x", b"\xff")
_WORDS += (b"\xef\xbb\xbf", "é".encode(), "\u2028".encode(), b"9" * 30, b"99999999999999999999", b"1_000", b"0x10")
_WORDS += (b"[" * 3000, b'"x,y\n', b"image,x,y\n", b"a,1,2,3,4,5,6\n")


def mutate(data: bytes, random: Random, others: Sequence[bytes] = ()) -> bytes:
    """Damage a file once to four times; `others` are files that pieces may come from."""
    for _ in range(random.choice((1, 1, 1, 2, 2, 3, 4))):
        data = _mutate_once(data, random, others)
    return data


def _mutate_once(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    kind = next((change for start, change in _KINDS if data.startswith(start)), None)
    if kind is not None and random.random() < 0.7:
        try:
            return kind(data, random)
        except Exception:  # earlier damage broke the structure: unpacking fails in as many ways as there are
            pass
    elif kind is None and random.random() < 0.6:
        return mutate_words(data, random)
    return mutate_bytes(data, random, others)


def mutate_bytes(data: bytes, random: Random, others: Sequence[bytes] = ()) -> bytes:
    """Change bytes wherever they lie."""
    if not data:
        return bytes(random.randrange(256) for _ in range(random.randrange(20)))
    out = bytearray(data)
    place = random.randrange(len(out))
    size = min(random.choice((1, 1, 2, 4, 8, 16, 100, 1000)), len(out) - place)
    match random.randrange(8):
        case 0:
            out[place] ^= 1 << random.randrange(8)
        case 1:
            out[place : place + size] = bytes(random.randrange(256) for _ in range(size))
        case 2:
            out[place : place + size] = bytes(size) if random.random() < 0.5 else b"\xff" * size
        case 3:
            del out[place : place + size]
        case 4:
            out[place:place] = out[place : place + size] * random.choice((1, 1, 2, 50))
        case 5:
            del out[place:]
        case 6:
            width = random.choice((2, 4, 8))
            number = random.choice(NUMBERS) % (1 << 8 * width)
            out[place : place + width] = number.to_bytes(width, random.choice(("little", "big")))
        case 7:
            other = random.choice(others) if others else data
            start = random.randrange(len(other)) if other else 0
            out[place : place + size] = other[start : start + size]
    return bytes(out)


def mutate_words(data: bytes, random: Random) -> bytes:
    """Put words that mean something to tables, JSON or TOML between or over those there are."""
    cuts = [0, *(k + 1 for k, byte in enumerate(data) if byte in b',;\t\n:=[]{} "'), len(data)]
    first, second = random.choice(cuts), random.choice(cuts)
    start, stop = min(first, second), max(first, second)
    match random.randrange(4):
        case 0:
            return data[:start] + random.choice(_WORDS) + data[start:]
        case 1:
            after = next((cut for cut in cuts if cut > start), len(data))
            return data[:start] + random.choice(_WORDS) + data[max(after - 1, start) :]
        case 2:
            return data[:start] + data[stop:]
        case _:
            return data[:stop] + data[start:stop] + data[stop:]


def png_chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """Kind and content of each chunk of a PNG file."""
    chunks, place = [], len(_PNG)
    while place + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, place)
        chunks.append((kind, data[place + 8 : place + 8 + size]))
        place += 12 + size
    return chunks


def write_png(chunks: Sequence[tuple[bytes, bytes]]) -> bytes:
    """A PNG file of the chunks, with right checksums."""
    parts = [
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    ]
    return _PNG + b"".join(parts)


def mutate_png(data: bytes, random: Random) -> bytes:
    """Change chunks, and put their checksums right."""
    chunks = png_chunks(data)
    at = random.randrange(len(chunks))
    kind, body = chunks[at]
    match random.randrange(7):
        case 0:
            header = bytearray(chunks[0][1])
            field = random.randrange(7)
            if field < 2:
                header[4 * field : 4 * field + 4] = (random.choice(NUMBERS) % (1 << 32)).to_bytes(4, "big")
            else:
                header[8 + field - 2] = random.choice((0, 1, 2, 3, 4, 6, 8, 16, 255))
            chunks[0] = (chunks[0][0], bytes(header))
        case 1:
            del chunks[at]
        case 2:
            chunks.insert(random.randrange(len(chunks)), chunks[at])
        case 3:
            kinds = (b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"eXIf", b"acTL", b"fcTL", b"fdAT", b"iCCP", b"zTXt")
            new = random.choice(kinds), mutate_bytes(body, random)
            chunks.insert(1 + random.randrange(len(chunks)), new)
        case 4:
            chunks[at] = kind, mutate_bytes(body, random)
        case 5:
            random.shuffle(chunks)
        case 6:
            raw = zlib.decompress(b"".join(body for kind, body in chunks if kind == b"IDAT"))
            raw = mutate_bytes(raw, random)
            if random.random() < 0.2:
                raw += bytes(random.choice((1000, 100_000)))
            first = next(k for k, (kind, _) in enumerate(chunks) if kind == b"IDAT")
            chunks[first] = b"IDAT", zlib.compress(raw)
    return write_png(chunks)


def mutate_tiff(data: bytes, random: Random) -> bytes:
    """Change an entry of the first directory: its tag, its type, its count or its value."""
    order = "<" if data[:2] == b"II" else ">"
    big = struct.unpack_from(order + "H", data, 2)[0] == 43
    (place,) = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)
    (count,) = struct.unpack_from(order + ("Q" if big else "H"), data, place)
    first, size = place + (8 if big else 2), 20 if big else 12
    out = bytearray(data)
    at = first + size * random.randrange(min(count, 200))
    word = "Q" if big else "I"
    tag, kind = struct.unpack_from(order + "HH", data, at)
    value_at = at + 4 + struct.calcsize(word)
    value = random.choice(_COMPRESSIONS) if tag == 259 else random.choice(NUMBERS)
    match random.randrange(6):
        case 0:
            struct.pack_into(order + "H", out, at, random.choice(_TAGS))
        case 1:
            struct.pack_into(order + "H", out, at + 2, random.choice((0, 1, 2, 3, 4, 5, 7, 10, 11, 12, 13, 16, 99)))
        case 2:
            struct.pack_into(order + word, out, at + 4, random.choice(NUMBERS))
        case 3 | 4:
            width = {1: "B", 3: "H", 4: "I", 16: "Q"}.get(kind, "I")
            value %= 1 << 8 * struct.calcsize(width)
            where = value_at
            (number,) = struct.unpack_from(order + word, data, at + 4)
            if number * struct.calcsize(width) > struct.calcsize(word):
                (there,) = struct.unpack_from(order + word, data, value_at)
                where = there + struct.calcsize(width) * random.randrange(min(number, 1000))
            struct.pack_into(order + width, out, where, value)
        case 5:
            struct.pack_into(order + word, out, place if random.random() < 0.1 else value_at, random.choice(NUMBERS))
    return bytes(out)


def mutate_jpeg(data: bytes, random: Random) -> bytes:
    """Change a segment of a JPEG file: its kind, its length, its content; drop it or repeat it."""
    places, place = [], 2
    while place + 4 <= len(data) and data[place] == 0xFF and data[place + 1] != 0xD9:
        size = 2 + struct.unpack_from(">H", data, place + 2)[0]
        places.append((place, size))
        if data[place + 1] == 0xDA:
            break
        place += size
    place, size = random.choice(places)
    out = bytearray(data)
    match random.randrange(5):
        case 0:
            out[place + 1] = random.choice((0xC0, 0xC1, 0xC2, 0xC3, 0xC4, 0xC9, 0xDA, 0xDB, 0xDD, 0xE1, 0xEE, 0xD9))
        case 1:
            struct.pack_into(">H", out, place + 2, random.choice(NUMBERS) % 65536)
        case 2:
            at = place + 4 + random.randrange(max(size - 4, 1))
            out[at] = random.choice((0, 1, 2, 3, 4, 8, 12, 16, 0x11, 0x22, 0x41, 128, 255))
        case 3:
            del out[place : place + size]
        case 4:
            out[place:place] = out[place : place + size] * random.choice((1, 1, 40))
    return bytes(out)


def mutate_bmp(data: bytes, random: Random) -> bytes:
    """Change a field of the headers of a BMP file."""
    out = bytearray(data)
    at, width = random.choice(((2, 4), (10, 4), (14, 4), (18, 4), (22, 4), (26, 2), (28, 2), (30, 4), (34, 4), (46, 4)))
    number = random.choice(NUMBERS) if random.random() < 0.8 else -random.choice(NUMBERS)
    out[at : at + width] = (number % (1 << 8 * width)).to_bytes(width, "little")
    return bytes(out)


def mutate_zip(data: bytes, random: Random) -> bytes:
    """Change a member of an archive, drop it, or add it under another name; all checksums are right."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(each.filename, archive.read(each)) for each in archive.infolist()]
    at = random.randrange(len(members))
    name, body = members[at]
    match random.randrange(6):
        case 0:
            del members[at]
        case 1:
            members.insert(random.randrange(len(members)), (random.choice((name, f"{name}x", "../x", "")), body))
        case _:
            members[at] = name, mutate_bytes(body, random)
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", random.choice((0, zipfile.ZIP_DEFLATED))) as archive:
        warnings.simplefilter("ignore")  # of two members with one name
        for name, body in members:
            archive.writestr(zipfile.ZipInfo(name), body)
    return buffer.getvalue()


def mutate_matlab(data: bytes, random: Random) -> bytes:
    """Change what a packed element of a MATLAB file holds."""
    (size,) = struct.unpack_from("<I", data, 132)
    packed = zlib.compress(mutate_bytes(zlib.decompress(data[136 : 136 + size]), random))
    return data[:132] + struct.pack("<I", len(packed)) + packed


_KINDS: tuple[tuple[bytes, Callable[[bytes, Random], bytes]], ...] = (
    (_PNG, mutate_png),
    (b"II*\0", mutate_tiff),
    (b"MM\0*", mutate_tiff),
    (b"II+\0", mutate_tiff),
    (b"\xff\xd8", mutate_jpeg),
    (b"BM", mutate_bmp),
    (b"PK\x03\x04", mutate_zip),
    (b"MATLAB", mutate_matlab),
)
