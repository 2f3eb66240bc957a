"""Training: from a table to registered versions, through tasks alone.

A *run* is one task trained on one table with one set of options. Its key is the hash of
all of these and of the code, so the same command after a kill finds the same run and goes
on with the steps that were finished::

    workspace/runs/<key>/run.json       what was asked, when, with what result
                        /steps/<name>   bytes of finished steps, each under its hash
                        /result/        the bundle, until it is registered
                        /log.txt        what the libraries wrote while training
    workspace/data/<sha256>.parquet     the table the run learned from

Every task trains in a process of its own: one that fails, or is killed for memory, takes
no other with it. No capability is named here; `esgml.core.tasks` finds them.
"""
