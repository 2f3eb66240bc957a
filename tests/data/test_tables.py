"""Wide tables become canonical, roles are found, nothing is lost on the way."""

import polars as pl
import pytest

from esgml.core.errors import ColumnError, DataError, UsageError
from esgml.core.frames import SeriesSpec
from esgml.data.load import load
from esgml.data.tables import canonical, standardize


def wide(**columns):
    return pl.DataFrame(
        {"entity": ["a", "a"], "timestamp": ["2024-01-01", "2024-01-02"], **columns}
    )


def test_types_and_names():
    frame, spec = canonical(wide(co2_t=[1, 2], note=["x", "y"]), SeriesSpec())
    assert frame.schema["entity"] == pl.String
    assert frame.schema["timestamp"] == pl.Datetime("us")
    assert frame.schema["co2_t"] == pl.Float64
    assert frame["note"].to_list() == ["x", "y"]
    assert spec.targets == ("co2_t",)


def test_canonical_is_idempotent(daily):
    once, spec = canonical(daily(), SeriesSpec())
    twice, again = canonical(once, spec)
    assert once.equals(twice)
    assert spec == again


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (
            {"scope1_kg": [1, 2], "scope2_kg": [1, 2], "energy_kwh": [1, 2]},
            ("scope1_kg", "scope2_kg"),
        ),
        ({"scope2_mb_t": [1, 2], "scope2_lb_t": [1, 2]}, ("scope2_lb_t",)),
        ({"scope2_market_kg": [1, 2]}, ("scope2_market_kg",)),
        (
            {"Scope 1 (tCO2e)": [1, 2], "Scope 3 (tCO2e)": [1, 2]},
            ("Scope 1 (tCO2e)", "Scope 3 (tCO2e)"),
        ),
        ({"co2_t": [1, 2], "carbon_intensity": [1, 2], "generation_mwh": [1, 2]}, ("co2_t",)),
        (
            {"Total Emissions (MTCO2e)": [1, 2], "Methane (MTCO2e)": [1, 2]},
            ("Total Emissions (MTCO2e)",),
        ),
        ({"value": [1, 2], "label": [0, 1]}, ("value",)),
        ({"scope1_t": [1, 2], "scope1_verified": ["http://x", None]}, ("scope1_t",)),
        ({"co2_t": [None, None], "energy_kwh": [1, 2]}, ("co2_t",)),
    ],
)
def test_targets_are_detected(columns, expected):
    assert canonical(wide(**columns), SeriesSpec())[1].targets == expected


def test_ambiguous_target_lists_the_candidates():
    with pytest.raises(DataError, match=r"\['apples', 'pears'\]") as caught:
        canonical(wide(apples=[1, 2], pears=[1, 2]), SeriesSpec())
    assert caught.value.code == "target_ambiguous"
    with pytest.raises(DataError) as caught:
        canonical(wide(note=["x", "y"]), SeriesSpec())
    assert caught.value.code == "no_target"


@pytest.mark.parametrize("role", ["targets", "known", "hierarchy"])
def test_unknown_columns_are_refused_with_a_hint(role):
    with pytest.raises(ColumnError, match="Did you mean 'co2_t'") as caught:
        canonical(wide(co2_t=[1, 2]), SeriesSpec(**{role: ("co2_tt",)}))
    assert caught.value.code == "column_missing"


def test_texts_where_numbers_were_expected_are_shown():
    frame = pl.DataFrame({"timestamp": ["2024-01-01"], "load": ["5 kWh"]})
    with pytest.raises(DataError, match="'load' holds '5 kWh'"):
        standardize(frame, SeriesSpec())


@pytest.mark.parametrize(
    "roles",
    [
        {"time": "entity"},
        {"known": ("timestamp",)},
        {"hierarchy": ("timestamp",)},
        {"targets": ("x", "x")},
        {"hierarchy": ("company", "company")},
    ],
)
def test_roles_that_cannot_be(roles):
    frame = pl.DataFrame({"entity": ["a"], "timestamp": ["2024-01-01"], "x": [1.0], "company": "c"})
    with pytest.raises(UsageError) as caught:
        standardize(frame, SeriesSpec(**{"targets": ("x",), **roles}))
    assert caught.value.code == "role_conflict"


def test_target_with_two_roles():
    with pytest.raises(UsageError, match="another role"):
        canonical(wide(co2_t=[1, 2]), SeriesSpec(targets=("co2_t",), known=("co2_t",)))


def test_time_column_is_found():
    base = pl.DataFrame({"x": [1.0, 2.0]})
    for name in ("date", "Year", "period_start", "Datetime"):
        frame = base.with_columns(pl.Series(name, ["2023", "2024"]))
        assert canonical(frame, SeriesSpec())[1].time == name
    steel = base.with_columns(
        date=pl.Series(["2023-01-01", "2023-01-02"]), year=pl.Series([2023, 2023])
    )
    assert canonical(steel, SeriesSpec(targets=("x",)))[1].time == "date"
    with pytest.raises(ColumnError, match="--time"):
        canonical(base, SeriesSpec())
    with pytest.raises(ColumnError, match="no column 'when'"):
        canonical(steel, SeriesSpec(time="when"))


def test_one_entity_only_where_none_was_named():
    frame = pl.DataFrame({"timestamp": ["2024-01-01", "2024-01-02"], "x": [1.0, 2.0]})
    result, spec = canonical(frame, SeriesSpec())
    assert result[spec.entity].to_list() == ["all", "all"]
    with pytest.raises(ColumnError, match="no column 'site'"):
        canonical(frame, SeriesSpec(entity="site"))


def test_several_series_without_an_entity_are_refused():
    frame = pl.DataFrame({"year": [2020, 2021] * 4, "firm": list("aabbccdd"), "co2_t": range(8)})
    codes = {f.code: f for f in standardize(frame, SeriesSpec()).faults}
    assert "firm" in codes["entity_missing"].message


def test_entity_numbers_become_labels():
    frame = wide(co2_t=[1, 2]).with_columns(entity=pl.Series([439.0, 7.0]))
    assert canonical(frame, SeriesSpec())[0]["entity"].to_list() == ["439", "7"]


def test_unreadable_cells_are_kept_on_record():
    frame = pl.DataFrame(
        {
            "entity": ["a"] * 4,
            "timestamp": ["2024-01-01", "soon", "2024-01-03", "2024-01-04"],
            "co2_t": ["1", "2", "broken", "n/a"],
        }
    )
    result = standardize(frame, SeriesSpec(targets=("co2_t",)))
    assert result.frame.height == 4
    assert result.cells.select("row", "column", "before", "reason").rows() == [
        (1, "timestamp", "soon", "unparseable_timestamp"),
        (2, "co2_t", "broken", "not_a_number"),
        (3, "co2_t", "n/a", "missing_word"),
    ]


def test_known_texts_stay_texts():
    frame = wide(co2_t=[1, 2], holiday=["New Year", None])
    assert canonical(frame, SeriesSpec(known=("holiday",)))[0]["holiday"].to_list() == [
        "New Year",
        None,
    ]


def test_table_without_rows():
    with pytest.raises(DataError) as caught:
        canonical(wide(co2_t=[1, 2]).head(0), SeriesSpec())
    assert caught.value.code == "empty"


def test_columns_of_lists_do_no_harm(daily):
    frame = daily(10).with_columns(tags=pl.Series([["x", "y"]] * 20))
    loaded = load(pl.concat([frame, frame.head(1)]), SeriesSpec())
    assert loaded.frame.height == 20
    assert loaded.quarantine.height == 1
