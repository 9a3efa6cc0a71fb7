"""Reads messages and dialogs as Slack's own models do, and prints what these find wrong. Exits 1 where they find something.

Each line of the input is `{"name": ..., "message": {"text": ..., "blocks": [...]}}` or `{"name": ..., "view": {...}}`. What the models
drop on the way is reported too: a field that Slack does not know.
"""

import json
import sys

from slack_sdk.models.blocks import Block
from slack_sdk.models.views import View


def blocks_of(given):
    for index, one in enumerate(given):
        block = Block.parse(one)
        if block is None or type(block) is Block:
            yield f"blocks[{index}] is of no type that slack_sdk knows: {one.get('type')}"
            continue
        made = block.to_dict()  # Validates, down to each text.
        for fault in lost(one, made, f"blocks[{index}]"):
            yield fault


def lost(given, made, at):
    """What was given and is not in what the model makes of it."""
    if isinstance(given, dict):
        if not isinstance(made, dict):
            yield f"{at} became {made!r}"
            return
        for key, value in given.items():
            if key not in made:
                yield f"{at}.{key} is not known to slack_sdk"
            else:
                yield from lost(value, made[key], f"{at}.{key}")
    elif isinstance(given, list):
        if not isinstance(made, list) or len(given) != len(made):
            yield f"{at} lost items"
            return
        for index, (one, other) in enumerate(zip(given, made)):
            yield from lost(one, other, f"{at}[{index}]")
    elif given != made:
        yield f"{at} became {made!r}"


def faults(line):
    if "view" in line:
        view = View(**line["view"])
        yield from lost(line["view"], view.to_dict(), "view")
        yield from blocks_of(line["view"]["blocks"])
        return
    message = line["message"]
    if not message["text"] or not message["blocks"]:
        yield "a message needs a text and blocks"
    yield from blocks_of(message["blocks"])


def main():
    count, wrong = 0, 0
    for text in sys.stdin:
        line = json.loads(text)
        count += 1
        try:
            found = list(faults(line))
        except Exception as error:  # Each model has exceptions of its own.
            found = [f"{type(error).__name__}: {error}"]
        for fault in found[:5]:
            wrong += 1
            print(f"{line['name']}: {fault}")
    print(f"{count} checked, {wrong} faults")
    sys.exit(1 if wrong or not count else 0)


main()
