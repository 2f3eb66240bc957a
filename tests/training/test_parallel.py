import pytest

from esgml.core.errors import UsageError
from esgml.training.jobs import Job, spec_from_dict, spec_to_dict
from esgml.training.parallel import child_environment, cores, run_jobs


def test_numeric_libraries_get_one_thread_and_ours_what_is_due():
    environment = child_environment(3)
    assert environment["OMP_NUM_THREADS"] == environment["OPENBLAS_NUM_THREADS"] == "1"
    assert environment["POLARS_MAX_THREADS"] == "3"
    assert cores() >= 1


def test_a_folder_without_a_job_is_that_runs_failure(tmp_path):
    (tmp_path / "a").mkdir()
    (outcome,) = run_jobs([tmp_path / "a"], workers=1)
    assert outcome.error["code"] == "not_found" and not outcome.done
    (outcome,) = run_jobs([tmp_path / "missing"], workers=1)
    assert outcome.error["code"] == "not_found"


def test_leaving_early_ends_the_processes(tmp_path):
    for name in "abc":
        (tmp_path / name).mkdir()
    outcomes = run_jobs([tmp_path / name for name in "abc"], workers=1)
    next(outcomes)
    outcomes.close()
    with pytest.raises(UsageError):
        next(run_jobs([tmp_path / "a"], workers=0))


def test_a_job_comes_back_from_its_file_as_it_was(tmp_path, sites):
    job = Job("t", "m", "d.parquet", {"sha256": "x"}, spec_to_dict(sites.spec), {"seed": 1}, 2)
    job.write(tmp_path)
    assert Job.read(tmp_path) == job
    assert spec_from_dict(job.spec) == sites.spec
    (tmp_path / "job.json").write_text("[]")
    with pytest.raises(Exception, match="unreadable"):
        Job.read(tmp_path)
