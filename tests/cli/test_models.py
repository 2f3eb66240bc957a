import json

import numpy as np
import pytest

from esgml.cli.app import main
from esgml.core.settings import Settings
from esgml.core.tasks import Trained
from esgml.registry.registry import ModelRegistry


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """Three versions: two good ones with kept errors, and one worse than naive."""
    root = tmp_path_factory.mktemp("workspace")
    registry = ModelRegistry(Settings(workspace=root, registry_url=""))
    rng = np.random.default_rng(0)
    for wape in (0.10, 0.08, 0.5):
        errors = {"a/x": (rng.gamma(9.0, wape / 9, (12, 7))).tolist()}
        metrics = {
            "wape": wape,
            "naive": {"wape": 0.2},
            "errors": errors,
            "actuals": {"a/x": np.ones((12, 7)).tolist()},
            "coverage": {"80": 0.8},
        }
        files = {"model.json": json.dumps(wape).encode()}
        trained = Trained("plain", "linear", files, metrics, {"alpha": 1})
        registry.register(trained, name="emissions")
    registry.promote("emissions", "1")
    registry.promote("emissions", "2")
    return root


@pytest.fixture
def run(workspace, capsys, monkeypatch):
    monkeypatch.delenv("ESGML_REGISTRY_URL", raising=False)

    def call(*arguments, code=0, root=workspace):
        with pytest.raises(SystemExit) as stop:
            main(["models", *arguments, "--workspace", str(root)])
        out, err = capsys.readouterr()
        assert (stop.value.code or 0) == code, out + err
        return json.loads(out) if "--json" in arguments else out

    return call


def test_list(run, tmp_path):
    found = run("list", "--json")
    assert found["schema"] == "esgml.models.list/1"
    assert [(m["name"], m["version"], m["aliases"]) for m in found["models"]] == [
        ("emissions", "1", []),
        ("emissions", "2", ["champion"]),
        ("emissions", "3", []),
    ]
    assert "champion" in run("list", "emissions")
    assert run("list", "--json", root=tmp_path / "none")["models"] == []
    assert run("list", root=tmp_path / "none") == ""
    missing = run("list", "steam", "--json", code=4)
    assert "emissions" in missing["error"]["remedy"]


def test_show(run):
    found = run("show", "emissions", "2", "--json")
    assert found["metrics"]["naive"] == {"wape": 0.2}
    assert "errors" not in found["metrics"]
    assert [act["act"] for act in found["history"]] == ["register", "promote"]
    assert found["files"] == {"model.json": 4}
    text = run("show", "emissions")
    assert "# emissions 2 (linear)" in text
    assert "promote" in text


def test_compare(run):
    found = run("compare", "emissions", "2", "3", "--json")
    assert found["verdict"] == "a"
    assert found["low"] < found["high"] < 0
    assert found["windows"] == 12
    text = run("compare", "emissions", "3", "2", "--level", "90")
    assert "version 2 is better" in text
    assert "90 % interval" in text


def test_promote_rollback_and_the_gate(run):
    refused = run("promote", "emissions", "3", "--json", code=6)
    assert refused["error"]["code"] == "not_better_than_naive"
    moved = run("promote", "emissions", "3", "--force", "--reason", "test", "--json")
    assert (moved["version"], moved["previous"]) == ("3", "2")
    assert "champion of emissions is now version 2 (was 3)" in run("rollback", "emissions")
    moved = run("promote", "emissions", "3", "--alias", "challenger", "--json")
    assert moved["alias"] == "challenger"
    run("promote", "emissions", "../1", code=2)
    run("promote", "emissions", "9", code=4)


def test_card(run, tmp_path):
    assert run("card", "emissions", "1").startswith("# emissions 1")
    file = tmp_path / "card.html"
    assert run("card", "emissions", "1", "--format", "html", "--output", str(file)) == ""
    assert file.read_text().startswith("<!doctype html>")
    assert "<h1>" in run("card", "emissions", "--format", "html", "--json")["card"]
    run("card", "emissions", "--format", "pdf", code=2)


def test_verify(run, workspace):
    found = run("verify", "--json")
    assert (found["ok"], found["versions"]) == (True, 3)
    assert "all intact" in run("verify", "emissions", "1", "--head", found["head"])
    run("verify", "--head", "0" * 63 + "1", code=1)
    digest = ModelRegistry(Settings(workspace=workspace, registry_url="")).info("emissions", "1")
    file = workspace / "bundles" / digest.digest / "files" / "model.json"
    data = file.read_bytes()
    file.write_bytes(b"1.00")
    try:
        assert not run("verify", "--json", code=1)["ok"]
        assert "FAULT emissions 1" in run("verify", code=1)
        error = run("show", "emissions", "1", "--json", code=1)["error"]
        assert error["code"] in ("bundle_changed", "integrity")
    finally:
        file.write_bytes(data)


def test_export(run, tmp_path):
    error = run("export", "emissions", "1", "--format", "onnx", "--json", code=4)["error"]
    assert error["code"] == "no_onnx"
    run("export", "emissions", "1", "--format", "onnx", "--int8", code=4)
    run("export", "emissions", "1", "--format", "pickle", code=2)
    target = tmp_path / "out"
    found = run("export", "emissions", "1", "--format", "bundle", "-o", str(target), "--json")
    assert (target / "files" / "model.json").read_text() == "0.1"
    assert found["digest"] == run("show", "emissions", "1", "--json")["digest"]
    run("export", "emissions", "1", "--format", "bundle", "-o", str(target), code=1)


def test_unknown_models_are_not_found(run):
    for verb in (["show"], ["card"], ["rollback"], ["verify"], ["export"]):
        error = run(*verb, "nothing", "--json", code=4)["error"]
        assert error["code"] in ("model_unknown", "no_previous")
    run("show", "../../etc/passwd", code=2)
