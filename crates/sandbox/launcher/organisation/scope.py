"""In which account and region the emulator's stores are read: it keeps both in variables of the current request."""

from contextlib import contextmanager

from ministack.core.responses import (
    get_account_id,
    get_region,
    set_request_account_id,
    set_request_region,
)


@contextmanager
def within(account, region):
    """Everything inside happens in this account and region; afterwards the request is where it was."""
    before = (get_account_id(), get_region())
    set_request_account_id(account)
    set_request_region(region)
    try:
        yield
    finally:
        set_request_account_id(before[0])
        set_request_region(before[1])


def here():
    """The account and region of the current request."""
    return get_account_id(), get_region()
