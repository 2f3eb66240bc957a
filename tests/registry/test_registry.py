import json
import os
import sqlite3
import subprocess
import sys
import warnings

import pytest

from esgml.core.errors import (
    GateError,
    IntegrityError,
    NotAllowedError,
    NotFoundError,
    StorageError,
    UsageError,
)
from esgml.core.events import EventBus, VersionPromoted
from esgml.core.interfaces import BaseModel
from esgml.core.settings import Settings
from esgml.registry.fingerprint import Fingerprint
from esgml.registry.gate import judge
from esgml.registry.registry import ModelRegistry


def test_an_empty_workspace_is_an_empty_registry_and_stays_unwritten(tmp_path):
    registry = ModelRegistry(Settings(workspace=tmp_path / "none"))
    assert registry.list() == ()
    assert registry.verify().ok
    with pytest.raises(NotFoundError, match="no model"):
        registry.get("emissions")
    assert not (tmp_path / "none").exists()


def test_register_get_and_list(registry, trained):
    data = Fingerprint("cd" * 32, 7)
    assert registry.register(trained(1), fingerprint=data) == "1"
    assert registry.register(trained(2), {"mae": 3.0}) == "2"
    assert registry.register(trained(1), name="other") == "1"
    found = registry.get("emissions", "1")
    assert (found.name, found.version, found.data_fingerprint) == ("emissions", "1", data)
    assert found.files == trained(1).files
    assert registry.get("emissions", "latest").metrics["mae"] == 3.0
    listed = registry.list()
    assert [(v.name, v.version) for v in listed] == [
        ("emissions", "1"),
        ("emissions", "2"),
        ("other", "1"),
    ]
    assert listed[0].metrics == {"wape": 0.1, "naive.wape": 0.2}
    assert listed[0].data == data.sha256
    assert listed[0].metric == "wape"
    assert registry.verify().ok


def test_registering_the_same_again_gives_the_same_version(registry, trained):
    assert [registry.register(trained(n)) for n in (1, 2, 1, 2)] == ["1", "2", "1", "2"]
    assert len(registry.list()) == 2


def test_versions_beyond_nine_are_in_order(registry, trained):
    for n in range(11):
        registry.register(trained(n))
    assert [v.version for v in registry.list()] == [str(n) for n in range(1, 12)]
    assert registry.get("emissions", "latest").version == "11"


def test_promote_rollback_and_history(registry, trained):
    told = []
    bus = EventBus()
    bus.subscribe(VersionPromoted, told.append)
    registry = ModelRegistry(registry.settings, bus)
    for n in range(3):
        registry.register(trained(n))
    with pytest.raises(NotFoundError):
        registry.get("emissions")
    assert registry.promote("emissions", "1") == ""
    assert registry.promote("emissions", "2") == "1"
    assert registry.promote("emissions", "2") == "2"  # no change, no entry
    assert registry.promote("emissions", "3", reason="better", who="ann") == "2"
    assert registry.promote("emissions", "3", "challenger") == ""
    assert registry.info("emissions").aliases == ("challenger", "champion")
    assert registry.rollback("emissions") == "2"
    assert registry.get("emissions").version == "2"
    assert registry.rollback("emissions") == "1"
    with pytest.raises(NotFoundError, match="no earlier version"):
        registry.rollback("emissions")
    with pytest.raises(NotFoundError, match="no earlier version"):
        registry.rollback("emissions", "challenger")
    assert registry.promote("emissions", "3") == "1"
    assert registry.rollback("emissions") == "1"
    acts = [(e.act, e.version, e.detail.get("alias")) for e in registry.history()][3:]
    assert acts[:4] == [
        ("promote", "1", "champion"),
        ("promote", "2", "champion"),
        ("promote", "3", "champion"),
        ("promote", "3", "challenger"),
    ]
    entry = next(e for e in registry.history() if e.detail.get("reason") == "better")
    assert entry.who == "ann"
    assert [(t.version, t.previous) for t in told][:2] == [("1", ""), ("2", "1")]
    assert registry.verify().ok


def test_the_gate_keeps_back_what_does_not_beat_naive(registry, trained):
    registry.register(trained(1, wape=0.2, naive=0.2))
    registry.register(trained(2, wape=float("nan")))
    for version in ("1", "2"):
        with pytest.raises(GateError):
            registry.promote("emissions", version)
    registry.promote("emissions", "1", "challenger")
    assert registry.promote("emissions", "1", force=True, reason="only one") == ""
    detail = registry.history()[-1].detail
    assert detail["forced"] is True
    assert "does not beat" in detail["gate"]
    registry.register(trained(3))
    registry.promote("emissions", "3", force=True)
    assert registry.history()[-1].detail["forced"] is False


