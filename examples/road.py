"""The whole road in one script: check, clean, features, train, register, ask, trace.

    python examples/road.py [WORKSPACE]

It takes less than a minute. One quick model is trained; leave ``model`` out of the
configuration and all of them are weighed, which takes minutes.
"""

import sys
import tempfile

from esgml import MLPipeline, ModelIntegration, Settings
from esgml.core.events import EventBus, PredictionMade
from esgml.data.synthetic import portfolio
from esgml.monitoring.log import PredictionLog
from esgml.monitoring.records import find
from esgml.monitoring.trace import log_path, trace


def main(workspace: str) -> None:
    """Walk the road in a workspace."""
    data = portfolio(seed=0, sites=2, years=2)
    pipeline = MLPipeline(
        {
            "workspace": workspace,
            "targets": ("scope1_kg",),
            "known": ("temperature", "holiday"),
            "model": "ridge",
            "horizon": 7,
            "repair": ("unit_x1000", "negative_value", "stuck_run", "zero_run"),
        }
    )

    loaded = pipeline.ingest(data.frame)
    print(f"checked  {loaded.report.rows} rows, quality {loaded.report.quality:.1f} of 5")
    for fault in loaded.report.faults:
        if fault.severity == "warning":
            print(f"         {fault.code}: {fault.count} in {fault.column}")
    print(f"cleaned  {sum(entry.count for entry in loaded.log)} cells, each on record")

    processed = pipeline.process()
    print(f"features {len(processed.names)}, such as {', '.join(processed.names[:3])}")

    (model,) = pipeline.train().models
    print(f"trained  version {model.version}, released: {model.champion}")
    for name, value, naive in model.beside_naive():
        if naive is not None:
            print(f"         {name} {value:.3f}, naive {naive:.3f}")

    # what a service does: answer with the champion and put every prediction on record
    settings = Settings(workspace=workspace)
    bus, log = EventBus(), PredictionLog(log_path(settings))
    bus.subscribe(PredictionMade, log.record)
    service = ModelIntegration(settings, bus=bus).create_prediction_api()
    history = data.frame.filter(data.frame["entity"] == "site-01").tail(120)
    answer = service.forecast(
        {
            "series": [
                {
                    "entity": "site-01",
                    "target": "scope1_kg",
                    "start": history["timestamp"][0].isoformat(),
                    "values": history["scope1_kg"].to_list(),
                    # nobody knows next week's weather here: those days are missing
                    "known": {
                        name: [*history[name].cast(float).to_list(), *[None] * 7]
                        for name in ("temperature", "holiday")
                    },
                }
            ],
            "horizon": 7,
            "levels": [80],
        }
    )
    service.close()
    log.close()
    forecast = answer["forecasts"][0]
    for when, mean, low, high in zip(
        forecast["timestamps"],
        forecast["mean"],
        forecast["lower"]["80"],
        forecast["upper"]["80"],
        strict=True,
    ):
        print(f"forecast {when[:10]}  {mean:7.0f} kg  ({low:.0f} to {high:.0f})")

    record = find(log_path(settings), answer["prediction_id"])
    bundle = pipeline.model_registry.get(record.model, record.version)
    found = trace(record, bundle)
    print(f"traced   {bundle.digest[:12]}, computed again, identical: {found.identical}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(sys.argv[1])
    else:
        with tempfile.TemporaryDirectory() as folder:
            main(folder)
