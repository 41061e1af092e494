"""The decision: pure, total, default deny.

`decide.decide(request, table, valid_at, known_at)` answers which data elements may pass, under
which grants and on which terms, or which condition each grant failed. `index.GrantTable` holds the
grants; `sorting.sort` finds those that fit a kind of question, and `conditions` judges one of them.
"""