def test_versions_may_be_whole_numbers(registry, trained):
    for number in (1, 2):
        registry.register(trained(number))
    assert registry.promote("emissions", 1) == ""
    assert registry.get("emissions", 1).version == "1"
    assert registry.compare("emissions", 1, 2).b == "2"
    with pytest.raises(NotFoundError):
        registry.info("emissions", 7)


@pytest.mark.parametrize("model", [None, object(), {"weights": 1}])
def test_what_is_no_model_is_refused(registry, model):
    with pytest.raises(UsageError) as caught:
        registry.register(model)
    assert caught.value.code == "model_kind"


def test_metrics_of_any_name_and_size(registry, trained):
    odd = {"R\u00b2 'x';--": 0.5, "huge": 10**400}
    version = registry.register(trained(1), odd)
    assert registry.get("emissions", version).metrics["R\u00b2 'x';--"] == 0.5
    assert registry.info("emissions", version).metrics["R_ _x__--"] == 0.5
    with pytest.raises(UsageError, match="mapping"):
        registry.register(trained(2), [0.5])


def test_the_gate_keeps_back_what_is_clearly_worse_than_the_champion(registry, trained):
    def kept(error):
        return {
            "errors": {"a": [[error + 0.01 * (i % 3)] for i in range(12)]},
            "actuals": {"a": [[10.0]] * 12},
        }

    for number, error in ((1, 1.0), (2, 3.0), (3, 1.001)):
        registry.register(trained(number), kept(error))
    registry.promote("emissions", "1")
    with pytest.raises(GateError) as caught:
        registry.promote("emissions", "2")
    assert caught.value.code == "worse_than_champion"
    assert "version 1" in str(caught.value)
    assert registry.promote("emissions", "2", "challenger") == ""
    assert registry.promote("emissions", "2", force=True, reason="trial") == "1"
    assert registry.history()[-1].detail["forced"] is True
    assert "worse" in registry.history()[-1].detail["gate"]
    assert registry.promote("emissions", "3") == "2"
    assert registry.rollback("emissions") == "2"  # going back is never refused
    shelf = registry.settings.folder("bundles", registry.info("emissions", "2").digest)
    (shelf / "manifest.json").write_text("{}")
    assert registry.promote("emissions", "1") == "2"  # away from a damaged champion, always


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("database or disk is full", "disk_full"),
        ("attempt to write a readonly database", "read_only"),
    ],
)
def test_what_the_database_says_of_the_disk_is_told_as_such(registry, said, code):
    from sqlalchemy.exc import OperationalError

    with pytest.raises(StorageError) as caught, registry.database._explained():
        raise OperationalError("", {}, sqlite3.OperationalError(said))
    assert caught.value.code == code
    assert "--workspace" in caught.value.remedy


@pytest.mark.parametrize(
    ("metrics", "passes"),
    [
        ({}, True),  # a task that has no naive answer says so in the ledger
        ({"wape": 0.1}, True),
        ({"naive": {"wape": 0.1}}, True),
        ({"wape": None, "naive": {"wape": 0.1}}, False),
        ({"wape": "good", "naive": {"wape": 0.1}}, False),
        ({"mae": 2.0, "naive": {"mae": 3.0}}, True),
        ({"auc": 0.9, "primary": "auc", "higher_is_better": True, "naive": {"auc": 0.5}}, True),
        ({"auc": 0.4, "primary": "auc", "higher_is_better": True, "naive": {"auc": 0.5}}, False),
        ({"wape": 0.1, "auc": 9, "primary": "auc", "naive": {"auc": 8}}, False),
    ],
)
def test_what_the_gate_makes_of_metrics(metrics, passes):
    verdict = judge(metrics)
    assert verdict.passed is passes
    assert verdict.reason.endswith(".")


def test_mlflow_sees_the_same(registry, trained):
    registry.register(trained(1))
    registry.register(trained(2))
    registry.promote("emissions", "2")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mlflow import MlflowClient

        url = registry.settings.database
        client = MlflowClient(tracking_uri=url, registry_uri=url)
        version = client.get_model_version_by_alias("emissions", "champion")
        models = client.search_registered_models()
    assert str(version.version) == "2"
    assert version.tags["metric.wape"] == "0.1"
    assert version.tags["esgml.digest"] == registry.info("emissions").digest
    assert "naive baseline" in version.description
    assert [m.name for m in models] == ["emissions"]


