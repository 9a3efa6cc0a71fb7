"""Policies of event buses, and what `PutTargets` and `PutEvents` refuse because of them.

The emulator stores a bus policy and ignores it, wraps one that is given whole, and knows no bus of another account. Here

- `PutPermission` takes a whole policy, or a statement with a condition, as AWS writes it;
- `PutTargets` refuses a bus as target with `Input`, `InputPath` or `InputTransformer`; a role of another account; and a bus
  whose policy does not admit the rule and its role;
- `PutEvents` reaches a bus of another account where that bus's policy admits the caller, with `account` being the caller's;
- a policy sees `aws:PrincipalArn`, `aws:PrincipalOrgID`, `events:source`, `events:detail-type`, `events:eventBusInvocation`,
  and from a rule `aws:SourceArn` and `aws:SourceAccount`.

`aws.*` in `PutEvents` the emulator refuses by itself; a test holds it to that.
Source: docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-bus-perms.html, eb-cross-account.html, eb-bus-to-bus.html, and
docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutTargets.html
"""

import json

from ministack.core import iam_evaluator as evaluator
from ministack.core.arn import ArnParseError, parse_arn
from ministack.core.responses import error_response_json, get_account_id, get_region, json_response
from ministack.services import eventbridge

from . import principals
from .scope import here, within

POLICY_LIMIT = 10_240
MOST_ENTRIES = 10
# Marks an event that came from another bus; no rule and no target sees it.
HOPPED = "_Hopped"
INPUTS = ("Input", "InputPath", "InputTransformer")


def bus_of(arn):
    """The parsed ARN of an event bus, or None."""
    try:
        spec = parse_arn(arn)
    except ArnParseError:
        return None
    return spec if spec.service == "events" and spec.resource.startswith("event-bus/") else None


def name_of(spec):
    return spec.resource.split("/", 1)[1]


def is_here(spec):
    return (spec.account_id, spec.region) == here()


def exists(spec):
    with within(spec.account_id, spec.region):
        eventbridge._ensure_default_bus()
        return name_of(spec) in eventbridge._event_buses


def admits(spec, principal, account, keys):
    """Whether a bus lets `principal` of `account` put an event. Within an account its policy can only refuse."""
    policy = eventbridge._event_bus_policies.get_scoped(spec.account_id, spec.region, name_of(spec))
    context = principals.context_of(principal, "events:PutEvents", str(spec), spec.region, keys)
    return evaluator.resource_policy_allows(policy, context, same_account=spec.account_id == account)


def keys_of_event(source, detail_type):
    return {"events:source": source, "events:detail-type": detail_type}


def keys_of_rule(rule):
    return {
        "events:eventBusInvocation": "true",
        "aws:SourceArn": rule["Arn"],
        "aws:SourceAccount": rule["Arn"].split(":")[4],
    }


def _invalid(message):
    return error_response_json("ValidationException", message, 400)


def _denied(message):
    return error_response_json("AccessDeniedException", message, 400)


def _put_permission(data):
    name, error = eventbridge._event_bus_name_from_ref(data.get("EventBusName") or "default")
    if error:
        return error_response_json(*error, 400)
    if name not in eventbridge._event_buses:
        return error_response_json("ResourceNotFoundException", f"Event bus {name} does not exist.", 400)
    if data.get("Policy"):
        try:
            policy = json.loads(data["Policy"])
        except json.JSONDecodeError:
            return _invalid("The policy is not valid JSON.")
        if not isinstance(policy, dict) or not policy.get("Statement"):
            return _invalid("The policy has no statement.")
    else:
        policy = _with_statement(eventbridge._event_bus_policies.get(name), name, data)
    if len(json.dumps(policy, separators=(",", ":"))) > POLICY_LIMIT:
        return error_response_json("PolicyLengthExceededException", "The policy is too long.", 400)
    eventbridge._event_bus_policies[name] = policy
    return json_response({})


def _with_statement(policy, name, data):
    sid = data.get("StatementId") or eventbridge.new_uuid()
    who = data.get("Principal", "*")
    statement = {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": "*" if who == "*" else {"AWS": f"arn:aws:iam::{who}:root"},
        "Action": data.get("Action", "events:PutEvents"),
        "Resource": f"arn:aws:events:{get_region()}:{get_account_id()}:event-bus/{name}",
    }
    condition = data.get("Condition")
    if condition:
        statement["Condition"] = {condition["Type"]: {condition["Key"]: condition["Value"]}}
    old = policy or {"Version": "2012-10-17", "Statement": []}
    return {**old, "Statement": [*(s for s in old["Statement"] if s.get("Sid") != sid), statement]}


