"""The port ``VisitRecords`` over the JSON form."""

from hip.adapters.visit_records.reading import VisitRecordReader
from hip.adapters.visit_records.writing import VisitRecordWriter
from hip.domain.visits import VisitRecord


class JsonVisitRecords:
    """Reads and writes visit records as JSON."""

    def __init__(self) -> None:
        self._reader = VisitRecordReader()
        self._writer = VisitRecordWriter()

    def read(self, content: bytes) -> VisitRecord:
        """Raises InvalidValue naming the field."""
        return self._reader.read(content)

    def write(self, record: VisitRecord) -> bytes:
        """Canonical bytes: equal records, equal bytes."""
        return self._writer.write(record)
