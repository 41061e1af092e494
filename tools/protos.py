"""Generate the API code, lint the protos, and find what would break a caller.

Everything works from a descriptor set that protoc builds, because the rules of protovalidate come
inside a wheel as a descriptor and not as a file: `buf` reads that image. Nothing is downloaded.
"""

from __future__ import annotations

import argparse
import io
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"
GENERATED = ROOT / ".generated"
SITE = Path(sysconfig.get_paths()["purelib"])
BIN = Path(sys.executable).parent


def validation_rules(folder: Path) -> Path:
    """Write the descriptor set of buf/validate/validate.proto, taken from protovalidate's wheel."""
    from google.protobuf import (  # noqa: PLC0415 - only this tool needs them
        descriptor_pb2,
        duration_pb2,
        field_mask_pb2,
        timestamp_pb2,
    )
    from protovalidate._gen.buf.validate import validate_pb  # noqa: PLC0415

    files = descriptor_pb2.FileDescriptorSet()
    for module in (descriptor_pb2, duration_pb2, field_mask_pb2, timestamp_pb2):
        module.DESCRIPTOR.CopyToProto(files.file.add())
    files.file.add().ParseFromString(validate_pb.desc().proto.to_binary())
    path = folder / "validate.binpb"
    path.write_bytes(files.SerializeToString())
    return path


def protoc(root: Path, rules: Path, files: list[Path], *arguments: str) -> None:
    """Run protoc over `files` below `root`; its own messages say what is wrong."""
    environment_path = f"{BIN}:/usr/bin:/bin"
    command = [
        sys.executable,
        "-m",
        "grpc_tools.protoc",
        f"--proto_path={root}",
        f"--proto_path={SITE}",
    ]
    command += [
        f"--descriptor_set_in={rules}",
        *arguments,
        *(str(f.relative_to(root)) for f in files),
    ]
    subprocess.run(command, cwd=root, check=True, env={"PATH": environment_path})


def generate() -> None:
    """Make `.generated/` anew: messages, stubs and their types."""
    scratch_tree = Path(tempfile.mkdtemp(prefix=".generated.", dir=ROOT))
    (fresh := scratch_tree / "new").mkdir()
    with tempfile.TemporaryDirectory() as scratch:
        rules = validation_rules(Path(scratch))
        files = sorted(PROTOS.rglob("*.proto"))
        out = [f"--{kind}_out={fresh}" for kind in ("python", "mypy")]
        validate = Path("buf/validate/validate.proto")
        protoc(PROTOS, rules, [*files, PROTOS / validate], *out)
        services = [f for f in files if "\nservice " in f.read_text()]
        if services:
            protoc(
                PROTOS, rules, services, f"--grpc_python_out={fresh}", f"--mypy_grpc_out={fresh}"
            )
    for folder in filter(Path.is_dir, fresh.rglob("*")):
        (folder / "__init__.py").touch()
        (folder / "py.typed").touch()
    if GENERATED.exists():
        GENERATED.rename(scratch_tree / "previous")
    fresh.rename(GENERATED)
    shutil.rmtree(scratch_tree)


def image(root: Path, folder: Path) -> Path:
    """The descriptor set of all protos below `root`, with comments, for buf."""
    path = folder / f"{root.parent.name or 'image'}.binpb"
    files = sorted(root.rglob("*.proto"))
    rules = validation_rules(folder)
    protoc(
        root,
        rules,
        files,
        f"--descriptor_set_out={path}",
        "--include_imports",
        "--include_source_info",
    )
    return path


def lint() -> int:
    """buf lint STANDARD over our own files."""
    with tempfile.TemporaryDirectory() as scratch:
        built = image(PROTOS, Path(scratch))
        return subprocess.run(
            [BIN / "buf", "lint", built, "--config", ROOT / "buf.yaml"], check=False
        ).returncode


def breaking(against: str) -> int:
    """buf breaking between the work tree and the git revision `against`."""
    listed = subprocess.run(
        ["git", "ls-tree", "-r", "--name-only", against, "protos"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode or ".proto" not in listed.stdout:
        print(f"buf breaking: {against} has no protos yet, so nothing can break")
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        old = Path(scratch) / "old"
        archive = subprocess.run(
            ["git", "archive", against, "protos"], cwd=ROOT, capture_output=True, check=True
        )
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
            tar.extractall(old, filter="data")
        (now := Path(scratch) / "now").mkdir()
        before, after = image(old / "protos", old), image(PROTOS, now)
        command: list[str | Path] = [
            BIN / "buf",
            "breaking",
            after,
            "--against",
            before,
            "--config",
            ROOT / "buf.yaml",
        ]
        return subprocess.run(command, check=False).returncode


def last_release() -> str:
    """The newest release tag `v*`; before the first release, the last commit."""
    command = ["git", "describe", "--tags", "--abbrev=0", "--match", "v*"]
    described = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return described.stdout.strip() or "HEAD"


def main() -> int:
    """`python -m tools.protos generate|lint|breaking [--against REVISION]`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("act", choices=("generate", "lint", "breaking"))
    parser.add_argument(
        "--against", default="", help="git revision that callers rely on (default: last release)"
    )
    arguments = parser.parse_args()
    if arguments.act == "generate":
        generate()
        return 0
    return lint() if arguments.act == "lint" else breaking(arguments.against or last_release())


if __name__ == "__main__":
    raise SystemExit(main())
