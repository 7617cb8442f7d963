"""Places the memory of all NumPy arrays between unreadable pages, inside `guarded`.

A read or write outside of an array then ends the process. New memory is filled with NaN to expose
reads of uninitialised memory. It uses NumPy's C API (PyDataMem_SetHandler) and mmap.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
from collections.abc import Iterator
from typing import Any

import numpy

SET_HANDLER = 304  # index in the table of NumPy's C API
PAGE = mmap.PAGESIZE
READ_WRITE, NONE = mmap.PROT_READ | mmap.PROT_WRITE, 0
PRIVATE = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS

size_t, address = ctypes.c_size_t, ctypes.c_void_p
MALLOC = ctypes.CFUNCTYPE(address, address, size_t)
CALLOC = ctypes.CFUNCTYPE(address, address, size_t, size_t)
REALLOC = ctypes.CFUNCTYPE(address, address, address, size_t)
FREE = ctypes.CFUNCTYPE(None, address, address, size_t)

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = address
libc.mmap.argtypes = (address, size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long)
libc.mprotect.argtypes = (address, size_t, ctypes.c_int)
libc.munmap.argtypes = (address, size_t)


class Handler(ctypes.Structure):
    _fields_ = (("name", ctypes.c_char * 127), ("version", ctypes.c_uint8), ("context", address),
                ("malloc", MALLOC), ("calloc", CALLOC), ("realloc", REALLOC), ("free", FREE))


class Guard:
    """Allocates arrays that end or begin at an unreadable page."""

    def __init__(self, at_end: bool):
        self.at_end = at_end
        self.blocks: dict[int, tuple[int, int, int]] = {}  # start, length, size by address
        self.handler = Handler(b"guarded", 1, None, MALLOC(self.malloc), CALLOC(self.calloc),
                               REALLOC(self.realloc), FREE(self.free))

    def malloc(self, _: Any, size: int) -> int:
        place = self.calloc(None, size, 1)
        ctypes.memset(place, 0xFF, size)  # NaN
        return place

    def calloc(self, _: Any, count: int, each: int) -> int:
        size = max(count * each, 1)
        inner = -(-size // PAGE) * PAGE
        start = libc.mmap(None, inner + 2 * PAGE, NONE, PRIVATE, -1, 0)
        libc.mprotect(start + PAGE, inner, READ_WRITE)
        place = start + PAGE + (inner - size if self.at_end else 0)
        self.blocks[place] = start, inner + 2 * PAGE, size
        return place

    def realloc(self, _: Any, old: int | None, size: int) -> int:
        place = self.malloc(None, size)
        if old:
            ctypes.memmove(place, old, min(size, self.blocks[old][2]))
            self.free(None, old, 0)
        return place

    def free(self, _: Any, place: int | None, size: int) -> None:
        if place:
            start, length, _size = self.blocks.pop(place)
            libc.munmap(start, length)


kept: list[Guard] = []  # arrays may outlive the block


@contextlib.contextmanager
def guarded(at_end: bool) -> Iterator[None]:
    api = ctypes.pythonapi
    api.PyCapsule_GetPointer.restype = address
    api.PyCapsule_GetPointer.argtypes = (ctypes.py_object, ctypes.c_char_p)
    api.PyCapsule_New.restype = ctypes.py_object
    api.PyCapsule_New.argtypes = (address, ctypes.c_char_p, address)
    table = api.PyCapsule_GetPointer(numpy._core._multiarray_umath._ARRAY_API, None)
    function = ctypes.cast(table, ctypes.POINTER(address))[SET_HANDLER]
    set_handler = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object)(function)
    guard = Guard(at_end)
    kept.append(guard)
    previous = set_handler(api.PyCapsule_New(ctypes.addressof(guard.handler), b"mem_handler", None))
    try:
        yield
    finally:
        set_handler(previous)
