# SPDX-License-Identifier: Apache-2.0
#
# template_record.py: what Python's jinja2, set up as chat templates expect it, makes of the golden test's cases.
# Run by hand when cases are added:
#
#     cd tests/golden && node template.test.mjs --cases | python3 template_record.py > template.jinja2.json
#
# A text is recorded as it is for the small templates, as the head of its SHA-256 for those of real models; null
# stands for an error.
import datetime
import hashlib
import json
import sys

import jinja2
from jinja2.ext import Extension
from jinja2.sandbox import SandboxedEnvironment


class Generation(Extension):
    tags = {"generation"}

    def parse(self, parser):
        next(parser.stream)
        return parser.parse_statements(["name:endgeneration"], drop_needle=True)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


given = json.load(sys.stdin)
environment = SandboxedEnvironment(
    trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols", Generation]
)
environment.filters["tojson"] = tojson
environment.globals["raise_exception"] = raise_exception
environment.globals["strftime_now"] = lambda f: datetime.datetime.fromtimestamp(
    given["now"], datetime.timezone.utc
).strftime(f)


def render(template, variables):
    try:
        return environment.from_string(template).render(**variables)
    except Exception:
        return None


def digest(text):
    return None if text is None else hashlib.sha256(text.encode()).hexdigest()[:12]


features = [[c["template"], render(c["template"], json.loads(c["variables"]))] for c in given["features"]]
models = {}
for c in given["models"]:
    models.setdefault(c["name"], []).append(digest(render(c["template"], json.loads(c["variables"]))))
json.dump({"jinja2": jinja2.__version__, "features": features, "models": models}, sys.stdout, ensure_ascii=False, indent=1)
print()
