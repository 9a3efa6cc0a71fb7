"""Service control policies, which the emulator stores and does not evaluate.

They bind every principal of a member account, its root too, and nobody of the management account. At each level from the root
to the account some attached policy has to allow, and none may deny. `sts:GetCallerIdentity` is never refused. Service-linked
roles, which they do not bind at AWS, do not exist in the emulator.
Source: docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps_evaluation.html
"""

from ministack.core import iam_evaluator as evaluator
from ministack.core.responses import get_account_id
from ministack.services import organizations

from . import membership

TYPE = "SERVICE_CONTROL_POLICY"


def _enabled(management, root):
    types = (organizations._roots.get_scoped(management, None, root) or {}).get("PolicyTypes") or []
    return any(entry.get("Type") == TYPE and entry.get("Status") == "ENABLED" for entry in types)


def levels(account):
    """The statements at each level, from the account up to the root; empty for whom no policy binds."""
    if not membership.is_member(account):
        return []
    management, chain = membership.management_account(account), membership.nodes(account)
    if not chain or not _enabled(management, chain[-1]):
        return []
    everywhere = list(organizations._attachments._data.items())
    attached = [(policy, targets) for (owner, policy), targets in everywhere if owner == management]
    found = []
    for node in chain:
        statements = []
        for policy, targets in attached:
            record = organizations._policies.get_scoped(management, None, policy) or {}
            if node in targets and record.get("Type") == TYPE:
                statements += evaluator.parse_policy_document(record["_Content"])
        found.append(statements)
    return found


def refusal(context):
    """Why the controls of the principal's account refuse a request, or None."""
    for statements in levels(context.principal_account):
        decision = evaluator.evaluate(context, [statements])
        if decision.decision != "Allow":
            return evaluator.EvalResult(decision.decision, context.principal_arn, decision.matched_sid, "service control policy")
    return None


def _with_controls(enforce):
    def enforced(access_key_id, iam_action, service, region, resource_arn="*", service_context=None):
        account = get_account_id()
        refused = enforce(access_key_id, iam_action, service, region, resource_arn=resource_arn, service_context=service_context)
        # Without a key nobody of the account calls: such requests are judged by the resource.
        if refused is not None or not access_key_id or iam_action in evaluator._ALWAYS_ALLOWED_ACTIONS:
            return refused
        if not levels(account):
            return None
        principal = evaluator.resolve_principal(access_key_id, account)
        if isinstance(principal, evaluator.AuthError):
            return principal
        keys = {key.lower(): value for key, value in (service_context or {}).items()}
        keys.setdefault("aws:tagkeys", None)
        from ministack.services.tagging import resource_tags

        for name, value in (resource_tags(resource_arn) or {}).items():
            keys.setdefault(f"aws:resourcetag/{name}".lower(), value)
        return refusal(evaluator.EvalContext(
            principal_arn=principal.arn,
            principal_type=principal.type,
            principal_account=principal.account,
            action=iam_action,
            resource_arn=resource_arn,
            region=region,
            service_context=keys,
            principal_keys=principal.keys,
        ))

    return enforced


def install():
    evaluator.enforce = _with_controls(evaluator.enforce)
