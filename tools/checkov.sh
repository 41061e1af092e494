#!/bin/sh
# Install checkov into .venv-checkov: pinned, hashed, apart from .venv because its own pins contradict ours.
set -eu
cd "$(dirname "$0")/.."

stamp=.venv-checkov/.setup-stamp
wanted=$(sha256sum <requirements-checkov.lock)
[ "$(cat $stamp 2>/dev/null || true)" != "$wanted" ] || exit 0
echo "checkov: installing it into .venv-checkov (about a minute the first time)" >&2
.venv/bin/python -m venv --clear .venv-checkov
.venv-checkov/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-checkov.lock
echo "$wanted" >$stamp
