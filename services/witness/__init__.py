"""A witness: cosigns the checkpoints of logs, as long as each continues what it saw before.

It owns what it saw last of each log, in one file, and its own key, in another. It needs no Vault,
no database and nothing of the platform; anybody can run one, and the more independent of a log's
operator, the more its word is worth. It never cosigns two histories of one log, and never keeps
entries: it sees sizes and roots.
"""
