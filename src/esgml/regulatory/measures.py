"""Units and currencies as regulations write them, each under one symbol."""

from __future__ import annotations

import re

#: Symbol -> what the text writes for it, as a regular expression.
_WRITTEN = {
    "percentage points": r"percentage points?",
    "basis points": r"basis points?",
    "%": r"%|per cent\b|percent\b",
    "‰": r"‰|per mille\b",
    "tCO2e": r"(?:metric )?(?:tonnes?|tons?|t) ?(?:of )?(?:CO2|carbon dioxide|CO 2)(?:[ -]?(?:eq|e"
    r"|equivalents?)\b)?",
    "ktCO2e": r"kt ?(?:of )?CO2(?:[ -]?(?:eq|e|equivalents?)\b)?",
    "MtCO2e": r"Mt ?(?:of )?CO2(?:[ -]?(?:eq|e|equivalents?)\b)?",
    "kgCO2e": r"(?:kg|kilograms?) ?(?:of )?CO2(?:[ -]?(?:eq|e|equivalents?)\b)?",
    "gCO2e": r"g(?:rams?)? ?(?:of )?CO2(?:[ -]?(?:eq|e|equivalents?)\b)?",
    "tonne-km": r"(?:tonne[- ]?(?:km|kilomet(?:re|er)s?)|tkm)\b",
    "passenger-km": r"(?:passenger[- ]?(?:km|kilomet(?:re|er)s?)|pkm)\b",
    "toe": r"(?:tonnes? of oil equivalent|toe)\b",
    "ktoe": r"ktoe\b",
    "Mtoe": r"Mtoe\b",
    "GT": r"(?:GT|gross (?:registered )?(?:tonnage|tonnes?|tons?))\b",
    "t": r"(?:metric )?(?:tonnes?|tons?)\b|t\b",
    "kt": r"(?:kt|kilotonnes?)\b",
    "Mt": r"(?:Mt|megatonnes?)\b",
    "kg": r"(?:kg|kilograms?|kilogrammes?)\b",
    "g": r"(?:grams?|grammes?|g)\b",
    "mg": r"(?:mg|milligrams?|milligrammes?)\b",
    "µg": r"(?:[µμ]g|micrograms?|microgrammes?)\b",
    "ng": r"ng\b",
    "kWh": r"(?:kWh|kilowatt[- ]hours?)\b",
    "MWh": r"(?:MWh|megawatt[- ]hours?)\b",
    "GWh": r"(?:GWh|gigawatt[- ]hours?)\b",
    "TWh": r"(?:TWh|terawatt[- ]hours?)\b",
    "Wh": r"Wh\b",
    "kW": r"(?:kW|kilowatts?)\b(?:\(?(?:th|e)\)?)?",
    "MW": r"(?:MW|megawatts?)\b(?:\(?(?:th|e)\)?)?",
    "GW": r"(?:GW|gigawatts?)\b",
    "W": r"(?:W|watts?)\b",
    "TJ": r"(?:TJ|terajoules?)\b",
    "GJ": r"GJ\b",
    "MJ": r"MJ\b",
    "km/h": r"(?:km/h|kilometres per hour|kph)\b",
    "knots": r"knots?\b",
    "nautical miles": r"nautical miles?\b",
    "km2": r"km(?:2|²)|square kilomet(?:re|er)s?\b",
    "cm2": r"cm(?:2|²)|square centimet(?:re|er)s?\b",
    "mm2": r"mm(?:2|²)|square millimet(?:re|er)s?\b",
    "m2": r"m(?:2|²)|square met(?:re|er)s?\b|sq\.? ?m\b",
    "m3": r"(?:N?m(?:3|³))|cubic met(?:re|er)s?\b",
    "cm3": r"cm(?:3|³)|cubic centimet(?:re|er)s?\b|cc\b",
    "km": r"(?:km|kilomet(?:re|er)s?)\b",
    "mm": r"(?:mm|millimet(?:re|er)s?)\b",
    "cm": r"(?:cm|centimet(?:re|er)s?)\b",
    "µm": r"(?:[µμ]m|micromet(?:re|er)s?|microns?)\b",
    "m": r"(?:met(?:re|er)s?|m)\b(?! ?(?:of|EUR|euro)\b)",
    "ha": r"(?:ha|hectares?)\b",
    "acres": r"acres?\b",
    "miles": r"miles?\b",
    "feet": r"(?:feet|ft)\b",
    "l": r"(?:lit(?:re|er)s?|l)\b",
    "hl": r"(?:hl|hectolit(?:re|er)s?)\b",
    "ml": r"(?:ml|millilit(?:re|er)s?)\b",
    "gallons": r"gallons?\b",
    "barrels": r"barrels?\b",
    "lb": r"(?:lbs?|pounds?)\b(?! sterling)",
    "°C": r"° ?C\b|degrees Celsius\b",
    "bar": r"bars?\b",
    "kPa": r"kPa\b",
    "MPa": r"MPa\b",
    "kVA": r"kVA\b",
    "Ah": r"Ah\b",
    "kJ": r"kJ\b",
    "K": r"(?:K|kelvins?)\b",
    "Bq": r"Bq\b",
    "mSv": r"mSv\b",
    "Nm": r"Nm\b",
    "m/s": r"(?:m/s|met(?:re|er)s per second)\b",
    "rpm": r"(?:rpm|revolutions per minute)\b",
    "V": r"(?:V|volts?)\b",
    "kV": r"kV\b",
    "Hz": r"Hz\b",
    "kHz": r"kHz\b",
    "MHz": r"MHz\b",
    "GHz": r"GHz\b",
    "dB": r"(?:dB(?:\(A\))?(?![a-z])|decibels?\b)",
    "Mbit/s": r"(?:Mbit/s|Mbps|megabits? per second)\b",
    "Gbit/s": r"(?:Gbit/s|Gbps|gigabits? per second)\b",
    "ppm.h": r"ppm ?[.·*] ?h\b",
    "ppm": r"ppm\b|parts per million\b",
    "ppb": r"ppb\b",
    "population equivalent": r"(?:p\.e\.|pe\b|population equivalents?\b)",
    "allowances": r"(?:emission )?allowances\b",
    "livestock units": r"(?:livestock units?|LSU)\b",
    "years of age": r"years (?:of age|old)\b",
    "axles": r"axles\b",
    "times": r"times\b(?= (?:the|its|their|that|as|higher|greater|more|larger)\b)",
}
_CURRENCY = {
    "EUR": r"EUR|euros?|€|Euro",
    "ECU": r"ECU",
    "USD": r"USD|US dollars?|US\$|U\.S\. dollars|\$|dollars",
    "GBP": r"GBP|£|pounds sterling",
    "SDR": r"SDR|Special Drawing Rights|units of account",
    "CHF": r"CHF|Swiss francs?",
    "SEK": r"SEK",
    "DKK": r"DKK",
    "PLN": r"PLN",
    "JPY": r"JPY|¥|yen",
    "CAD": r"CAD|C\$",
    "AUD": r"AUD|A\$",
    "INR": r"INR|₹",
    "CNY": r"CNY|RMB|yuan",
}

