"""Who a principal is to a policy, and what a role that a service uses may do.

`aws:PrincipalArn` of a role's session is the ARN of the role, with its path, and not that of the session as in the emulator.
Source: docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-principalarn
"""

import json

from ministack.core import iam_evaluator as evaluator
from ministack.core.arn import ArnParseError, parse_arn
from ministack.services import iam

from . import controls


def role_of(arn):
    """The account and the record of the role that an ARN names, be it the role's own or a session's; or (None, None)."""
    try:
        spec = parse_arn(arn)
    except ArnParseError:
        return None, None
    if spec.service == "iam" and spec.resource.startswith("role/"):
        name = spec.resource.rsplit("/", 1)[-1]
    elif spec.service == "sts" and spec.resource.startswith("assumed-role/"):
        name = evaluator._role_name_from_assumed_arn(arn)
    else:
        return None, None
    return spec.account_id, iam._roles.get_scoped(spec.account_id, None, name)


def principal_arn(arn):
    """What `aws:PrincipalArn` holds for a caller."""
    if ":assumed-role/" not in arn:
        return arn
    account, role = role_of(arn)
    name = evaluator._role_name_from_assumed_arn(arn)
    # The session of a role that was deleted goes on.
    return (role or {}).get("Arn") or f"arn:{arn.split(':')[1]}:iam::{account}:role/{name}"


def is_admitted(role, service):
    """Whether a role's trust policy lets a service assume it."""
    document = role.get("AssumeRolePolicyDocument") or {}
    statements = (json.loads(document) if isinstance(document, str) else document).get("Statement", [])
    admitted = False
    for statement in [statements] if isinstance(statements, dict) else statements:
        actions = statement.get("Action", [])
        named = evaluator._action_matches("sts:AssumeRole", [actions] if isinstance(actions, str) else actions, [])
        principal = statement.get("Principal")
        if named and (principal == "*" or evaluator._service_principal_matches(principal, service)):
            if statement.get("Effect") == "Deny":
                return False
            # A condition on the source would be met, for the service sends it; others are not modelled.
            admitted = True
    return admitted


def role_may(role_arn, action, resource, region, keys=None):
    """Whether a role, in the hands of a service, may do this: policies, boundary, and the organisation's controls."""
    account, role = role_of(role_arn)
    if role is None or role.get("Arn") != role_arn:
        return False
    context = context_of(role_arn, action, resource, region, keys)
    policies = evaluator._gather_role_policies(role["RoleName"], account)
    boundary = evaluator._permissions_boundary(iam._roles, role["RoleName"], account)
    if evaluator.evaluate(context, policies, *boundary).decision != "Allow":
        return False
    return controls.refusal(context) is None


def context_of(arn, action, resource, region, keys=None):
    """The request as a policy sees it."""
    return evaluator.EvalContext(
        principal_arn=arn,
        principal_type="AssumedRole" if ":role/" in arn or ":assumed-role/" in arn else "User" if ":user/" in arn else "Root",
        principal_account=evaluator._account_from_arn(arn) or "",
        action=action,
        resource_arn=resource,
        region=region,
        service_context={key.lower(): value for key, value in (keys or {}).items()},
    )


def _with_principal_arn(resolve):
    def resolved(key, context):
        return principal_arn(context.principal_arn) if key.lower() == "aws:principalarn" else resolve(key, context)

    return resolved


def install():
    evaluator._resolve_condition_key = _with_principal_arn(evaluator._resolve_condition_key)
