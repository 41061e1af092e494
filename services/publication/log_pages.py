"""The pages about the log: what it stands at, and how to check it. Pure."""

from base64 import b64encode
from collections.abc import Iterator
from datetime import datetime
from html import escape

from services.proof import note as notes
from services.proof.checkpoint import Checkpoint
from services.publication.html import facts, instant, page
from services.publication.model import LANGUAGES, Document
from services.publication.words import WORDS

COMMANDS = """\
curl -O https://…/log/checkpoint
python3 verify_log.py --key <…> --witness <…> note checkpoint
"""


def log_pages(checkpoint: Checkpoint, note: str, made_at: datetime) -> Iterator[Document]:
    """The page in each language."""
    signers = "<br>".join(escape(each.name) for each in notes.parse(note).signatures)
    for language in LANGUAGES:
        w = WORDS[language]
        stands = facts(
            [
                (w["size"], f"{checkpoint.size:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")),
                (w["origin"], escape(checkpoint.origin)),
                (w["signers"], signers),
                (w["root"], f"<code>{b64encode(checkpoint.root).decode()}</code>"),
            ]
        )
        body = (
            f'<h1>{w["log"]}</h1><p class="lead">{w["log.lead"]}</p>{stands}'
            f"<p>{w['whatlog']}</p>"
            f'<h2>{w["checkpoint"]}</h2><p><a href="/log/checkpoint">/log/checkpoint</a></p>'
            f"<pre>{escape(note)}</pre>"
            f"<h2>{w['howto']}</h2>"
            f"<pre>{escape(COMMANDS)}</pre><p>{w['keyrule']}</p>"
            f'<p class="faint">{escape(w["formats"])}</p>'
        )
        foot = f"<p>{w['asof'].format(instant(made_at))}</p>"
        yield page("log/{}/index.html", language, w["log"], body, foot=foot)
