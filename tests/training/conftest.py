import shutil
from pathlib import Path

import pytest

from esgml.core.settings import Settings
from esgml.data.synthetic import portfolio
from esgml.registry.registry import ModelRegistry

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def sites():
    return portfolio(seed=3, sites=2, years=1)


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    """An empty registry database, made once: its migrations take a second."""
    root = tmp_path_factory.mktemp("template")
    with ModelRegistry(Settings(workspace=root)).database.writing():
        pass
    return root / "registry.db"


@pytest.fixture
def workspace(tmp_path, template):
    """Make a new workspace; its registry is empty."""

    def make(name):
        root = tmp_path / name
        root.mkdir()
        shutil.copy(template, root / "registry.db")
        return Settings(workspace=root)

    return make


@pytest.fixture
def settings(workspace, tmp_path, monkeypatch):
    monkeypatch.delenv("ESGML_REGISTRY_URL", raising=False)
    monkeypatch.syspath_prepend(str(HERE))
    monkeypatch.setenv("TOY_NOTES", str(tmp_path / "notes.txt"))
    return workspace("ws")
