"""Writes ``golden.json``: the report on a made-up act, held by ``test_golden.py``.

``python tests/regulatory/golden.py`` after a change that is meant to change it; read the
difference before it is committed.
"""

import datetime as dt
import json
from pathlib import Path

from esgml.regulatory.predictor import RegulatoryPredictor

FILE = Path(__file__).parent / "golden.json"
DAY = dt.date(2026, 11, 26)
ACT = """<html><body>
<h1>Regulation (EU) 2099/1 of the European Parliament and of the Council of 3 March 2025
on the reporting of process heat</h1>
<p>Article 1 Scope</p>
<p>1. This Regulation shall apply to installations with a rated thermal input exceeding 20&nbsp;MW,
except installations that emit less than 2&nbsp;500 tonnes of CO2 equivalent per year.</p>
<p>Article 2 Duties of operators</p>
<p>1. By 31 March each year, starting in 2028, operators shall submit to the competent authority a
report on the heat used. 2. Where an operator changes its fuel, it shall notify the competent
authority within 30 days. 3. Operators shall not discharge heat above 45&nbsp;°C into rivers.
4. Operators should recover at least 25 % of waste heat by 2030.</p>
<p>Article 3 Penalties</p>
<p>Member States shall lay down fines, which shall not exceed 4 % of annual turnover, and shall
notify the Commission of them by 1 January 2027.</p>
<p>Article 4 Review</p>
<p>No later than 1 July 2029, and every four years thereafter, the Commission shall review this
Regulation.</p>
<p>Article 5 Entry into force</p>
<p>This Regulation shall enter into force on 1 January 2026. It shall apply from 1 July 2027.
Article 2(3) shall apply 24 months after the date of entry into force of this Regulation.</p>
</body></html>
"""


def report():
    """Return the report on the act, without the estimates of the classifiers."""
    predictor = RegulatoryPredictor(areas=lambda text: [], significance=lambda text: None)
    return predictor.analyze_regulation(ACT, as_of=DAY)


if __name__ == "__main__":
    FILE.write_text(json.dumps(report(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
