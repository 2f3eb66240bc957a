import shutil

import pytest

from esgml.core.settings import Settings
from esgml.core.tasks import Trained
from esgml.registry.bundle import Bundle
from esgml.registry.registry import ModelRegistry


@pytest.fixture(autouse=True)
def no_registry_url(monkeypatch):
    monkeypatch.delenv("ESGML_REGISTRY_URL", raising=False)


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    """An empty registry database, made once: its migrations take a second."""
    root = tmp_path_factory.mktemp("template")
    registry = ModelRegistry(Settings(workspace=root))
    with registry.database.writing():
        pass
    return root / "registry.db"


@pytest.fixture
def registry(tmp_path, template):
    shutil.copy(template, tmp_path / "registry.db")
    return ModelRegistry(Settings(workspace=tmp_path))


@pytest.fixture
def trained():
    def build(number=0, wape=0.1, naive=0.2, **more):
        return Trained(
            "emissions",
            "linear",
            {"model.json": b'{"n": %d}' % number, "notes/readme.txt": b"plain"},
            {"wape": wape, "naive": {"wape": naive}, **more},
            {"alpha": 0.5},
            {"inputs": ["x"]},
            {"intended_use": "tests"},
        )

    return build


@pytest.fixture
def bundle(trained):
    return lambda *args, **kwargs: Bundle.from_trained(trained(*args, **kwargs))
