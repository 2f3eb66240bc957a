"""The long ESG table: units, meters, revisions, and every row accounted for."""

import polars as pl
import pytest

from esgml.core.errors import ColumnError
from esgml.core.frames import SeriesSpec
from esgml.data.checks import check
from esgml.data.cleaning import clean
from esgml.data.tables import standardize

HEADER = ("facility_id", "metric", "period_start", "period_end", "quantity", "unit")


def long(rows, header=HEADER):
    return pl.DataFrame(rows, schema=list(header), orient="row", strict=False)


def months(metric="electricity", unit="MWh", facility="f1", values=(1.0, 2.0, 3.0)):
    return [
        (facility, metric, f"2024-{m:02d}-01", f"2024-{m + 1:02d}-01", str(v), unit)
        for m, v in enumerate(values, start=1)
    ]


def codes(frame, **spec):
    return {f.code: f for f in check(frame, SeriesSpec(**spec)).faults}


def test_metrics_become_columns_in_stored_units():
    frame = long(months() + months("scope1", "tCO2e") + months("gas", "GJ", values=(3.6, 7.2)))
    result = standardize(frame, SeriesSpec())
    assert result.spec.entity == "facility_id"
    assert result.spec.time == "period_start"
    assert result.spec.units["electricity"] == "kWh"
    assert result.frame["electricity"].to_list() == [1000.0, 2000.0, 3000.0]
    assert result.frame["scope1"].to_list() == [1000.0, 2000.0, 3000.0]
    assert result.frame["gas"].to_list() == pytest.approx([1000.0, 2000.0, None])
    assert result.spec.targets == ("scope1",)


def test_without_emissions_every_metric_is_a_target():
    assert standardize(long(months() + months("water", "m3")), SeriesSpec()).spec.targets == (
        "electricity",
        "water",
    )


def test_meters_are_added_up_and_compared():
    header = (*HEADER, "meter_id", "cost", "is_estimated")
    rows = [(*r, m, 10.0, e) for m, e in (("m1", "true"), ("m2", "false")) for r in months()]
    result = standardize(long(rows, header), SeriesSpec())
    assert result.frame["electricity"].to_list() == [2000.0, 4000.0, 6000.0]
    assert result.frame["electricity_cost"].to_list() == [20.0] * 3
    assert result.frame["electricity_estimated"].to_list() == [0.5] * 3
    assert result.merged == 3
    assert codes(long(rows, header))["duplicate_meter"].count == 6


def test_every_bad_row_has_a_reason_and_rows_add_up():
    bad = [
        ("f1", "electricity", "someday", None, "5", "kWh"),
        ("f1", "electricity", "2024-05-01", "2024-06-01", "5", "bananas"),
        ("f1", "electricity", "2024-05-01", "2024-06-01", "5", "m3"),
        (None, "electricity", "2024-05-01", "2024-06-01", "5", "kWh"),
        ("f1", None, "2024-05-01", "2024-06-01", "5", "kWh"),
        ("f1", "electricity", "2024-06-01", "2024-05-01", "5", "kWh"),
        ("f1", "electricity", "2024-03-01", "2024-04-01", "9", "MWh"),
    ]
    good = months()
    frame = long([good[0], *good, *bad])
    cleaned = clean(frame)
    assert dict(cleaned.quarantine.select("row", "reason").rows()) == {
        1: "duplicate_row",
        3: "duplicate_timestamp",
        4: "unparseable_timestamp",
        5: "unit_unknown",
        6: "unit_incompatible",
        7: "missing_entity",
        8: "metric_missing",
        9: "period_reversed",
    }
    assert cleaned.frame["electricity"].to_list() == [1000.0, 2000.0, 9000.0]
    assert cleaned.rows_in == cleaned.frame.height + cleaned.quarantine.height + cleaned.merged
    assert set(codes(frame)) >= {"unit_unknown", "unit_incompatible", "period_reversed"}
    assert cleaned.quarantine["quantity"].to_list()[0] == "1.0"


def test_higher_revision_counts():
    header = (*HEADER, "revision")
    rows = [(*r, 1) for r in months()]
    rows += [("f1", "electricity", "2024-02-01", "2024-03-01", "7", "MWh", 2)]
    cleaned = clean(long(rows, header))
    assert cleaned.frame["electricity"].to_list() == [1000.0, 7000.0, 3000.0]
    assert cleaned.quarantine["reason"].to_list() == ["superseded"]


@pytest.mark.parametrize("revisions", [(2, None), ("v10", "v9"), ("2024-10-01", "2024-2-1")])
def test_a_correction_counts_wherever_it_stands(revisions):
    header = (*HEADER, "revision")
    right, wrong = revisions
    rows = [("f1", "electricity", "2024-02-01", "2024-03-01", "7", "MWh", right)]
    rows += [(*r, wrong) for r in months()]
    cleaned = clean(long(rows, header))
    assert cleaned.frame["electricity"].to_list() == [1000.0, 7000.0, 3000.0]
    assert cleaned.quarantine["reason"].to_list() == ["superseded"]


