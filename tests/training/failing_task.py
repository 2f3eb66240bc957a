"""A task whose training always fails, to stand beside one that does not."""

from toy_task import WeekdayTask

from esgml.core.errors import HistoryError


class FailingTask(WeekdayTask):
    name = "failing"

    def train(self, frame, spec, options):
        print("a word on standard output")
        raise HistoryError("too short for this.", where="site-1", remedy="Give more.")


TASK = FailingTask()
