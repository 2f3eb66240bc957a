"""Features of panels: learned on the past, applied anywhere, proven free of look-ahead.

A **step** (`step.FeatureStep`) is fitted on a panel and turns any panel into columns, one
value per row. It states its **warm-up** (how many earlier rows it reads) and its
**min_lag** (how far back the newest value lies that is not known ahead); both promises are
tested by ``esgml.checks.features``, for your own steps too. A **pipeline**
(`pipeline.FeaturePipeline`) is steps side by side, saved as JSON that holds no code;
``transform`` serves training and ``transform_ahead`` the periods still to come, with the
same steps.

::

    kernels         compiled windows over flat values + indptr; what NaN means
    calendar lags rolling seasonality degree_days ratio_steps      the steps
    ratios lmdi     the arithmetic of sustainability reporting
    scaling selection validation                                   around the steps
    pipeline defaults                                              steps together
    engineering data_pipeline                                      the public classes
"""