@pytest.mark.parametrize("lost", ["row", "quantity"])
def test_a_sum_without_one_of_its_meters_is_told(lost):
    header = (*HEADER, "meter_id")
    values = [float(v) for v in range(1, 7)]
    a = [(*r, "a") for r in months(values=values)]
    b = [(*r, "b") for r in months(values=[v + 0.5 for v in values])]
    assert "meter_missing" not in codes(long(a + b, header))
    short = b[:2] + b[3:] if lost == "row" else [*b[:2], (*b[2][:4], "", *b[2][5:]), *b[3:]]
    found = codes(long(a + short, header))["meter_missing"]
    assert 2 in found.rows
    assert "1 sums" in found.message
    # a meter that was closed, and one that is billed on other days, are no gaps
    assert "meter_missing" not in codes(long(a + b[:3], header))
    other = [(*r[:2], r[2][:8] + "15", r[3][:8] + "15", *r[4:]) for r in b]
    assert "meter_missing" not in codes(long(a + other, header))


def test_metrics_may_be_called_as_they_like():
    header = (*HEADER, "cost")
    rows = [(*r, 5.0) for r in months()]
    rows += [(*r, 1.0) for r in months("electricity_cost", "USD", values=(70.0, 71.0, 72.0))]
    wide = standardize(long(rows, header), SeriesSpec()).frame
    assert wide["electricity_cost"].to_list() == [70.0, 71.0, 72.0]
    assert wide["electricity_cost_column"].to_list() == [5.0] * 3
    odd = long([*months(), *months("entity", ""), *months("start", ""), *months("{x}", "{y}")])
    result = standardize(odd, SeriesSpec())
    assert result.frame["entity"].to_list() == [1.0, 2.0, 3.0]
    assert set(result.quarantine["reason"]) == {"unit_unknown"}
    cleaned = clean(long([*months(), *months("period_start", "MWh")]))
    assert cleaned.quarantine["reason"].to_list() == ["metric_name"] * 3
    assert cleaned.frame["electricity"].to_list() == [1000.0, 2000.0, 3000.0]


def test_metrics_in_two_spellings_are_told():
    found = codes(long(months("Electricity") + months("electricity")))["similar_names"]
    assert found.count == 6


def test_units_as_people_write_them():
    spellings = {
        ("electricity", 1000.0): ("MWh", "mwh", "MWH"),
        ("scope1", 1000.0): ("tCO2e", "t CO2e", "Metric tons CO2-eq", "tonnes CO2", "t", "tCO₂e"),
        ("scope2", 1.0): ("kgCO2e", "kg CO2e", "KG", "kg CO2 equivalent"),
        ("scope3", 1e9): ("MtCO2e", "Mt CO2e", "million tonnes CO2e"),
        ("water", 1.0): ("m3", "m³", "m^3"),
    }
    for (metric, factor), units in spellings.items():
        for unit in units:
            frame = standardize(long(months(metric, unit)), SeriesSpec()).frame
            assert frame[metric].to_list() == [factor, 2 * factor, 3 * factor], unit
    assert codes(long(months("scope1", "t")))["mass_as_co2e"].count == 3
    assert "mass_as_co2e" not in codes(long(months("scope1_ch4", "t")))
    assert codes(long([*months("scope1", "tons"), *months("scope2", "t")]))["unit_ambiguous"]
    assert codes(long(months("waste", "ton")))["unit_ambiguous"].severity == "warning"


def test_overlap_and_missing_unit():
    rows = [*months(), ("f1", "electricity", "2024-03-15", "2024-05-01", "4", "")]
    found = codes(long(rows))
    assert found["overlap"].rows == (3,)
    assert found["unit_missing"].rows == (3,)


def test_quantities_that_could_be_read_in_two_ways():
    rows = months(values=("1.234", "2.345", "3.456"))
    assert "read as 1.234" in codes(long(rows))["ambiguous_number"].message
    assert "ambiguous_number" not in codes(long(months(values=("1.234", "2.3", "3.45"))))


def test_unreadable_quantity():
    rows = [*months(), ("f1", "electricity", "2024-04-01", "2024-05-01", "see bill", "MWh")]
    assert codes(long(rows))["not_a_number"].rows == (3,)
    cleaned = clean(long(rows))
    assert cleaned.frame["electricity"].to_list()[-1] is None
    assert cleaned.cells["before"].to_list() == ["see bill"]


def test_hierarchy_is_carried_over_and_fault_rows_are_source_rows():
    header = (*HEADER, "company")
    rows = [(*r, "acme") for r in months(values=(3.0, 2.0, -1.0))]
    result = standardize(long(rows[::-1], header), SeriesSpec(hierarchy=("company",)))
    assert result.frame["company"].to_list() == ["acme"] * 3
    assert codes(long(rows[::-1], header))["negative_value"].rows == (0,)


def test_missing_columns():
    frame = pl.DataFrame({"metric": ["x"], "quantity": [1]})
    with pytest.raises(ColumnError, match="facility_id"):
        standardize(frame, SeriesSpec())


def test_target_among_metrics():
    assert "electricity" in standardize(long(months()), SeriesSpec(targets=("electricity",))).frame
    assert codes(long(months()), targets=("steam",))["column_missing"]
