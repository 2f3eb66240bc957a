"""Reading regulation: what a text bears on, how much, until when, and whether it binds you.

Two kinds of statement are made, and never mixed. **Read**: dates, thresholds, addressees and
obligations are found by rules in the text itself, and facts about known acts come from a dated,
cited knowledge base. **Estimated**: which areas a text affects and how significant it is comes from
classifiers learned on labelled laws, calibrated, which abstain where they do not know. Every
statement of either kind carries its evidence: the span ``text[start:end]`` it rests on, or the
citation. An estimate is a model estimate, not legal advice.

What is learned lives in ``models/`` (one file a classifier), ``encoder`` (sentence embeddings),
``areas`` and ``significance``; what is read lives in the modules named for it.
"""
