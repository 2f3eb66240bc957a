"""Settings: read from ``ESGML_*`` environment variables, checked once, passed down."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from esgml.core.errors import UsageError


class Settings(BaseSettings):
    """Where things live and what is allowed.

    Every field can be set by an environment variable with the prefix ``ESGML_``.

    Raises
    ------
    UsageError
        If a value is not what its field can hold.
    """

    model_config = SettingsConfigDict(env_prefix="ESGML_", frozen=True)

    workspace: Path = Field(default=Path(".esgml"), description="folder that holds everything")
    registry_url: str = Field(
        default="", description="database URL of the registry; empty = SQLite"
    )
    redis_url: str = Field(default="", description="online feature store; empty = SQLite")
    api_token: SecretStr | None = Field(default=None, description="token callers must present")
    host: str = Field(default="127.0.0.1", description="address to serve on")
    port: int = Field(default=8080, ge=0, le=65535)
    max_body_bytes: int = Field(default=8_000_000, ge=1, description="largest request body")
    max_rows: int = Field(default=10_000, ge=1, description="most rows in one request")
    request_timeout: float = Field(default=10.0, gt=0, description="seconds a request may take")

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            # what was given is not shown: it may be a token
            first = error.errors(include_input=False, include_url=False)[0]
            name = "_".join(map(str, first["loc"]))
            raise UsageError(
                f"setting {name!r}: {first['msg']}.",
                code="setting",
                where=f"ESGML_{name.upper()}",
                remedy=f"Known settings: {', '.join(sorted(type(self).model_fields))}.",
            ) from None

    @property
    def database(self) -> str:
        """URL of the metadata database."""
        return self.registry_url or f"sqlite:///{(self.workspace / 'registry.db').absolute()}"

    def folder(self, *parts: str) -> Path:
        """Return a folder inside the workspace."""
        return self.workspace.joinpath(*parts)
