"""What only Azure can do, refused in one sentence."""

from __future__ import annotations

from .errors import LocalRunException


def refusal(what: str) -> LocalRunException:
    """Return the exception for something that a local run does not do."""
    return LocalRunException(f"{what} is not possible here: a local run never reaches Azure")


def refuses(*names: str):
    """Give a class methods of these names that refuse, static or not, whatever their arguments."""

    def decorate(cls):
        for name in names:
            setattr(cls, name, _Refused(cls.__name__, name))
        return cls

    return decorate


class _Refused:
    """A method that refuses; on a class and on an instance alike."""

    refused = True

    def __init__(self, owner: str, name: str) -> None:
        self.__name__ = name
        self.__qualname__ = f"{owner}.{name}"

    def __call__(self, *args: object, **kwargs: object):
        raise refusal(self.__qualname__)
