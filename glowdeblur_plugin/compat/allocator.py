"""The C library's memory allocator, told to keep what it has for networks on the CPU."""

import ctypes
import sys

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4
_NEVER_TRIM, _PAD_BYTES = -1, 256 << 20


def keep_memory() -> bool:
    """Stop glibc from giving freed memory back to the system; returns whether the C library has that setting.

    Without it each large tensor is mapped, touched page by page and unmapped again, which can take longer than the arithmetic of
    a small convolution. Works like MALLOC_MMAP_MAX_=0, MALLOC_TRIM_THRESHOLD_ and MALLOC_TOP_PAD_ set before the start.
    """
    if not sys.platform.startswith('linux'):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    settings = ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, _NEVER_TRIM), (_TOP_PAD, _PAD_BYTES))
    return all(mallopt(name, value) == 1 for name, value in settings)
