"""Events of AWS itself: nobody can put an event whose source begins with `aws.`, but whoever started the emulator can have it
deliver one to the default bus of an account, as CloudTrail does.

A line is `event` and a JSON object: `account`, `region`, `source`, `detail-type`, `detail`, and perhaps `id` and `resources`.
"""

import json

from ministack.services import eventbridge

from . import buses
from .scope import within


def speak(line):
    """Delivers one event; a line that is none raises `ValueError`."""
    event = json.loads(line)
    missing = [key for key in ("account", "region", "source", "detail-type", "detail") if key not in event]
    if missing:
        raise ValueError(f"an event without {', '.join(missing)}")
    if not event["source"].startswith("aws."):
        raise ValueError(f"{event['source']} is no source of AWS; PutEvents takes it")
    spec = buses.bus_of(f"arn:aws:events:{event['region']}:{event['account']}:event-bus/default")
    with within(spec.account_id, spec.region):
        eventbridge._ensure_default_bus()
    buses.put_on(spec, {
        "EventId": event.get("id") or eventbridge.new_uuid(),
        "Source": event["source"],
        "DetailType": event["detail-type"],
        "Detail": json.dumps(event["detail"]),
        "Time": int(eventbridge._now_ts()),
        "Resources": event.get("resources", []),
        "Account": event["account"],
        "Region": event["region"],
    })
