"""Rows on their way, on disk: memory holds a batch of them, and a few numbers of each."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.data.records.arrow import ROWS


class Spool:
    """Batches of ROWS in a file, written once and then read from the front as often as needed."""

    def __init__(self, path: Path) -> None:
        """A new, empty spool in the file `path`."""
        self._path = path
        self._sink = pa.OSFile(str(path), "wb")
        self._writer = pa.ipc.new_stream(self._sink, ROWS)

    def append(self, batch: pa.RecordBatch) -> None:
        """Add a batch at the end."""
        self._writer.write_batch(batch)

    def close(self) -> None:
        """End writing; reading begins after it."""
        self._writer.close()
        self._sink.close()

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self._path.stat().st_size

    def batches(self) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Every batch with the place of its first row, from 0."""
        start = 0
        with pa.OSFile(str(self._path), "rb") as source, pa.ipc.open_stream(source) as stream:
            for batch in stream:
                yield start, batch
                start += batch.num_rows

    def rows(self, places: npt.NDArray[np.int64]) -> pa.Table:
        """A few rows, in the order of their places, which come sorted."""
        found = [ROWS.empty_table()]
        for start, batch in self.batches():
            low, high = np.searchsorted(places, (start, start + batch.num_rows))
            if low < high:
                found.append(pa.Table.from_batches([batch.take(pa.array(places[low:high] - start))]))
        return pa.concat_tables(found).combine_chunks()


class Sorted:
    """Lines of bytes, sorted: in parts by their first characters, each of which fits into memory."""

    def __init__(self, folder: Path, parts: int, prefix: int) -> None:
        """Lines that begin alike for `prefix` bytes and then with hex digits, in `parts` files of `folder`."""
        self._paths = [folder / f"part-{number}" for number in range(parts)]
        self._files = [path.open("wb") for path in self._paths]
        self._prefix = prefix

    def write(self, lines: Sequence[bytes]) -> None:
        """Add lines in any order."""
        if len(self._files) == 1:
            self._files[0].writelines(lines)
            return
        for line in lines:
            first = int(line[self._prefix : self._prefix + 4], 16)
            self._files[first * len(self._files) >> 16].write(line)

    def read(self) -> Iterator[list[bytes]]:
        """All lines, sorted, a part at a time."""
        for file, path in zip(self._files, self._paths, strict=True):
            file.close()
            with path.open("rb") as lines:
                yield sorted(lines)
            path.unlink()
