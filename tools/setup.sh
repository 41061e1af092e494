#!/bin/sh
# Install what is missing into .venv: pinned, hashed, from the index that pip is set up for.
# Idempotent and quick when nothing changed. Names the Debian package that is missing, if one is.
set -eu
cd "$(dirname "$0")/.."

python=${PYTHON_FOR_VENV:-python3}
command -v "$python" >/dev/null || { echo "setup: no python3 found. Remedy: apt-get install python3 python3-venv" >&2; exit 1; }
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  echo "setup: $("$python" --version) is too old; 3.11 or later is needed. Remedy: install it and set PYTHON_FOR_VENV=/path/to/python3" >&2; exit 1; }
"$python" -c 'import venv, ensurepip' 2>/dev/null || {
  echo "setup: Python cannot make virtual environments. Remedy: apt-get install python3-venv" >&2; exit 1; }
command -v git >/dev/null || { echo "setup: no git found. Remedy: apt-get install git" >&2; exit 1; }

stamp=.venv/.setup-stamp
wanted=$(cat requirements-dev.lock pyproject.toml | sha256sum | cut -d' ' -f1)
if [ "$(cat $stamp 2>/dev/null || true)" != "$wanted" ]; then
  [ -x .venv/bin/python ] || "$python" -m venv .venv
  echo "setup: installing pinned dependencies into .venv (about a minute the first time)" >&2
  .venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
  .venv/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index -e .
  .venv/bin/python -m compileall -q .venv/lib >/dev/null 2>&1 || true # quicker first start; some wheels carry templates that do not compile
  echo "$wanted" >$stamp
fi
protos=$(find protos tools/protos.py tools/sensitivity.py -type f | sort | xargs cat | sha256sum | cut -d' ' -f1)
if [ "$(cat .generated/stamp 2>/dev/null || true)" != "$protos" ]; then
  .venv/bin/python -m tools.protos generate 2>&1 | grep -v '^Writing mypy' >&2 || true
  [ -d .generated/crossroads ] || { echo "setup: the API code could not be generated; see above" >&2; exit 1; }
  .venv/bin/python -m tools.sensitivity
  echo "$protos" >.generated/stamp
fi
