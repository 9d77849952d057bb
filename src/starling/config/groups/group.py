"""What a setting and a group of them are."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator


def setting(
    default: Any, purpose: str, *, unit: str = "", low: float | None = None, high: float | None = None, secret: bool = False
) -> Any:
    """One setting. ``low`` and ``high`` are the ends of its range, inclusive. A ``secret`` is never shown."""
    return Field(default, description=purpose, ge=low, le=high, json_schema_extra={"unit": unit, "secret": secret})


class Group(BaseModel):
    """Settings that belong together; the class's docstring introduces them in the docs."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, str_min_length=1)

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        """TOML's ``true`` is not the number 1."""
        if isinstance(value, bool) and cls.model_fields[info.field_name or ""].annotation is not bool:
            raise ValueError("a truth value where none belongs")
        return value
