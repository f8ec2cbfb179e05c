"""For the API page: our docstrings say ``name : what it is`` in one line, where the parser expects a type.

The text moves to where descriptions go, and the type comes from the signature.
"""

from __future__ import annotations

from typing import Any

import griffe

PAGES = ("labeling", "types", "methods", "synthetic", "errors", "calibration")  # the modules that docs/api.md shows
FIELDS = {griffe.DocstringSectionKind.parameters, griffe.DocstringSectionKind.attributes}


class OneLineFields(griffe.Extension):
    """Rewrites parsed docstrings before they are rendered."""

    def on_package(self, *, pkg: griffe.Module, **kwargs: Any) -> None:
        """Visit the modules of the API page."""
        for name in PAGES:
            self._visit(pkg.modules[name])

    def _visit(self, obj: griffe.Object) -> None:
        if obj.docstring is not None:
            self._rewrite(obj, obj.docstring)
        for member in obj.members.values():
            if not member.is_alias:
                self._visit(member)  # type: ignore[arg-type]

    def _rewrite(self, obj: griffe.Object, docstring: griffe.Docstring) -> None:
        names: Any = obj.parameters if isinstance(obj, griffe.Function) else obj.members
        for section in docstring.parsed:
            if section.kind in FIELDS:
                for field in section.value:
                    if not field.description:
                        known = field.name in names and names[field.name]
                        field.description = str(field.annotation or "")
                        field.annotation = known.annotation if known else None
            elif section.kind is griffe.DocstringSectionKind.returns:
                for item in section.value:
                    if not item.description:
                        first, _, rest = str(item.annotation or "").partition(", ")
                        item.annotation, item.description = first, rest