#: Physical units and shares, the longest writing first.
UNIT = "|".join(
    f"(?:{written})"
    for _, written in sorted(
        _WRITTEN.items(), key=lambda pair: -len(pair[0]) - 10 * ("CO2" in pair[1])
    )
)
CURRENCY_BEFORE = (
    r"(?:EUR|USD|GBP|ECU|SDR|CHF|SEK|DKK|PLN|JPY|CAD|AUD|INR|CNY|US\$|C\$|A\$|€|\$|£|¥|₹"
    r"|euros?)"
)
CURRENCY_AFTER = (
    r"(?:EUR\b|euros?\b|€|ECU\b|USD\b|US dollars?\b|dollars\b|GBP\b|pounds sterling\b|SDR\b"
    r"|units of account\b|CHF\b|SEK\b)"
)
#: What a rate is per: "/km", "per tonne".
PER = (
    r"(?:(?: ?/ ?| per )(?:(?:kg|g|t|km|kWh|MWh|MJ|GJ|l|litre|Nm3|m3|m2|m³|m²|ha|hectare|tonne"
    r"|kilogram|kilometre|day|year|annum|hour|month|week|minute|second|tkm|pkm"
    r"|passenger|vehicle|unit|inhabitant|capita|head|person|employee|allowance|animal|piece|TEU|CO2"
    r"|100 km)\b|[23³²])(?:/(?:km|MJ|kWh|year))?| an? (?:day|year|month|week|hour)\b)"
)
_SYMBOLS = [
    (symbol, re.compile(rf"(?:{written})\Z"))
    for symbol, written in {**_WRITTEN, **_CURRENCY}.items()
]

#: Unit -> (factor, unit) of the one it is also given in.
NORMAL = {
    "t": (1e3, "kg"), "kt": (1e6, "kg"), "Mt": (1e9, "kg"), "g": (1e-3, "kg"), "mg": (1e-6, "kg"),
    "µg": (1e-9, "kg"), "ng": (1e-12, "kg"), "lb": (0.45359237, "kg"), "tCO2e": (1e3, "kgCO2e"),
    "ktCO2e": (1e6, "kgCO2e"), "MtCO2e": (1e9, "kgCO2e"), "gCO2e": (1e-3, "kgCO2e"),
    "MWh": (1e3, "kWh"), "GWh": (1e6, "kWh"), "TWh": (1e9, "kWh"), "Wh": (1e-3, "kWh"),
    "GJ": (1 / 0.0036, "kWh"), "TJ": (1 / 0.0000036, "kWh"), "MJ": (1 / 3.6, "kWh"),
    "toe": (11630.0, "kWh"), "ktoe": (11630e3, "kWh"), "Mtoe": (11630e6, "kWh"), "MW": (1e3, "kW"),
    "GW": (1e6, "kW"), "W": (1e-3, "kW"), "km": (1e3, "m"), "cm": (1e-2, "m"), "mm": (1e-3, "m"),
    "µm": (1e-6, "m"), "nautical miles": (1852.0, "m"), "miles": (1609.344, "m"),
    "feet": (0.3048, "m"), "ha": (1e4, "m2"), "km2": (1e6, "m2"), "acres": (4046.8564224, "m2"),
    "l": (1e-3, "m3"), "hl": (0.1, "m3"), "ml": (1e-6, "m3"), "cm3": (1e-6, "m3"),
    "cm2": (1e-4, "m2"), "mm2": (1e-6, "m2"), "kJ": (1 / 3600, "kWh"),
    "kV": (1e3, "V"), "‰": (0.1, "%"), "kHz": (1e3, "Hz"), "MHz": (1e6, "Hz"), "GHz": (1e9, "Hz"),
    "MPa": (10.0, "bar"), "kPa": (0.01, "bar"), "Gbit/s": (1e3, "Mbit/s"),
    "basis points": (0.01, "percentage points"),
}  # fmt: skip


def symbol(written: str) -> str:
    """Return the symbol of a unit or currency as the text writes it."""
    text = written.strip()
    for name, pattern in _SYMBOLS:
        if pattern.match(text):
            return name
    return text


def normal(value: float, unit: str) -> tuple[float, str]:
    """Return a quantity in the unit that its like are compared in: kg, kWh, kW, m, m2, m3."""
    factor, name = NORMAL.get(unit, (1.0, unit))
    return float(f"{value * factor:.12g}"), name
