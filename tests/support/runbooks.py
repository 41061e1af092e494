"""The runbooks' commands: found in their fences, run on a platform of the test's own.

Contract: a fence "sh local" runs as it stands, with bash, all of a page in order and in one shell;
its commands are those of a clone (`.venv/bin` comes first) and CROSSROADS_HOME names the platform.
A fence "sh cluster" needs a cluster: only what its commands are called is looked at.
"""

import os
import re
import shlex
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

from services.cli.platform.home import Home
from tests.support.running import Command

ROOT = Path(__file__).resolve().parents[2]
RUNBOOKS = ROOT / "infra" / "runbooks"
PAGES = sorted(RUNBOOKS.glob("*.md"))
FENCE = re.compile(r"^( *)```(.*)\n((?:.*\n)*?)\1```$", re.MULTILINE)
SECONDS = 300
TELL = """trap 'echo "failed: $BASH_COMMAND" >&2' ERR"""


@dataclass(frozen=True)
class Block:
    """One fence of a page: where its commands run, and they."""

    where: str
    text: str

    def commands(self) -> list[list[str]]:
        """The words of each command, line by line; redirections are left out."""
        found = []
        for line in self.text.replace("\\\n", " ").splitlines():
            lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
            lexer.whitespace_split = True
            words: list[str] = []
            for word in lexer:
                if word in ("|", "&&", ";"):
                    found.append(words)
                    words = []
                else:
                    words.append(word)
            found.append(words)
        return [_without_redirections(words) for words in found if words]


def _without_redirections(words: list[str]) -> list[str]:
    marks = ("<", ">", ">>")
    return [
        word
        for index, word in enumerate(words)
        if word not in marks and (index == 0 or words[index - 1] not in marks)
    ]


def blocks(page: Path) -> list[Block]:
    """All fences of a page, in order. A fence of another kind is an error of the page."""
    found = []
    for _, kind, text in FENCE.findall(page.read_text()):
        words = kind.split()
        assert words in (["sh", "local"], ["sh", "cluster"]), f"{page.name}: fence {kind!r}"
        found.append(Block(words[1], textwrap.dedent(text)))
    return found


def perform(page: Path, home: Home) -> Command:
    """Run a page's local commands on the platform of `home`."""
    texts = [each.text for each in blocks(page) if each.where == "local"]
    script = "\n".join([TELL, *texts])
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-Eeuo", "pipefail", "-c", script],
        cwd=ROOT,
        env=os.environ | {"PATH": path, "CROSSROADS_HOME": str(home.path), "COLUMNS": "200"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return Command(done.returncode, done.stdout, done.stderr)
