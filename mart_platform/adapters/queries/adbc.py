"""DuckDB through ADBC, the standard C interface of databases that speak Arrow, without pyarrow.

DuckDB's Python package hands over Arrow in batches of a million rows, which it makes beside its memory limit;
and where pyarrow is missing, all other threads of the process wait for each (measured: 0.1 s a batch). Here
batches are those of DuckDB itself, of 2,048 rows; every call leaves the other threads running; parameters are
bound. A database that is opened here has neither Python's replacement scans nor its functions.

The structures are those of Arrow's C data interface and of ADBC 1.1, which their standards keep as they are:
https://arrow.apache.org/docs/format/CDataInterface.html, https://arrow.apache.org/adbc/current/format/.
"""

import ctypes
from collections.abc import Callable, Iterator, Mapping
from ctypes import (
    CFUNCTYPE,
    POINTER,
    PYFUNCTYPE,
    Structure,
    addressof,
    byref,
    c_char,
    c_char_p,
    c_int,
    c_int64,
    c_uint8,
    c_void_p,
)
from functools import cache
from types import TracebackType
from typing import Any, Self

import _duckdb
from arro3.core import RecordBatch, Schema

from mart_platform.adapters.queries.blanking import blank, layout_of

_ADBC_1_1 = 1_001_000
_PRIVATE_DATA = -(2**31)
"""What an error's ``vendor_code`` begins as, so that the driver may use all fields of it."""


class Failed(Exception):
    """DuckDB did not run a statement to its end; the text is its own."""


class Database:
    """An instance of DuckDB. ``options`` are its settings, and ``path``."""

    def __init__(self, options: Mapping[str, str]) -> None:
        self._handle = _Handle()
        _call("DatabaseNew", self._handle)
        try:
            for name, value in options.items():
                _call("DatabaseSetOption", self._handle, name.encode(), value.encode())
            _call("DatabaseInit", self._handle)
        except Failed:
            self.close()
            raise

    def connect(self) -> "Connection":
        """Return a new connection, which takes 0.03 ms; to be closed before the database."""
        return Connection(self._handle)

    def close(self) -> None:
        _call("DatabaseRelease", self._handle)


class Connection:
    """A connection; one thread at a time, but for ``interrupt``."""

    def __init__(self, database: "_Handle") -> None:
        self._handle = _Handle()
        _call("ConnectionNew", self._handle)
        _call("ConnectionInit", self._handle, byref(database))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def execute(self, sql: str, parameters: RecordBatch | None = None) -> list[tuple[Any, ...]]:
        """Run a statement and return its rows, which should be few. Raises Failed."""
        with self.answer(sql, parameters) as answer:
            return [
                row
                for batch in answer
                for row in zip(*(column.to_pylist() for column in batch.columns), strict=True)
            ]

    def answer(self, sql: str, parameters: RecordBatch | None = None) -> "Answer":
        """Begin a query, with the one row of ``parameters`` bound to ``$1``, ``$2``, … Raises Failed."""
        return Answer(self._handle, sql, parameters)

    def interrupt(self) -> None:
        """Make what runs raise Failed, unless it is within one long call of a function; from any thread."""
        _call("ConnectionCancel", self._handle)

    def close(self) -> None:
        _call("ConnectionRelease", self._handle)


class Answer:
    """The answer of a query: its schema, and batches as DuckDB comes to them, to be taken once."""

    schema: Schema

    def __init__(self, connection: "_Handle", sql: str, parameters: RecordBatch | None) -> None:
        self._statement, self._stream = _Handle(), _ArrowStream()
        _call("StatementNew", connection, byref(self._statement))
        try:
            _call("StatementSetSqlQuery", self._statement, sql.encode())
            if parameters is not None:
                self._bind(parameters)
            _call("StatementExecuteQuery", self._statement, byref(self._stream), None)
            self.schema = self._read_schema()
        except BaseException:  # nobody else can close it yet
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[RecordBatch]:
        """Yield batches; raises Failed."""
        while True:
            array = _ArrowArray()
            self._from_stream(self._stream.get_next(byref(self._stream), byref(array)))
            if not array.release:
                return
            blank(array, self._layout)
            # Arrow's objects are taken over by who reads the capsules, which leaves ours empty.
            yield RecordBatch.from_arrow_pycapsule(
                self.schema.__arrow_c_schema__(), _capsule(addressof(array), b"arrow_array", None)
            )

    def close(self) -> None:
        """Stop the query, if it still runs."""
        if self._stream.release:
            self._stream.release(byref(self._stream))
        if self._statement.private_data:
            _call("StatementRelease", self._statement)

    def _bind(self, parameters: RecordBatch) -> None:
        _call("StatementPrepare", self._statement)
        schema, array = parameters.__arrow_c_array__()
        _call(
            "StatementBind",
            self._statement,
            _pointer(array, b"arrow_array"),
            _pointer(schema, b"arrow_schema"),
        )

    def _read_schema(self) -> Schema:
        schema = _ArrowSchema()
        self._from_stream(self._stream.get_schema(byref(self._stream), byref(schema)))
        self._layout = layout_of(schema)
        return Schema.from_arrow_pycapsule(_capsule(addressof(schema), b"arrow_schema", None))

    def _from_stream(self, code: int) -> None:
        if code:
            text = self._stream.get_last_error(byref(self._stream))
            raise Failed((text or b"the engine gave no reason").decode(errors="replace"))


