"""Shiftable loads and production runs: when each job starts, against hourly price and carbon."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
import pydantic

from esgml.core.errors import DataError
from esgml.optimization.library import Document, Name, hourly
from esgml.optimization.linear import LinearProgram
from esgml.optimization.matrix import MatrixForm
from esgml.optimization.problem import TOLERANCE, Constraint
from esgml.optimization.site import SiteDocument, SiteProblem
from esgml.optimization.space import Variable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


class JobSpec(pydantic.BaseModel):
    """One run: kW in each of its steps, not before `earliest`, over by `latest`.

    Jobs with the same `machine` never overlap.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    name: Name
    profile: Annotated[list[float], pydantic.Field(min_length=1, max_length=1_000)]
    earliest: Annotated[int, pydantic.Field(ge=0)] = 0
    latest: int | None = None
    machine: Name | None = None


class ScheduleSpec(SiteDocument):
    """The document: jobs to be run at a site."""

    jobs: Annotated[list[JobSpec], pydantic.Field(min_length=1, max_length=200)]


class Schedule(SiteProblem):
    """The starting step of every job."""

    Spec: ClassVar[type[Document]] = ScheduleSpec
    ITEMS: ClassVar[tuple[str, str]] = ("jobs", "job")
    UNITS: ClassVar[Mapping[str, str]] = {"profile": "kW"}

    def _take(
        self, spec: ScheduleSpec, scale: Mapping[str, float]
    ) -> tuple[list[Variable], list[Constraint]]:
        steps = len(self.price)
        self.jobs = spec.jobs
        self.profiles = [np.array(j.profile) * scale["profile"] for j in spec.jobs]
        self.first = [j.earliest for j in spec.jobs]
        self.last = [(steps if j.latest is None else j.latest) - len(j.profile) for j in spec.jobs]
        machines = [j.machine for j in spec.jobs if j.machine]
        self.machines = [m for m in dict.fromkeys(machines) if machines.count(m) > 1]
        starts = [
            Variable(j.name, "integer", a, b, "step")
            for j, a, b in zip(spec.jobs, self.first, self.last, strict=True)
        ]
        alone = [Constraint(f"one at a time on {m}", "steps") for m in self.machines]
        return starts, alone

    @classmethod
    def _check_item(cls, item: JobSpec, steps: int, where: str) -> None:
        hourly(list(item.profile), len(item.profile), f"{where}.profile")
        latest = steps if item.latest is None else item.latest
        if latest > steps or latest - item.earliest < len(item.profile):
            raise DataError(
                f"{item.name}: {len(item.profile)} steps do not fit between {item.earliest} and"
                f" {min(latest, steps)} of {steps}.",
                code="infeasible",
                where=where,
                remedy="Widen its window, or plan more hours.",
            )

    @cached_property
    def _tables(self) -> list[Floats]:
        """Cost and carbon of every start of each job, shape (2, starts)."""
        both = np.stack([self.price, self.carbon]) * self.hours
        found = []
        for profile, a, b in zip(self.profiles, self.first, self.last, strict=True):
            windows = np.lib.stride_tricks.sliding_window_view(both, len(profile), axis=1)
            found.append(windows[:, a : b + 1] @ profile)
        return found

    def simulate(self, X: Floats) -> tuple[Floats, Floats]:
        """Return cost and carbon, steps that overlap on a machine, kW too many."""
        starts = np.rint(X).astype(np.int64)
        n, steps = len(X), len(self.price)
        values = np.zeros((n, 2))
        drawn = np.zeros((n, steps))
        busy = {m: np.zeros((n, steps), dtype=np.int64) for m in self.machines}
        row = np.arange(n)[:, None]
        for j, profile in enumerate(self.profiles):
            at = np.clip(starts[:, j], self.first[j], self.last[j])
            values += self._tables[j][:, at - self.first[j]].T
            span = at[:, None] + np.arange(len(profile))
            drawn[row, span] += profile
            if (machine := self.jobs[j].machine) in busy:
                busy[machine][row, span] += 1
        broken = [np.maximum(b - 1, 0).sum(axis=1) for b in busy.values()]
        if np.isfinite(self.limit):
            broken.append(np.maximum(drawn + self.base - self.limit, 0).max(axis=1))
        return values, np.stack(broken, axis=1) if broken else np.zeros((n, 0))

    @cached_property
    def _form(self) -> MatrixForm:
        """One switch per job and start; a job starts once."""
        from scipy import sparse

        sizes = [b - a + 1 for a, b in zip(self.first, self.last, strict=True)]
        ends = np.cumsum([0, *sizes])
        e, steps, jobs = int(ends[-1]), len(self.price), len(sizes)
        job = np.repeat(np.arange(jobs), sizes)
        once = sparse.csr_matrix((np.ones(e), (job, np.arange(e))), (jobs, e))
        rows, lower, upper = [once], [np.ones(jobs)], [np.ones(jobs)]
        groups = [("every job runs once", slice(0, jobs))]
        load = sparse.lil_matrix((steps, e))
        busy = {m: sparse.lil_matrix((steps, e)) for m in self.machines}
        for j, profile in enumerate(self.profiles):
            for s in range(sizes[j]):
                span = slice(self.first[j] + s, self.first[j] + s + len(profile))
                load[span, ends[j] + s] = profile[:, None]
                if (machine := self.jobs[j].machine) in busy:
                    busy[machine][span, ends[j] + s] = 1.0
        more = [(f"one at a time on {m}", b, np.ones(steps)) for m, b in busy.items()]
        if np.isfinite(self.limit):
            more.append(("site limit", load, self.limit - self.base))
        for name, block, limits in more:
            begin = sum(len(u) for u in upper)
            groups.append((name, slice(begin, begin + steps)))
            rows.append(block.tocsr())
            lower.append(np.full(steps, -np.inf))
            upper.append(limits)

        def decode(z: Floats) -> Floats:
            return np.array(
                [self.first[j] + int(np.argmax(z[ends[j] : ends[j + 1]])) for j in range(jobs)],
                dtype=np.float64,
            )

        return MatrixForm(
            np.hstack(self._tables),
            np.zeros(2),
            sparse.vstack(rows, format="csr"),
            np.concatenate(lower),
            np.concatenate(upper),
            np.zeros(e),
            np.ones(e),
            np.ones(e, dtype=bool),
            tuple(groups),
            decode,
        )

    def matrix(self) -> MatrixForm:
        """Return the program with one switch per job and start."""
        return self._form

    def _place(self, rank: list[Floats], order: list[int]) -> Floats | None:
        """Return the plan that gives each job in turn its best start that still fits."""
        steps = len(self.price)
        room = np.full(steps, self.limit) - self.base
        busy = {m: np.zeros(steps, dtype=bool) for m in self.machines}
        x = np.zeros(self.dimension)
        for j in order:
            profile, machine = self.profiles[j], self.jobs[j].machine
            for s in np.argsort(rank[j], kind="stable"):
                span = slice(self.first[j] + s, self.first[j] + s + len(profile))
                taken = machine in busy and busy[machine][span].any()
                if not taken and (profile <= room[span] + TOLERANCE).all():
                    break
            else:
                return None
            x[j] = span.start
            room[span] -= profile
            if machine in busy:
                busy[machine][span] = True
        return x

    def baseline(self) -> Floats | None:
        """Return every job as early as it fits, in the order of their deadlines."""
        early = [np.arange(t.shape[1], dtype=np.float64) for t in self._tables]
        order = sorted(range(self.dimension), key=lambda j: (self.last[j], j))
        found = self._place(early, order)
        if found is not None:
            return found
        from dataclasses import replace

        cost = np.stack([np.concatenate(early), np.zeros(sum(map(len, early)))])
        form = replace(self._form, costs=cost)
        try:
            z = LinearProgram(form).solve(np.array([1.0, 0.0]), time_limit=20.0).z
        except DataError:
            return None
        return form.plan(z, self.dimension)

    def rules(self) -> dict[str, Floats]:
        """Return each job at its cheapest start that is still free, the largest job first."""
        rank = [self.weights @ t for t in self._tables]
        order = sorted(range(self.dimension), key=lambda j: -float(self.profiles[j].sum()))
        found = self._place(rank, order)
        return {} if found is None else {"largest job first, cheapest start": found}

    @classmethod
    def example(cls, seed: int = 0) -> dict[str, Any]:
        """Return two generated days of a plant with two machines."""
        rng = np.random.default_rng(seed)
        steps = 48
        hour = np.arange(steps) % 24
        jobs = []
        for i in range(8):
            length = int(rng.integers(2, 6))
            earliest = int(rng.integers(0, 20))
            jobs.append(
                {
                    "name": f"run {i + 1}",
                    "profile": np.round(rng.uniform(20, 80, length), 0).tolist(),
                    "earliest": earliest,
                    "latest": min(steps, earliest + length + int(rng.integers(16, 28))),
                    "machine": f"line {1 + i % 2}",
                }
            )
        return {
            "problem": cls.problem_name(),
            "jobs": jobs,
            "price": (0.18 + 0.1 * np.sin((hour - 12) / 24 * 2 * np.pi)).round(4).tolist(),
            "carbon": (0.25 - 0.1 * np.exp(-((hour - 13) ** 2) / 12)).round(4).tolist(),
            "base_load": 30.0,
            "site_limit": 150.0,
            "carbon_price": 0.1,
        }
