"""A few renders as they were last looked at: what changes in one line of a template shows here.

`python -m tests.charts.test_golden` writes them anew; look at the difference before you commit it.
"""

from pathlib import Path

import pytest
import yaml

from tests.support.charts import Object, Rendered, names, production, small

FOLDER = Path(__file__).parent / "golden"
WHOLE = ("NetworkPolicy/routing", "Deployment/routing", "ConfigMap/routing", "StatefulSet/logging")


def goldens() -> dict[str, str]:
    """The texts, by the name of the file."""
    render = small("community")
    texts = {
        f"{'-'.join(name.lower().split('/'))}.yaml": _text(_one(render, name)) for name in WHOLE
    }
    lists = {
        f"{chart} {size.__name__}": sorted(names(size(chart).objects))
        for chart in ("community", "public")
        for size in (small, production)
    }
    return texts | {"objects.yaml": yaml.safe_dump(lists, width=100)}


def _one(render: Rendered, name: str) -> Object:
    kind, _, named = name.partition("/")
    return render.one(kind, named)


def _text(value: Object) -> str:
    return yaml.safe_dump(dict(value), width=100)


@pytest.mark.parametrize("name", sorted(goldens()))
def test_the_charts_render_what_they_rendered(name: str) -> None:
    assert goldens()[name] == (FOLDER / name).read_text()


def test_no_golden_is_left_over() -> None:
    assert {file.name for file in FOLDER.iterdir()} == goldens().keys()


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, content in goldens().items():
        (FOLDER / name).write_text(content)
