"""Server-sent events in this server's document: each kind of event with the type of what it carries.

OpenAPI 3.1 knows the whole of a stream only, which is text. So events stand beside it in ``itemSchema``, as OpenAPI 3.2 has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel

MEDIA_TYPE: Final = "text/event-stream"

COMPONENT: Final = "#/components/schemas/{model}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One kind. ``name``: its ``event`` field, None where it has none. ``data``: what it carries, as JSON, or those very words.

    ``identified``: whether it has an ``id``, a count. Models within ``data`` must be in the document by themselves.
    """

    name: str | None = None
    data: type[BaseModel] | str
    identified: bool = False
    description: str

    def schema(self) -> dict[str, Any]:
        """Of the event as a parser of streams gives it: its fields, which are strings."""
        properties: dict[str, Any] = {"data": self._data()}
        if self.name is not None:
            properties["event"] = {"const": self.name}
        if self.identified:
            properties["id"] = {"type": "string", "pattern": r"^\d+$"}
        return {"type": "object", "description": self.description, "properties": properties, "required": sorted(properties)}

    def _data(self) -> dict[str, Any]:
        if isinstance(self.data, str):
            return {"const": self.data}
        carried = self.data.model_json_schema(ref_template=COMPONENT, mode="serialization")
        carried.pop("$defs", None)
        return {"type": "string", "contentMediaType": "application/json", "contentSchema": carried}


def event_stream(description: str, events: Sequence[Event]) -> dict[str, Any]:
    """The ``content`` of a response that is a stream of ``events``."""
    return {
        MEDIA_TYPE: {
            "schema": {"type": "string", "description": description},
            "itemSchema": {"anyOf": [event.schema() for event in events]},
        }
    }
