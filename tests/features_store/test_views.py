"""Feature views: strict names, immutable versions, faithful JSON."""

import dataclasses
from datetime import timedelta

import pytest

from esgml.core.errors import IntegrityError, NotFoundError, UsageError
from esgml.features.store import Feature, FeatureStore, FeatureView
from esgml.features.store.views import parse_reference


@pytest.mark.parametrize(
    "name",
    ["", "A", "1a", "a-b", "../x", "a/b", "a b", "a__b", "a\n", "x" * 64, "a;drop", "ä", None, 3],
)
def test_bad_names_are_refused_everywhere(name, store, load):
    with pytest.raises(UsageError, match="valid"):
        FeatureView(name, ("entity",), (Feature("x"),))
    with pytest.raises(UsageError, match="valid"):
        Feature(name)
    with pytest.raises(UsageError, match="valid"):
        FeatureView("v", (name,), (Feature("x"),))
    with pytest.raises(UsageError):
        store.get_feature_view(name)
    with pytest.raises(UsageError):
        store.ingest(name, {"entity": []})


@pytest.mark.parametrize(
    "change",
    [
        {"entities": ()},
        {"features": ()},
        {"features": (Feature("x"), Feature("x"))},
        {"features": (Feature("entity"),)},
        {"features": (Feature("event_timestamp"),)},
        {"version": 0},
        {"version": "1"},
        {"version": True},
        {"ttl": timedelta(0)},
        {"ttl": timedelta(days=-1)},
    ],
)
def test_bad_views_are_refused(change, load):
    with pytest.raises(UsageError):
        dataclasses.replace(load, **change)


def test_unknown_type_and_unit_are_refused(store):
    with pytest.raises(UsageError, match="float64"):
        Feature("x", "decimal")
    with pytest.raises(UsageError, match="unknown unit 'bananas'"):
        store.register(FeatureView("v", ("entity",), (Feature("x", unit="bananas"),)))
    assert store.list_feature_views() == []


def test_json_keeps_everything(energy):
    assert FeatureView.from_json(energy.to_json()) == energy
    assert FeatureView.from_json(energy.to_json()).to_json() == energy.to_json()


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"name": 3}', b"\xff"])
def test_damaged_json_is_refused(data):
    with pytest.raises(IntegrityError):
        FeatureView.from_json(data)


def test_a_version_never_changes(store, settings, load):
    assert store.register(load) == load
    assert store.register(load) == load
    with pytest.raises(UsageError, match="Register it as version 2") as caught:
        store.register(dataclasses.replace(load, owner="someone else"))
    assert caught.value.code == "version_exists"
    second = dataclasses.replace(load, owner="someone else", version=2)
    store.register(second)
    again = FeatureStore(settings)
    assert again.get_feature_view("load") == second
    assert again.get_feature_view("load", 1) == load
    assert again.list_feature_views() == [second]


def test_unknown_views_name_what_there_is(store, load):
    store.register(load)
    with pytest.raises(NotFoundError, match="registered are: load@1"):
        store.get_feature_view("lod")
    with pytest.raises(NotFoundError):
        store.get_feature_view("load", 9)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a", ("a", None, None)),
        ("a:b", ("a", None, "b")),
        ("a@12", ("a", 12, None)),
        ("a@2:b", ("a", 2, "b")),
    ],
)
def test_references(text, parts):
    assert parse_reference(text) == parts


@pytest.mark.parametrize("text", ["", ":", "a:", "a@", "a@0", "a@-1", "a@x", "../a", "a:b:c", None])
def test_bad_references(text):
    with pytest.raises(UsageError):
        parse_reference(text)
