"""Packed rows come back exactly."""

import math
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esgml.core.errors import IntegrityError
from esgml.features.store import Feature, FeatureView
from esgml.features.store.packing import RowCodec
from esgml.features.store.views import DTYPES

VALUES = {
    "float64": st.floats(allow_nan=False),
    "float32": st.floats(width=32, allow_nan=False),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "int32": st.integers(-(2**31), 2**31 - 1),
    "bool": st.booleans(),
    "string": st.text(),
    "timestamp": st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)),
}


@st.composite
def rows(draw):
    dtypes = draw(st.lists(st.sampled_from(DTYPES), min_size=1, max_size=150))
    view = FeatureView("v", ("e",), tuple(Feature(f"f{i}", d) for i, d in enumerate(dtypes)))
    return view, [draw(st.none() | VALUES[d]) for d in dtypes]


@settings(max_examples=150, deadline=None)
@given(rows())
def test_round_trip(case):
    view, values = case
    codec = RowCodec(view)
    back = codec.unpack(codec.pack(values))
    assert back == values
    assert all(
        math.copysign(1, a) == math.copysign(1, b)
        for a, b in zip(back, values, strict=True)
        if isinstance(a, float)
    )


@pytest.mark.parametrize("cut", [0, 3, -1])
def test_damaged_rows_are_refused(energy, cut):
    codec = RowCodec(energy)
    data = codec.pack([1.0, 2, True, "text", None])
    with pytest.raises(IntegrityError, match="Materialize"):
        codec.unpack(data[:cut])
    with pytest.raises(IntegrityError):
        codec.unpack(data + b"x")
