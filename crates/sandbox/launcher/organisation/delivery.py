"""Delivery to a rule's targets: buses in other accounts and regions, what AWS checks on the way, and dead letters.

The emulator delivers within an account and a region, checks no permission and drops what it cannot deliver. Here

- an event makes one hop between buses and no second; it arrives unchanged, so `account` and `region` are its origin's;
- a target's role has to exist, to admit `events.amazonaws.com`, and to hold the right to what the target needs; a queue, topic
  or function without a role has to admit the service in its own policy;
- what is refused, or has no destination, goes to the target's dead-letter queue at once with AWS's attributes. Retries are not
  modelled, and neither is a queue that refuses the letter: such an event is lost, as it is at AWS.

Source: docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html, eb-cross-account.html, eb-cross-region.html and
eb-bus-to-bus.html ("EventBridge can't route events received from a sender event bus to a third event bus")
"""

import hashlib
import json
import logging
import time

from ministack.core import iam_evaluator as evaluator
from ministack.core.arn import ArnParseError, parse_arn
from ministack.core.concurrency import esm_wake
from ministack.core.responses import get_account_id, get_region
from ministack.services import eventbridge, lambda_svc, sns, sqs, stepfunctions

from . import buses, principals

SERVICE = "events.amazonaws.com"
# What a target needs, by its service: the right of the role, or what the resource's own policy has to admit.
BY_ROLE = {"states": "states:StartExecution"}
BY_POLICY = {"sqs": "sqs:SendMessage", "sns": "sns:Publish", "lambda": "lambda:InvokeFunction"}

logger = logging.getLogger("events")


class Undelivered(Exception):
    """Why an event did not reach its target: one of the codes of EventBridge's dead letters, and a text."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


def _check_role(role_arn, action, resource):
    _, role = principals.role_of(role_arn or "")
    if role is None or role.get("Arn") != role_arn or not principals.is_admitted(role, SERVICE):
        raise Undelivered("FAILED_TO_ASSUME_ROLE", f"Could not assume the role {role_arn}")
    if not principals.role_may(role_arn, action, resource, get_region()):
        raise Undelivered("NO_PERMISSIONS", f"{role_arn} is not authorized to perform: {action} on resource: {resource}")


def _check_policy(spec, action, rule):
    """Whether the resource's own policy admits the service for this rule."""
    policy, _ = evaluator._resource_policy(spec.service, str(spec)) or (None, None)
    # A name that no statement can give to a caller: only the service, or everybody, is admitted.
    context = principals.context_of(SERVICE, action, str(spec), spec.region, buses.keys_of_rule(rule))
    if evaluator.evaluate_resource_policy(policy, context, service=SERVICE).decision != "Allow":
        raise Undelivered("NO_PERMISSIONS", f"the policy of {spec} does not admit {SERVICE} for {rule['Arn']}")


def _exists(spec):
    arn = str(spec)
    if spec.service == "sqs":
        return sqs._queue_by_arn(arn) is not None
    if spec.service == "sns":
        return sns.topic_policy_for_arn(arn) is not None
    if spec.service == "states":
        return stepfunctions._resolve_state_machine_arn(arn) is not None
    if spec.service == "lambda":
        return lambda_svc._get_func_record_for_ref(arn)[0] is not None
    return True


def _check_target(spec, target, rule):
    if spec.service not in BY_ROLE and spec.service not in BY_POLICY:
        return
    if not eventbridge._target_matches_request_scope(spec):
        raise Undelivered("NO_PERMISSIONS", f"{spec} is in another account or region")
    if not _exists(spec):
        raise Undelivered("NO_RESOURCE", f"{spec} does not exist")
    if spec.service in BY_ROLE or target.get("RoleArn"):
        _check_role(target.get("RoleArn"), BY_ROLE.get(spec.service) or BY_POLICY[spec.service], str(spec))
    else:
        _check_policy(spec, BY_POLICY[spec.service], rule)


def _to_bus(spec, target, event, rule):
    account = get_account_id()
    if event.get(buses.HOPPED):
        elsewhere = "ACCOUNT" if spec.account_id != account else "REGION"
        raise Undelivered(f"THIRD_{elsewhere}_HOP_DETECTED", "an event that came from another bus goes to no third one")
    role = target.get("RoleArn")
    if role or not buses.is_here(spec):
        _check_role(role, "events:PutEvents", str(spec))
    keys = {**buses.keys_of_event(event.get("Source"), event.get("DetailType")), **buses.keys_of_rule(rule)}
    if not buses.admits(spec, role or f"arn:aws:iam::{account}:root", account, keys):
        raise Undelivered("NO_PERMISSIONS", f"the policy of {spec} does not admit {role} for {rule['Arn']}")
    if not buses.exists(spec):
        raise Undelivered("NO_RESOURCE", f"{spec} does not exist")
    buses.put_on(spec, {**event, buses.HOPPED: True})


def _bury(target, rule, view, why):
    """Puts an event into the target's dead-letter queue, where that admits the rule."""
    logger.warning("EventBridge: %s for %s: %s", why.code, target.get("Arn"), why)
    arn = (target.get("DeadLetterConfig") or {}).get("Arn")
    if not arn:
        return
    spec = parse_arn(arn)
    queue = sqs._queue_by_arn(arn)
    if queue is None or spec.region != get_region():
        logger.warning("EventBridge: the dead-letter queue %s is not here", arn)
        return
    try:
        _check_policy(spec, "sqs:SendMessage", rule)
    except Undelivered as refusal:
        logger.warning("EventBridge: a dead letter is lost: %s", refusal)
        return
    now = time.time()
    body = json.dumps(view.event_with_detail())
    attributes = {
        "RULE_ARN": rule["Arn"],
        "TARGET_ARN": target["Arn"],
        "ERROR_CODE": why.code,
        "ERROR_MESSAGE": str(why),
        "RETRY_ATTEMPTS": "0",
    }
    # The emulator's own delivery to a queue takes no attributes.
    letter = {
        "id": eventbridge.new_uuid(),
        "body": body,
        "md5_body": hashlib.md5(body.encode()).hexdigest(),
        "receipt_handle": None,
        "sent_at": now,
        "visible_at": now + sqs.queue_delay(queue),
        "receive_count": 0,
        "attributes": {},
        "message_attributes": {key: {"DataType": "String", "StringValue": value} for key, value in attributes.items()},
        "sys": {"SenderId": SERVICE, "SentTimestamp": str(int(now * 1000))},
    }
    sqs._ensure_msg_fields(letter)
    queue["messages"].append(letter)
    esm_wake.set()


def _with_delivery(invoke):
    def deliver(target, event, rule, view=None):
        view = view or eventbridge._pattern_event_view(event)
        try:
            spec = parse_arn(target.get("Arn", ""))
            bus = buses.bus_of(str(spec))
            if bus:
                _to_bus(bus, target, event, rule)
                return
            _check_target(spec, target, rule)
        except ArnParseError:
            pass  # The emulator says so.
        except Undelivered as why:
            _bury(target, rule, view, why)
            return
        invoke(target, event, rule, view)

    return deliver


def install():
    eventbridge._invoke_target = _with_delivery(eventbridge._invoke_target)
