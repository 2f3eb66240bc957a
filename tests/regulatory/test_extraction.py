"""The extractor against passages annotated by reading, before there was an extractor."""

import pytest
from benchmarks import bench_extraction as bench

COUNTED = [("1", 50, 76, 27), ("2", 25, 29, 10), ("3", 26, 40, 19), ("4", 22, 19, 18),
           ("5", 40, 55, 71), ("6", 40, 44, 69), ("7", 39, 57, 56),
           ("8", 35, 35, 65)]  # fmt: skip


@pytest.mark.parametrize(("sample", "passages", "times", "quantities"), COUNTED)
def test_annotations_are_where_they_say(sample, passages, times, quantities):
    found = bench.passages(sample)
    assert len(found) == passages
    assert sum(len(one["timeline"]) for one in found) == times
    assert sum(len(one["thresholds"]) for one in found) == quantities
    assert len({one["celex"] for one in found}) == passages
    for one in found:
        for item in one["timeline"] + one["thresholds"] + one.get("duties", []):
            start = item["start"]
            assert one["text"][start : start + len(item["quote"])] == item["quote"]
            if item.get("who"):
                assert one["text"].startswith(item["who"], item["who_start"])


@pytest.mark.parametrize("kind", ["timeline", "thresholds"])
@pytest.mark.parametrize("sample", ["1", "2", "3", "4", "5", "6", "7", "8"])
def test_recall_and_precision_hold(sample, kind):
    score = bench.score(sample, kind, bench.extracted)
    assert score["recall"] >= bench.TARGET and score["precision"] >= bench.TARGET


@pytest.mark.parametrize("sample", ["5", "6", "7", "8"])
def test_recall_and_precision_of_duties_hold(sample):
    score = bench.score(sample, "duties", bench.extracted)
    assert score["recall"] >= bench.TARGET and score["precision"] >= bench.TARGET


def test_what_another_reader_could_leave_out_counts_neither_way():
    spare, plain = ("P1Y", 0, 5, {"optional": True}), ("P2Y", 10, 15, {})
    found = ("P1Y", 1, 4, {}), ("P3Y", 2, 4, {}), ("P9Y", 30, 34, {})
    pairs, missed, extra = bench.without_optional(
        *bench.match([spare, plain], list(found)), [spare, plain]
    )
    assert (pairs, missed, extra) == ([], [plain], [found[2]])


@pytest.mark.parametrize("kind", ["timeline", "thresholds"])
def test_the_first_runs_reached_the_target(kind):
    assert bench.pooled(kind)["recall"] >= bench.TARGET
    assert bench.pooled(kind)["precision"] >= bench.TARGET


def test_the_scorer_counts_each_item_once():
    wanted = [("P2M", 0, 5, {}), ("P2M", 10, 15, {})]
    pairs, missed, extra = bench.match(wanted, [("P2M", 3, 12, {}), ("P1M", 10, 15, {})])
    assert len(pairs) == 1 and len(missed) == 1 and len(extra) == 1
    assert bench.rates([(1, 2, 2)]) == (0.5, 0.5)
