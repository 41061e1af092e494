"""A label as HTML, marked where it is in another language than the page. Pure."""

from html import escape

from services.authorization.publication import Labels


def said(labels: Labels, language: str, otherwise: str = "") -> str:
    """The label in that language, or the first that there is, or else `otherwise`."""
    text, own = labels.best(language)
    if not text:
        return escape(otherwise)
    return escape(text) if own == language else f'<span lang="{own}">{escape(text)}</span>'
