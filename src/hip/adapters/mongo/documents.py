"""Beanie's view of the shapes: which collection, which indexes.

Beanie binds a document *class* to one database, process-wide, and a second ``init_beanie`` would silently bind it anew.
So every ``MongoDocuments`` makes classes of its own (about 1 ms each), named by its own configuration.
"""

from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID, uuid4

from beanie import Document
from pydantic import ConfigDict, Field
from pymongo import IndexModel

from hip.adapters.document_shapes import BundleShape, Shape, stored_name
from hip.adapters.mongo.names import CollectionNames
from hip.adapters.projection_shapes import GatewayResponseShape, LinkTokenShape, PatientContextsShape


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentTypes:
    """The four document classes of one ``MongoDocuments``."""

    bundles: type[Document]
    gateway_responses: type[Document]
    link_tokens: type[Document]
    patient_contexts: type[Document]

    @classmethod
    def named(cls, names: CollectionNames) -> "DocumentTypes":
        """Fresh classes, not yet bound to any database."""
        return cls(
            bundles=_document(
                BundleShape, names.bundles, [_ours("hipId", "VisitCode", "ResourceType", "version"), _read("VisitCode")]
            ),
            gateway_responses=_document(
                GatewayResponseShape, names.gateway_responses, [_ours("hipId", "path", "requestid"), _read("requestid")]
            ),
            link_tokens=_document(
                LinkTokenShape, names.link_tokens, [_ours("hipId", "requestId"), _read("hipId", "abhaAddress")]
            ),
            patient_contexts=_document(
                PatientContextsShape,
                names.patient_contexts,
                [_ours("hipId", "identifier"), _read("hipId", "HealthId"), _read("hipId", "phoneNumber")],
            ),
        )

    @property
    def all(self) -> list[type[Document]]:
        """For ``init_beanie``."""
        return [self.bundles, self.gateway_responses, self.link_tokens, self.patient_contexts]


def _document(shape: type[Shape], name: str, indexes: list[IndexModel]) -> type[Document]:
    settings = type("Settings", (), {"name": name, "indexes": indexes})
    members: dict[str, Any] = {
        "__module__": __name__,
        "__annotations__": {"id": UUID, "Settings": ClassVar[type]},
        "id": Field(default_factory=uuid4),
        "model_config": ConfigDict(alias_generator=stored_name),
        "Settings": settings,
    }
    return type(shape.__name__.replace("Shape", "Document"), (shape, Document), members)


def _ours(*fields: str) -> IndexModel:
    """Our key. Documents AMRIT wrote have no ``hipId`` and may repeat the rest, so they are left out."""
    return IndexModel(
        [(field, 1) for field in fields],
        name="uq_" + "_".join(fields),
        unique=True,
        partialFilterExpression={"hipId": {"$exists": True}},
    )


def _read(*fields: str) -> IndexModel:
    return IndexModel([(field, 1) for field in fields], name="ix_" + "_".join(fields))