def test_what_others_put_into_mlflow_is_not_ours(registry, trained):
    registry.register(trained(1))
    registry.promote("emissions", "1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mlflow import MlflowClient

        url = registry.settings.database
        client = MlflowClient(tracking_uri=url, registry_uri=url)
        client.create_model_version("emissions", "file:///etc")
        client.set_model_version_tag("emissions", "1", "metric.odd", "not a number")
    assert [v.version for v in registry.list()] == ["1"]
    with pytest.raises(NotFoundError):
        registry.promote("emissions", "2")
    client.set_registered_model_alias("emissions", "champion", "2")
    with pytest.raises(NotFoundError):
        registry.get("emissions")
    registry.register(trained(2))
    client.set_registered_model_alias("emissions", "champion", "3")
    report = registry.verify()
    assert not report.ok
    assert "without an entry in the ledger" in " ".join(report.faults)
    client.delete_registered_model_alias("emissions", "champion")
    assert "points at nothing" in " ".join(registry.verify("emissions").faults)
    assert registry.verify("emissions", "1").ok
    client.set_registered_model_alias("emissions", "champion", "3")
    client.delete_model_version("emissions", "1")
    assert "emissions 1: was registered, and is gone." in registry.verify().faults
    with pytest.raises((IntegrityError, NotFoundError)):
        registry.rollback("emissions")


def test_a_forged_digest_tag_cannot_leave_the_workspace(registry, trained):
    registry.register(trained(1))
    with sqlite3.connect(registry.settings.workspace / "registry.db") as db:
        db.execute("UPDATE model_version_tags SET value='../../etc' WHERE key='esgml.digest'")
    with pytest.raises(IntegrityError):
        registry.get("emissions", "1")
    assert not registry.verify().ok


@pytest.mark.parametrize("name", ["", "../x", "a/b", "a b", ".x", "x" * 101, "a..b", "a\n", "é"])
def test_names_are_never_paths(registry, trained, name):
    for call in (
        lambda: registry.register(trained(), name=name or "/"),
        lambda: registry.get(name),
        lambda: registry.promote(name, "1"),
    ):
        with pytest.raises(UsageError):
            call()


def test_versions_and_aliases_are_checked(registry, trained):
    registry.register(trained())
    for version in ("0", "-1", "1.0", "../1", "one", ""):
        with pytest.raises(UsageError):
            registry.promote("emissions", version)
    for alias in ("latest", "v1", "A", "../x", ""):
        with pytest.raises(UsageError):
            registry.promote("emissions", "1", alias)
    with pytest.raises(NotFoundError, match="Versions: 1"):
        registry.get("emissions", "7")
    with pytest.raises(NotFoundError):
        registry.promote("emissions", "7")


def test_changed_bytes_are_noticed_everywhere(registry, trained):
    registry.register(trained(1))
    registry.register(trained(2))
    registry.promote("emissions", "2")
    registry.promote("emissions", "1")
    digest = registry.info("emissions", "2").digest
    file = registry.settings.workspace / "bundles" / digest / "files" / "model.json"
    file.write_bytes(b'{"n": 9}')
    with pytest.raises(IntegrityError):
        registry.get("emissions", "2")
    with pytest.raises(IntegrityError):
        registry.promote("emissions", "2")
    with pytest.raises(IntegrityError):
        registry.rollback("emissions")
    assert registry.get("emissions").version == "1"
    report = registry.verify()
    assert (report.ok, report.versions) == (False, 2)
    assert registry.verify("emissions", "1").ok
    # the right bytes come back with the same content, and the ledger says so
    assert registry.register(trained(2)) == "2"
    assert registry.verify().ok
    assert registry.history()[-1].act == "repair"


def test_rewriting_the_ledger_is_refused_or_noticed(registry, trained):
    registry.register(trained(1))
    registry.register(trained(2))
    head = registry.verify().head
    file = registry.settings.workspace / "registry.db"
    with sqlite3.connect(file) as db:
        for statement in ("UPDATE esgml_ledger SET who='x'", "DELETE FROM esgml_ledger"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                db.execute(statement)
    assert registry.verify(head=head).ok
    with sqlite3.connect(file) as db:
        db.execute("DROP TRIGGER esgml_ledger_no_update")
        db.execute("DROP TRIGGER esgml_ledger_no_delete")
        db.execute("UPDATE esgml_ledger SET who='mallory' WHERE seq=1")
    assert any("entry 1 was changed" in f for f in registry.verify().faults)
    with sqlite3.connect(file) as db:
        db.execute("DELETE FROM esgml_ledger WHERE seq=1")
    assert any("entry 1 is missing" in f for f in registry.verify().faults)
    with sqlite3.connect(file) as db:
        db.execute("DELETE FROM esgml_ledger")
    faults = registry.verify(head=head).faults
    assert any("cut or rewritten" in f for f in faults)
    assert any("the ledger does not know it" in f for f in faults)


def test_a_refused_file_registers_nothing(registry, trained):
    bad = trained()
    bad.files["model.pkl"] = b"\x80\x04."
    with pytest.raises(NotAllowedError):
        registry.register(bad)
    assert registry.list() == ()


def test_a_failure_inside_the_write_leaves_nothing(registry, trained, monkeypatch):
    registry.register(trained(1))

    def fail(*_args, **_kwargs):
        raise RuntimeError("power cut")

    monkeypatch.setattr("esgml.registry.ledger.append", fail)
    with pytest.raises(RuntimeError):
        registry.register(trained(2))
    with pytest.raises(RuntimeError):
        registry.promote("emissions", "1")
    monkeypatch.undo()
    assert [v.version for v in registry.list()] == ["1"]
    assert registry.list()[0].aliases == ()
    assert registry.register(trained(2)) == "2"
    assert registry.verify().ok


def test_a_database_that_cannot_be_used_says_so(tmp_path):
    (tmp_path / "registry.db").write_bytes(b"this is not a database, not at all" * 100)
    registry = ModelRegistry(Settings(workspace=tmp_path))
    with pytest.raises(StorageError, match="database"):
        registry.list()
    with pytest.raises(UsageError, match="sqlite"):
        ModelRegistry(Settings(registry_url="mysql://root:secret@host/db"))


def test_a_full_disk_registers_nothing(registry, trained, monkeypatch):
    def full(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StorageError, match="full"):
        registry.register(trained(1))
    monkeypatch.undo()
    assert registry.list() == ()
    assert not list((registry.settings.workspace / "bundles").iterdir())


def test_registering_a_bare_model(registry):
    class Constant(BaseModel):
        """Says one number."""

        def _dump(self):
            return {"value.json": json.dumps(3).encode()}

        def _restore(self, files):
            self.value = json.loads(files["value.json"])

    model = Constant()
    model.trained_ = True
    version = registry.register(model, {"wape": 0.1}, name="mine")
    found = registry.get("mine", version)
    assert found.task == "custom"
    assert Constant.from_files(found.files).value == 3
    assert found.model() is None


def test_reading_needs_no_mlflow(registry, trained):
    registry.register(trained(1))
    registry.promote("emissions", "1")
    code = (
        "import sys\n"
        "from esgml.core.settings import Settings\n"
        "from esgml.registry.registry import ModelRegistry\n"
        f"r = ModelRegistry(Settings(workspace={str(registry.settings.workspace)!r}))\n"
        "assert r.get('emissions').version == '1' and r.verify().ok and r.list()\n"
        "assert 'mlflow' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_workspace_may_be_called_anything(tmp_path, trained):
    workspace = tmp_path / "a?b#c %41 é 'x'"
    workspace.mkdir()
    registry = ModelRegistry(Settings(workspace=workspace))
    registry.register(trained(1))
    registry.promote("emissions", "1")
    assert registry.get("emissions").version == "1"
    assert registry.verify().ok
    assert sorted(p.name for p in workspace.iterdir()) == ["bundles", "registry.db"]


def test_what_killed_writers_left_is_swept_after_a_day(registry, trained):
    old, young = (registry.settings.workspace / "bundles" / f".tmp-{n}" for n in ("old", "young"))
    for folder in (old, young):
        folder.mkdir(parents=True)
    os.utime(old, (0, 0))
    registry.register(trained(1))
    assert young.exists()
    assert not old.exists()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:", "file.db", "http://x/y"])
def test_urls_that_are_no_registry_are_refused(url):
    with pytest.raises(UsageError):
        ModelRegistry(Settings(registry_url=url))
