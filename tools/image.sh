#!/bin/sh
# Build the container image with buildah, on a machine with a registry or without.
#   BASE=…    the base image: a name in a registry, or of local storage (default: python:X.Y-slim-bookworm)
#   BASE_PYTHON=…  the base's Python, X.Y (default: this machine's)
#   TAG=…     the image's name (default: crossroads:VERSION)
# Without a registry a base is made from Debian's packages, into local storage:
#   mmdebstrap --variant=minbase --include=python3,python3-venv,ca-certificates bookworm rootfs
#   c=$(buildah from scratch) && buildah copy $c rootfs / && buildah commit $c localhost/debian-python
# At the end what is demanded of an image is looked at (tools/image_check.py): this fails where it is not so.
# The dependencies come from the index that pip is set up for, by hash; the build itself fetches at most the base.
set -eu
cd "$(dirname "$0")/.."

command -v buildah >/dev/null || { echo "image: no buildah found. Remedy: apt-get install buildah" >&2; exit 1; }
python=${BASE_PYTHON:-$(.venv/bin/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')}
base=${BASE:-docker.io/library/python:$python-slim-bookworm}
version=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
tag=${TAG:-crossroads:$version}
folder=dist/image

rm -rf "$folder" && mkdir -p "$folder"
.venv/bin/pip download --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary=:all: \
  --python-version "$python" --implementation cp --abi "cp$(echo "$python" | tr -d .)" --abi abi3 --abi none \
  --platform manylinux_2_28_x86_64 --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 --platform any \
  --dest "$folder" --requirement requirements.lock
.venv/bin/python -m hatchling build --target wheel --directory "$folder" >/dev/null
.venv/bin/cyclonedx-py requirements requirements.lock --pyproject pyproject.toml --mc-type application \
  --output-reproducible --output-format JSON --output-file "$folder/sbom.json"
buildah build --pull=missing --build-arg "BASE=$base" --build-arg "VERSION=$version" \
  --build-arg "REVISION=$(git rev-parse HEAD)" --isolation chroot --layers=false --tag "$tag" .
echo "image: $tag, $(buildah inspect --type image --format '{{.FromImageID}}' "$tag" | cut -c1-12)"
.venv/bin/python -m tools.image_check "$tag"