def refused_target(target, rule):
    """The answer to a target that AWS would not take, or None."""
    spec = bus_of(target.get("Arn", ""))
    role = target.get("RoleArn", "")
    if role and evaluator._account_from_arn(role) != get_account_id():
        return _denied("Cross-account pass role is not allowed.")
    if spec is None:
        return None
    given = next((name for name in INPUTS if target.get(name)), None)
    if given:
        return _invalid(f"{given} is not supported for the target {spec}: an event bus gets events as they are.")
    if is_here(spec):
        return None
    if not role:
        return _invalid(f"RoleArn is required for target {spec}.")
    if not (exists(spec) and admits(spec, role, get_account_id(), keys_of_rule(rule))):
        return _denied(f"{role} is not authorized to perform: events:PutEvents on resource: {spec}")
    return None


def _with_target_checks(put_targets):
    def put(data):
        name = data.get("EventBusName") or "default"
        rule = eventbridge._rules.get(eventbridge._rule_key(data.get("Rule"), name))
        for target in data.get("Targets", []) if rule else []:
            if refused := refused_target(target, rule):
                return refused
        return put_targets(data)

    return put


def _with_checks_in_stacks(create_rule):
    """CloudFormation makes its rules past `PutTargets`."""

    def create(logical_id, props, stack_name):
        account, region = here()
        rule = {"Arn": f"arn:aws:events:{region}:{account}:rule/{props.get('Name') or logical_id}"}
        for target in props.get("Targets", []):
            if refused := refused_target(target, rule):
                raise ValueError(f"AWS::Events::Rule: {refused[2]!r}")
        return create_rule(logical_id, props, stack_name)

    return create


def _bus_of_entry(entry):
    name = entry.get("EventBusName") or "default"
    return bus_of(name if name.startswith("arn:") else f"arn:aws:events:{get_region()}:{get_account_id()}:event-bus/{name}")


def _with_bus_policies(put_events):
    def put(data, allow_aws_source=False):
        entries, account = data.get("Entries", []), get_account_id()
        if allow_aws_source or not 1 <= len(entries) <= MOST_ENTRIES:
            return put_events(data, allow_aws_source)
        caller = evaluator.caller_arn()
        # All are judged before the first is put.
        for entry in entries:
            spec = _bus_of_entry(entry)
            keys = {**keys_of_event(entry.get("Source"), entry.get("DetailType")), "events:eventBusInvocation": "false"}
            if spec and not admits(spec, caller, account, keys):
                what = f"User: {caller} is not authorized to perform: events:PutEvents on resource: {spec}"
                return _denied(f"{what} because no resource-based policy allows the events:PutEvents action")
        answers = []
        for entry in entries:
            spec = _bus_of_entry(entry)
            if spec is None or spec.account_id == account or spec.region != get_region():
                answers.append(json.loads(put_events({"Entries": [entry]})[2]))
            elif str(entry.get("Source") or "").startswith("aws."):
                # The emulator has the words for it, where the bus is its caller's.
                answers.append(json.loads(put_events({"Entries": [{**entry, "EventBusName": "default"}]})[2]))
            else:
                answers.append({"FailedEntryCount": 0, "Entries": [{"EventId": _put_elsewhere(entry, spec)}]})
        return json_response({
            "FailedEntryCount": sum(answer["FailedEntryCount"] for answer in answers),
            "Entries": [put for answer in answers for put in answer["Entries"]],
        })

    return put


def _put_elsewhere(entry, spec):
    """Puts an event on a bus of another account, where it names the account of its caller."""
    event = {
        "EventId": eventbridge.new_uuid(),
        "Source": entry.get("Source", ""),
        "DetailType": entry.get("DetailType", ""),
        "Detail": entry.get("Detail", "{}"),
        "EventBusName": name_of(spec),
        "Time": int(eventbridge._now_ts()),
        "Resources": entry.get("Resources", []),
        "Account": get_account_id(),
        "Region": get_region(),
        # To AWS this event comes from another account, so it goes to no third one.
        HOPPED: True,
    }
    put_on(spec, event)
    return event["EventId"]


def put_on(spec, event):
    """Lets the rules and archives of a bus see an event, wherever the bus is."""
    with within(spec.account_id, spec.region):
        event = {**event, "EventBusName": name_of(spec)}
        eventbridge._events_log_list().append(event)
        eventbridge._dispatch_event(event)
        eventbridge._archive_event(event)


def install(provisioners):
    eventbridge._put_permission = _put_permission
    eventbridge._put_targets = _with_target_checks(eventbridge._put_targets)
    eventbridge._put_events = _with_bus_policies(eventbridge._put_events)
    handlers = provisioners._RESOURCE_HANDLERS["AWS::Events::Rule"]
    handlers["create"] = _with_checks_in_stacks(handlers["create"])
