"""Units read off the names of columns."""

import pytest

from esgml.core.frames import unit_from_name


@pytest.mark.parametrize(
    ("column", "unit"),
    [
        ("load_kwh", "kWh"),
        ("Scope 1 (tCO2e)", "tCO2e"),
        ("co2_mt", "MtCO2e"),
        ("emissions_t", "tCO2e"),
        ("Emissions (kg)", "kgCO2e"),
        ("scope3_tonnes", "tCO2e"),
        ("total_ghg_kt", "ktCO2e"),
        ("gas_therms", "therm"),
        ("waste_t", ""),
        ("carbon_intensity_kg_kwh", ""),
        ("emission_factor_kg", ""),
        ("emissions target", ""),
        ("scope1", ""),
    ],
)
def test_the_end_of_a_name_states_its_unit(column, unit):
    assert unit_from_name(column) == unit
