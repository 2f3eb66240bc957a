import asyncio
import threading

import pytest
import serving_doubles as doubles
from hypothesis import given, settings
from hypothesis import strategies as st

from esgml.core.events import EventBus, PredictionMade
from esgml.registry.bundle import Bundle
from esgml.serving.batching import Batcher, OverloadedError, RetiredError
from esgml.serving.cache import ResultCache
from esgml.serving.service import Service

pytestmark = pytest.mark.anyio


def service(**options) -> Service:
    bundle = Bundle.from_trained(doubles.trained(1.25)).registered("emissions", "1", "")
    return Service(bundle, task_of=lambda name: doubles.SeasonalMeanTask(), **options)


numbers = st.none() | st.floats(-1e6, 1e6)
rows = st.lists(
    st.lists(numbers, min_size=2, max_size=30).filter(lambda r: any(v is not None for v in r)),
    min_size=1,
    max_size=20,
)


@settings(max_examples=30, deadline=None)
@given(rows)
def test_batched_answers_equal_single_ones(values):
    """Whatever shares a batch: each caller gets its own answer, bit for bit."""
    one = service()
    requests = [one.features(r) for r in one.decode_rows(values, {})]
    alone = [one.predict([r])[0] for r in requests]

    async def together():
        return await asyncio.gather(*(one.answer(r) for r in requests))

    answered = asyncio.run(together())
    one.retire()
    assert [a.answer for a in answered] == alone
    assert len({a.prediction_id for a in answered}) == len(values)


async def test_a_batch_is_what_waits_while_the_worker_is_busy():
    sizes = []
    gate = threading.Event()

    def work(items):
        gate.wait(10)
        return [{"n": item["n"]} for item in items]

    batcher = Batcher(work, max_batch=8, observe=sizes.append)
    first = batcher.submit({"n": -1})
    while batcher.waiting:
        await asyncio.sleep(0.001)
    rest = [batcher.submit({"n": i}) for i in range(20)]
    gate.set()
    assert await first == {"n": -1}
    assert [a["n"] for a in await asyncio.gather(*rest)] == list(range(20))
    assert sizes == [1, 8, 8, 4]
    batcher.close()
    assert await asyncio.to_thread(batcher.join, 5)


async def test_one_bad_request_fails_alone():
    def work(items):
        return [{"inverse": 1 / item["n"]} for item in items]

    batcher = Batcher(work)
    outcomes = await asyncio.gather(
        *(batcher.submit({"n": n}) for n in (1, 0, 2)), return_exceptions=True
    )
    assert outcomes[0] == {"inverse": 1.0} and outcomes[2] == {"inverse": 0.5}
    assert isinstance(outcomes[1], ZeroDivisionError)
    batcher.close()


async def test_a_model_that_answers_too_few_is_an_error_and_mixes_nothing_up():
    batcher = Batcher(lambda items: [{"ok": 1}] if len(items) > 1 else [{"n": items[0]["n"]}])
    answers = await asyncio.gather(*(batcher.submit({"n": i}) for i in range(6)))
    assert [a["n"] for a in answers] == list(range(6))
    batcher.close()


async def test_too_many_waiting_are_refused_at_once_but_probes_are_not():
    gate = threading.Event()

    def work(items):
        gate.wait(10)
        return [{} for _ in items]

    batcher = Batcher(work, max_waiting=2)
    first = batcher.submit({})
    while batcher.waiting:
        await asyncio.sleep(0.001)
    waiting = [batcher.submit({}), batcher.submit({})]
    with pytest.raises(OverloadedError):
        batcher.submit({})
    probe = batcher.probe()
    assert batcher.busy_seconds > 0
    gate.set()
    await asyncio.gather(first, probe, *waiting)
    batcher.close()


async def test_closing_answers_what_waits_and_takes_no_more():
    gate = threading.Event()

    def work(items):
        gate.wait(10)
        return [dict(item) for item in items]

    batcher = Batcher(work)
    waiting = [batcher.submit({"n": i}) for i in range(5)]
    batcher.close()
    with pytest.raises(RetiredError):
        batcher.submit({})
    gate.set()
    assert [a["n"] for a in await asyncio.gather(*waiting)] == list(range(5))


async def test_callers_that_gave_up_are_skipped():
    seen = []
    gate = threading.Event()

    def work(items):
        gate.wait(10)
        seen.extend(item["n"] for item in items)
        return [{} for _ in items]

    batcher = Batcher(work)
    first = batcher.submit({"n": 0})
    while batcher.waiting:
        await asyncio.sleep(0.001)
    gone, stays = batcher.submit({"n": 1}), batcher.submit({"n": 2})
    gone.cancel()
    gate.set()
    await asyncio.gather(first, stays)
    assert seen == [0, 2]
    batcher.close()


def test_the_cache_is_bounded_and_knows_bundles_apart():
    cache = ResultCache(size=2, max_bytes=100)
    keys = [cache.key("digest", {"n": i}) for i in range(3)]
    assert cache.key("other", {"n": 0}) != keys[0]
    assert cache.key("digest", {"b": 1, "a": 2}) == cache.key("digest", {"a": 2, "b": 1})
    assert cache.key("digest", {"n": "x" * 200}) is None
    for i, key in enumerate(keys):
        cache.put(key, {"n": i})
    assert len(cache) == 2
    assert cache.get(keys[0]) is None and cache.get(keys[2]) == {"n": 2}
    assert ResultCache(0).key("digest", {}) is None


async def test_an_unrecorded_prediction_is_not_given_out():
    bus = EventBus()

    def full(event):
        raise OverloadedError("the record is full")

    bus.subscribe(PredictionMade, full)
    one = service(bus=bus)
    with pytest.raises(OverloadedError):
        await one.answer(one.decode(doubles.forecast_request()))
    one.retire()
