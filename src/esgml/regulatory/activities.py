"""What an organization may do that a law looks at, by the name an organization file gives it."""

from __future__ import annotations

#: What an organization may do that a law looks at, and what it means.
ACTIVITIES: dict[str, str] = {
    "imports_cbam_goods": "imports cement, iron and steel, aluminium or fertilisers into the EU",
    "imports_cbam_electricity_or_hydrogen": "imports electricity or hydrogen into the EU",
    "places_eudr_products": "places products of cattle, cocoa, coffee, oil palm, rubber, soya or"
    " wood on the EU market or exports them",
    "financial_market_participant": "manages portfolios or funds, or makes investment or pension"
    " products",
    "operates_ets_installation": "operates an installation that carries out an activity of"
    " Annex I to the EU ETS Directive",
    "operates_aircraft": "operated 500 commercial passenger flights or 52 all-cargo flights from EU"
    " airports in the last year",
    "places_batteries": "places batteries on the EU market or puts them into service",
    "places_large_batteries": "places electric vehicle, light transport or industrial batteries"
    " above 2 kWh on the EU market",
    "discards_unsold_products": "discards unsold consumer products",
    "discards_unsold_apparel": "discards unsold apparel, clothing accessories or footwear",
    "trades_fgases": "produces, imports or exports fluorinated greenhouse gases in bulk",
    "owns_nonresidential_buildings": "owns non-residential buildings in the EU",
    "operates_oil_gas_coal_assets": "operates oil, gas or coal assets in the EU",
    "imports_fossil_fuels": "places crude oil, natural gas or coal from outside the EU on its"
    " market",
    "operates_general_cargo_ships": "operates general cargo ships that call at EU ports",
    "places_products_on_eu_market": "places products on the EU market or exports them from it",
    "supplies_aviation_fuel": "supplies aviation fuel at EU airports",
    "makes_packaged_products_available": "makes packaging or packaged products available for the"
    " first time in a Member State",
    "issues_eu_green_bonds": "issues bonds as 'European Green Bonds'",
    "rates_esg": "issues and publishes or distributes ESG ratings in the EU",
    "makes_cars_or_vans": "manufactures passenger cars or vans registered in the EU",
    "sells_to_consumers_in_eu": "sells goods or services to consumers in the EU",
    "operates_ied_activity": "operates an installation that carries out an activity of Annex I to"
    " the Industrial Emissions Directive",
    "makes_strategic_technologies": "uses strategic raw materials to make strategic technologies",
    "insurance_company": "is an insurance undertaking",
    "lodges_chapter_2m_reports": "must lodge annual financial reports under Chapter 2M of the"
    " Australian Corporations Act",
    "nger_publication_threshold": "is a corporation registered under the Australian NGER Act whose"
    " group meets the publication threshold",
}
