"""`sts:AssumeRole` as AWS decides it: both sides have to agree, and a source identity stays with the session.

The emulator evaluates trust policies with `sts:ExternalId`; here are added

- the root user of an account, who cannot assume a role of another account (nor one of its own at AWS, which the emulator
  needs in places where AWS uses a service);
- a trust that names a service admits that service alone, and never the root user of another account;
- `SourceIdentity`: its form, `sts:SetSourceIdentity` on both sides, the key `sts:SourceIdentity` in the trust policy,
  `aws:SourceIdentity` in the session and in every session that is made with it, where it cannot be changed. AWS's reference
  lists `sts:ExternalId` for `sts:AssumeRole` alone, so a statement that asks it of `sts:SetSourceIdentity` too admits nobody;
- a chained session lasts an hour at most, every other as long as the role allows.

Source: docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html and
docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_control-access_monitor.html
"""

import json
import re
from contextvars import ContextVar
from dataclasses import replace
from urllib.parse import parse_qs

from ministack.core import iam_evaluator as evaluator
from ministack.core.responses import error_response_json, get_account_id, get_region
from ministack.core.router import extract_access_key_id
from ministack.services import iam, sts

from . import principals

FORM = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
CHAINED_SECONDS = 3600
SHORTEST_SECONDS = 900

# The source identity of the AssumeRole that is being handled.
_source_identity = ContextVar("source_identity", default=None)


class _Refused(Exception):
    def __init__(self, status, code, message):
        super().__init__(message)
        self.status, self.code = status, code


def _parameters(method, headers, body, query):
    """The parameters of a call in either protocol, by name."""
    found = {key: value[0] if isinstance(value, list) else value for key, value in query.items()}
    target = headers.get("x-amz-target", "")
    if "amz-json" in headers.get("content-type", ""):
        found["Action"] = target.rsplit(".", 1)[-1]
        try:
            found.update(json.loads(body or b"{}"))
        except json.JSONDecodeError:
            pass
    elif method == "POST" and body:
        found.update({key: value[0] for key, value in parse_qs(body.decode("utf-8", errors="replace")).items()})
    return found


def _invalid(message):
    return _Refused(400, "ValidationError", message)


def _denied(caller, action, role):
    return _Refused(403, "AccessDenied", f"User: {caller} is not authorized to perform: {action} on resource: {role}")


def _check(parameters, headers, query):
    """Checks what the emulator does not, and gives the source identity that the new session gets."""
    key = extract_access_key_id(headers, query) or "test"
    caller = evaluator.resolve_principal(key, get_account_id())
    arn = parameters.get("RoleArn", "")
    if isinstance(caller, evaluator.AuthError):
        return None
    account, role = principals.role_of(arn)
    if caller.type == "Root" and account != caller.account:
        raise _Refused(403, "AccessDenied", "Roles may not be assumed by root accounts.")
    if role is None:
        return None
    if role.get("Arn") != arn:
        # The emulator finds a role by its name alone.
        raise _denied(caller.arn, "sts:AssumeRole", arn)
    session = sts._sessions.get(key) or {}
    inherited, wanted = session.get("SourceIdentity"), parameters.get("SourceIdentity") or None
    _check_duration(parameters, session, role)
    if wanted and (not FORM.fullmatch(wanted) or wanted.lower().startswith("aws:")):
        raise _invalid("Value at 'sourceIdentity' failed to satisfy constraint: it does not match the pattern")
    if inherited and wanted and wanted != inherited:
        raise _denied(caller.arn, "sts:SetSourceIdentity", arn)
    identity = inherited or wanted
    if identity:
        _check_source_identity(key, caller, role, {"sts:sourceidentity": identity})
    return identity


def _check_duration(parameters, session, role):
    wanted = int(parameters.get("DurationSeconds") or CHAINED_SECONDS)
    chained = session.get("PrincipalType") == "AssumedRole"
    if wanted < SHORTEST_SECONDS:
        raise _invalid("Value at 'durationSeconds' failed to satisfy constraint: Member must be 900 or more")
    if chained and wanted > CHAINED_SECONDS:
        raise _invalid("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining")
    if wanted > int(role.get("MaxSessionDuration") or CHAINED_SECONDS):
        raise _invalid("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")


def _check_source_identity(key, caller, role, keys):
    action = "sts:SetSourceIdentity"
    refused = evaluator.enforce(key, action, "sts", get_region(), resource_arn=role["Arn"], service_context=keys)
    context = evaluator.EvalContext(
        principal_arn=caller.arn,
        principal_type=caller.type,
        principal_account=caller.account,
        action=action,
        resource_arn=role["Arn"],
        region=get_region(),
        service_context=keys,
        principal_keys=caller.keys,
    )
    trust = role.get("AssumeRolePolicyDocument", "{}")
    if refused is not None or not evaluator.evaluate_trust_policy(trust, caller.arn, context):
        raise _denied(caller.arn, action, role["Arn"])


def _with_checks(handle):
    async def handled(method, path, headers, body, query):
        parameters = _parameters(method, headers, body, query)
        if parameters.get("Action") != "AssumeRole":
            return await handle(method, path, headers, body, query)
        try:
            identity = _check(parameters, headers, query)
        except _Refused as why:
            if "amz-json" in headers.get("content-type", ""):
                return error_response_json(why.code, str(why), why.status)
            return iam._error(why.status, why.code, str(why), ns="sts")
        token = _source_identity.set(identity)
        try:
            status, kind, answer = await handle(method, path, headers, body, query)
        finally:
            _source_identity.reset(token)
        return status, kind, _told(answer, identity) if status == 200 and identity else answer

    return handled


def _told(answer, identity):
    """The answer with the source identity in it."""
    text = answer.decode() if isinstance(answer, bytes) else answer
    if text.lstrip().startswith("{"):
        text = json.dumps({**json.loads(text), "SourceIdentity": identity})
    else:
        text = text.replace("</AssumeRoleResult>", f"<SourceIdentity>{identity}</SourceIdentity></AssumeRoleResult>")
    return text.encode()


def _with_identity_in_session(register):
    def registered(access_key, session):
        identity = _source_identity.get()
        if identity and session.get("PrincipalType") == "AssumedRole":
            session["SourceIdentity"] = identity
        return register(access_key, session)

    return registered


def _with_identity_in_keys(gather):
    def gathered(credential):
        keys = gather(credential)
        identity = (sts._sessions.get(credential.access_key_id) or {}).get("SourceIdentity")
        if identity:
            keys["aws:sourceidentity"] = identity
        return keys

    return gathered


def _with_identity_in_trust(evaluate):
    def evaluated(document, caller, context=None):
        identity = _source_identity.get()
        if context is not None and identity:
            context = replace(context, service_context={**context.service_context, "sts:sourceidentity": identity})
        return evaluate(document, caller, context)

    return evaluated


def install():
    sts.handle_request = _with_checks(sts.handle_request)
    sts.register_session = _with_identity_in_session(sts.register_session)
    # Two modules hold the function by its name.
    evaluator._principal_keys = sts._principal_keys = _with_identity_in_keys(evaluator._principal_keys)
    evaluator.evaluate_trust_policy = _with_identity_in_trust(evaluator.evaluate_trust_policy)
