"""What somebody probably meant: the hint that ends an error about an unknown name."""

from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that resembles `name` most, None when none does."""
    import difflib  # only wanted once something is wrong

    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return matches[0] if matches else None


def hint(name: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown name: what was probably meant, else what there is, else nothing."""
    names = list(known)
    if (match := nearest(name, names)) is not None:
        return f"; did you mean {match!r}?"
    if not names:
        return ""
    shown = ", ".join(map(repr, names[:10]))
    return f"; known: {shown}{', ...' if len(names) > 10 else ''}"
