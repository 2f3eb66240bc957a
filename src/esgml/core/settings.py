"""Settings: read from ``ESGML_*`` environment variables, checked once, passed down."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Where things live and what is allowed.

    Every field can be set by an environment variable with the prefix ``ESGML_``.
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

    @property
    def database(self) -> str:
        """URL of the metadata database."""
        return self.registry_url or f"sqlite:///{(self.workspace / 'registry.db').absolute()}"

    def folder(self, *parts: str) -> Path:
        """Return a folder inside the workspace."""
        return self.workspace.joinpath(*parts)