class _Handle(Structure):
    """A database, a connection or a statement."""

    _fields_ = [("private_data", c_void_p), ("private_driver", c_void_p)]


class _Error(Structure):
    pass


_Error._fields_ = [
    ("message", c_char_p),
    ("vendor_code", ctypes.c_int32),
    ("sqlstate", c_char * 5),
    ("release", PYFUNCTYPE(None, POINTER(_Error))),
    ("private_data", c_void_p),
    ("private_driver", c_void_p),
]


class _ArrowArray(Structure):
    _fields_ = [
        *((name, c_int64) for name in ("length", "null_count", "offset", "n_buffers", "n_children")),
        *((name, c_void_p) for name in ("buffers", "children", "dictionary", "release", "private_data")),
    ]


class _ArrowSchema(Structure):
    _fields_ = [
        *((name, c_void_p) for name in ("format", "name", "metadata")),
        *((name, c_int64) for name in ("flags", "n_children")),
        *((name, c_void_p) for name in ("children", "dictionary", "release", "private_data")),
    ]


class _ArrowStream(Structure):
    pass


_ArrowStream._fields_ = [
    ("get_schema", PYFUNCTYPE(c_int, POINTER(_ArrowStream), POINTER(_ArrowSchema))),
    ("get_next", CFUNCTYPE(c_int, POINTER(_ArrowStream), POINTER(_ArrowArray))),
    ("get_last_error", PYFUNCTYPE(c_char_p, POINTER(_ArrowStream))),
    ("release", CFUNCTYPE(None, POINTER(_ArrowStream))),
    ("private_data", c_void_p),
]

_HANDLE, _ERROR = POINTER(_Handle), POINTER(_Error)
_FUNCTIONS: dict[str, tuple[int, tuple[Any, ...]]] = {
    "DatabaseInit": (3, ()),
    "DatabaseNew": (4, ()),
    "DatabaseSetOption": (5, (c_char_p, c_char_p)),
    "DatabaseRelease": (6, ()),
    "ConnectionInit": (12, (_HANDLE,)),
    "ConnectionNew": (13, ()),
    "ConnectionRelease": (16, ()),
    "StatementBind": (18, (c_void_p, c_void_p)),
    "StatementExecuteQuery": (20, (POINTER(_ArrowStream), POINTER(c_int64))),
    "StatementNew": (23, (_HANDLE,)),
    "StatementPrepare": (24, ()),
    "StatementRelease": (25, ()),
    "StatementSetSqlQuery": (27, (c_char_p,)),
    "ConnectionCancel": (39, ()),
}
"""Where each stands in the standard's table, and what it takes between its handle and the error."""
_LONG = {
    *("DatabaseInit", "DatabaseRelease"),
    *("StatementSetSqlQuery", "StatementPrepare", "StatementExecuteQuery", "StatementRelease"),
}
"""Those during which other threads of Python run: planning, too, computes what is constant, for minutes where
it is asked to. A thread's next turn has its price when many want one, so that short calls keep theirs."""
_TABLE = c_void_p * 58


@cache
def _functions() -> dict[str, Callable[..., int]]:
    """Return the functions of DuckDB's driver: a constant of the process, like a module."""
    table, error = _TABLE(), _Error(vendor_code=_PRIVATE_DATA)
    begin = ctypes.CDLL(_duckdb.__file__).duckdb_adbc_init
    begin.restype, begin.argtypes = c_uint8, [c_int, POINTER(_TABLE), _ERROR]
    if begin(_ADBC_1_1, byref(table), byref(error)):
        raise Failed(_taken(error))
    return {
        name: (CFUNCTYPE if name in _LONG else PYFUNCTYPE)(c_uint8, _HANDLE, *taken, _ERROR)(
            table[place] or 0
        )
        for name, (place, taken) in _FUNCTIONS.items()
    }


def _call(name: str, handle: _Handle, *arguments: object) -> None:
    """Call a function of the driver. Raises Failed."""
    error = _Error(vendor_code=_PRIVATE_DATA)
    if _functions()[name](byref(handle), *arguments, byref(error)):
        raise Failed(_taken(error))


def _taken(error: _Error) -> str:
    """Return what an error says, and free it."""
    text = (error.message or b"the engine gave no reason").decode(errors="replace")
    if error.release:
        error.release(byref(error))
    return text


_capsule = ctypes.pythonapi.PyCapsule_New
_capsule.restype, _capsule.argtypes = ctypes.py_object, [c_void_p, c_char_p, c_void_p]
_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_pointer.restype, _pointer.argtypes = c_void_p, [ctypes.py_object, c_char_p]
