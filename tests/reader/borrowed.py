"""What the format takes from elsewhere: CRC32C, XXH3 and zstd."""
import array
import ctypes
import sys

from damage import Malformed

# CRC32C, two bytes a step.

assert sys.byteorder == "little"  # of the pairs


def _after_byte(crc):
    for _ in range(8):
        crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc


_BYTE = [_after_byte(n) for n in range(1 << 8)]


def _step(crc):
    return _BYTE[crc & 0xFF] ^ crc >> 8


_PAIR = [_step(_step(n)) for n in range(1 << 16)]


def crc32c(data, crc=0):
    """Go on from `crc`, the CRC32C of what comes before."""
    crc ^= 0xFFFFFFFF
    even = len(data) & ~1
    for pair in array.array("H", bytes(data[:even])):
        crc = _PAIR[(crc ^ pair) & 0xFFFF] ^ crc >> 16
    if even < len(data):
        crc = _step(crc ^ data[even])
    return crc ^ 0xFFFFFFFF


# XXH3.

_xxhash = ctypes.CDLL("libxxhash.so.0")
_xxhash.XXH3_64bits_withSeed.restype = ctypes.c_uint64
_xxhash.XXH3_64bits_withSeed.argtypes = (ctypes.c_char_p, ctypes.c_size_t,
                                         ctypes.c_uint64)


def xxh3(data, seed=0):
    """XXH3, 64 bits."""
    return _xxhash.XXH3_64bits_withSeed(data, len(data), seed)


class _Hash128(ctypes.Structure):
    _fields_ = [("low", ctypes.c_uint64), ("high", ctypes.c_uint64)]


_xxhash.XXH3_128bits_withSeed.restype = _Hash128
_xxhash.XXH3_128bits_withSeed.argtypes = (ctypes.c_char_p, ctypes.c_size_t,
                                          ctypes.c_uint64)


def xxh3_128(data, seed=0):
    """XXH3, 128 bits, in canonical order."""
    h = _xxhash.XXH3_128bits_withSeed(data, len(data), seed)
    return h.high.to_bytes(8, "big") + h.low.to_bytes(8, "big")


# zstd.

_MAGIC = b"\x28\xb5\x2f\xfd"
RAW_BYTES_MAX = 16 << 20

_zstd = ctypes.CDLL("libzstd.so.1")
_zstd.ZSTD_createDCtx.restype = ctypes.c_void_p
_zstd.ZSTD_DCtx_refPrefix.restype = ctypes.c_size_t
_zstd.ZSTD_DCtx_refPrefix.argtypes = (ctypes.c_void_p, ctypes.c_char_p,
                                      ctypes.c_size_t)
_zstd.ZSTD_decompressDCtx.restype = ctypes.c_size_t
_zstd.ZSTD_decompressDCtx.argtypes = (ctypes.c_void_p, ctypes.c_char_p,
                                      ctypes.c_size_t, ctypes.c_char_p,
                                      ctypes.c_size_t)
_context = _zstd.ZSTD_createDCtx()


def unpack(packed, raw_bytes, prefix=b""):
    """A zstd frame without its magic, which may reach back into `prefix`."""
    if raw_bytes > RAW_BYTES_MAX:
        raise Malformed(f"packed: {raw_bytes} bytes")
    frame = _MAGIC + packed
    room = ctypes.create_string_buffer(max(raw_bytes, 1))
    _zstd.ZSTD_DCtx_refPrefix(_context, prefix, len(prefix))
    got = _zstd.ZSTD_decompressDCtx(_context, room, raw_bytes, frame,
                                    len(frame))
    if got != raw_bytes:  # as every error code is
        raise Malformed("packed bytes")
    return room.raw[:raw_bytes]
