"""Condition keys of a request that the emulator does not give to policies.

| key | with |
|---|---|
| `iam:PolicyARN` | attaching and detaching a managed policy |
| `iam:PermissionsBoundary` | setting a boundary: the one that is asked for; another call on a user or role: the one it has |
| `iam:ResourceTag/…` | every call on a user or a role |
| `events:source`, `events:detail-type` | PutEvents; several values where its entries differ |

Source: docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html and
list_amazoneventbridge.html
"""

import json

from ministack.core import iam_actions
from ministack.services import iam


def _value(parameters, name):
    value = parameters.get(name, "")
    return value[0] if isinstance(value, list) and value else value or ""


def _of_iam(action, parameters):
    if action.startswith(("Attach", "Detach")) and action.endswith("Policy"):
        yield "iam:policyarn", _value(parameters, "PolicyArn")
    record = None
    if name := _value(parameters, "UserName"):
        record = iam._users.get(name)
    elif name := _value(parameters, "RoleName"):
        record = iam._roles.get(name)
    wanted = _value(parameters, "PermissionsBoundary")
    if action in ("CreateUser", "CreateRole", "PutUserPermissionsBoundary", "PutRolePermissionsBoundary"):
        boundary = wanted
    else:
        boundary = (record or {}).get("PermissionsBoundary")
    if boundary:
        yield "iam:permissionsboundary", boundary
    for tag in (record or {}).get("Tags") or []:
        yield f"iam:resourcetag/{tag['Key'].lower()}", tag["Value"]


def _of_events(action, body):
    if action != "PutEvents":
        return
    try:
        entries = json.loads(body).get("Entries", [])
    except (ValueError, AttributeError):
        return
    for key, field in (("events:source", "Source"), ("events:detail-type", "DetailType")):
        values = sorted({str(entry[field]) for entry in entries if isinstance(entry, dict) and entry.get(field)})
        if values:
            yield key, values[0] if len(values) == 1 else values


def _with_more_keys(context):
    def found(service, iam_action, body, parameters):
        namespace, _, action = iam_action.partition(":")
        more = {}
        if namespace == "iam":
            more = dict(_of_iam(action, parameters))
        elif namespace == "events":
            more = dict(_of_events(action, body))
        return {**context(service, iam_action, body, parameters), **more}

    return found


def install():
    iam_actions.request_tag_context = _with_more_keys(iam_actions.request_tag_context)
