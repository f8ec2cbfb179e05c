"""XML out of files, without document types and entities, which can name other files or grow without bounds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from xml.etree.ElementTree import Element, ParseError

from ..errors import InputError

_DAMAGED, _REFUSED = "not XML that can be read", "XML with a document type or entities is not read"


def parse_xml(path: str, data: bytes, damaged: str = _DAMAGED, refused: str = _REFUSED) -> Element:
    """The outermost element; `path` is for messages, `damaged` and `refused` are what they say.

    Raises
    ------
    InputError
        Where it is no XML, or has a document type or entities.
    """
    from defusedxml.ElementTree import fromstring

    with xml_errors(path, damaged, refused):
        return fromstring(data, forbid_dtd=True)


@contextmanager
def xml_errors(path: str, damaged: str = _DAMAGED, refused: str = _REFUSED) -> Iterator[None]:
    """Turn what a parser raises into one sentence, see `parse_xml`."""
    from defusedxml import DefusedXmlException

    try:
        yield
    except InputError:
        raise
    except DefusedXmlException as error:
        raise InputError(f"{path}: {refused}") from error
    except (ParseError, ValueError, LookupError) as error:  # LookupError: an encoding that there is not
        raise InputError(f"{path}: {damaged} ({error})") from error
