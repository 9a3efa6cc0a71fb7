"""One organisation instead of one for each account: who belongs to it, how an account joins, and what members may ask.

The emulator gives every account an organisation of its own as soon as it asks for one. AWS does not: an account is the
management account of an organisation, or a member of one, or neither. So here

- `CreateOrganization` makes the caller the management account; a member or a management account cannot call it again;
- `InviteAccountToOrganization` and `AcceptHandshake` let an account join whose id is known beforehand; `CreateAccount`,
  which the emulator has, makes up an id;
- a member may describe its organisation and nothing more, and an account outside gets `AWSOrganizationsNotInUseException`;
- a new organisational unit has `FullAWSAccess` attached, as each node has at AWS.

Where `CORDON_ORGANISATION` names one, it is there from the start: its id, the management account and the members, separated by commas.

One difference stays, for deployments that were made before: an account that belongs nowhere and calls anything else than
`CreateOrganization`, `DescribeOrganization` or `AcceptHandshake` becomes a management account, as it does in the emulator.

The condition keys `aws:PrincipalOrgID`, `aws:PrincipalOrgPaths` and `aws:ResourceOrgID` come from here.
Source: docs.aws.amazon.com/organizations/latest/APIReference and
docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
"""

import json
import os

from ministack.core.responses import error_response_json, get_account_id, new_uuid
from ministack.services import organizations

from .scope import within

VARIABLE = "CORDON_ORGANISATION"

# Invitations that nobody has accepted: the id, and (management account, invited account).
_handshakes = {}


def management_account(account):
    """The management account of the organisation that `account` belongs to, or None."""
    for (management, member), record in list(organizations._accounts._data.items()):
        if member == account and management != account and record.get("Status") == "ACTIVE":
            return management
    return account if organizations._orgs.get_scoped(account, None, "self") else None


def is_member(account):
    """Whether another account manages it."""
    return management_account(account) not in (None, account)


def organisation(account):
    """The record of the organisation that `account` belongs to, or None."""
    management = management_account(account)
    return organizations._orgs.get_scoped(management, None, "self") if management else None


def organisation_id(account):
    return (organisation(account) or {}).get("Id")


def nodes(account):
    """The ids from the account upwards to the root, which comes last; empty outside an organisation."""
    management = management_account(account)
    found, node = [], account
    while management and node:
        found.append(node)
        stores = (organizations._accounts, organizations._ous)
        records = [store.get_scoped(management, None, node) for store in stores]
        node = next((record["_ParentId"] for record in records if record), None)
    return found


def paths(account):
    """What `aws:PrincipalOrgPaths` holds: one path, which ends with a slash."""
    found = nodes(account)
    return ["/".join([organisation_id(account), *reversed(found[1:])]) + "/"] if found else None


def _outside():
    message = "Your account is not a member of an organization."
    return error_response_json("AWSOrganizationsNotInUseException", message, 400)


def _already():
    message = "The provided account is already a member of an organization."
    return error_response_json("AlreadyInOrganizationException", message, 400)


def _create_organization(_payload):
    if management_account(get_account_id()):
        return _already()
    organizations._ensure_org()
    return organizations._json(200, {"Organization": dict(organizations._orgs["self"])})


def _describe_organization(_payload):
    found = organisation(get_account_id())
    return organizations._json(200, {"Organization": dict(found)}) if found else _outside()


def _handshake(handshake, state, management, account):
    own = organizations._orgs.get_scoped(management, None, "self")
    return {
        "Handshake": {
            "Id": handshake,
            "Arn": f"arn:aws:organizations::{management}:handshake/{own['Id']}/invite/{handshake}",
            "Parties": [{"Id": own["Id"], "Type": "ORGANIZATION"}, {"Id": account, "Type": "ACCOUNT"}],
            "State": state,
            "Action": "INVITE",
        }
    }


def _invite(payload):
    account = (payload.get("Target") or {}).get("Id", "")
    if not (len(account) == 12 and account.isdigit()):
        return error_response_json("InvalidInputException", "Only accounts can be invited, by their ids.", 400)
    if management_account(account):
        return _already()
    organizations._ensure_org()
    handshake = "h-" + new_uuid().replace("-", "")[:12]
    _handshakes[handshake] = (get_account_id(), account)
    return organizations._json(200, _handshake(handshake, "OPEN", get_account_id(), account))


def _accept(payload):
    handshake = payload.get("HandshakeId", "")
    management, account = _handshakes.get(handshake, (None, None))
    if account != get_account_id():
        return error_response_json("HandshakeNotFoundException", "We can't find a handshake with this id.", 400)
    if management_account(account):
        return _already()
    del _handshakes[handshake]
    _join(management, account)
    return organizations._json(200, _handshake(handshake, "ACCEPTED", management, account))


def _join(management, account):
    own = organizations._orgs.get_scoped(management, None, "self")
    root = next(key for (owner, key) in list(organizations._roots._data) if owner == management)
    organizations._accounts.set_scoped(management, None, account, {
        "Id": account,
        "Arn": f"arn:aws:organizations::{management}:account/{own['Id']}/{account}",
        "Email": f"{account}@accounts.invalid",
        "Name": account,
        "Status": "ACTIVE",
        "JoinedMethod": "INVITED",
        "JoinedTimestamp": own.get("JoinedTimestamp", 0),
        "Path": "/",
        "_ParentId": root,
    })
    _attach_full_access(management, account)


def _found(own_id, management, *members):
    """An organisation with this id. A state that is loaded later has it too, and takes its place."""
    with within(management, "us-east-1"):
        organizations._ensure_org()
        made = organizations._orgs["self"]["Id"]
        for store in (organizations._orgs, organizations._roots, organizations._accounts):
            for key, record in list(store.items()):
                store[key] = json.loads(json.dumps(record).replace(made, own_id))
    for account in members:
        _join(management, account)


def _attach_full_access(management, node):
    policy = organizations.FULL_ACCESS_POLICY_ID
    attached = list(organizations._attachments.get_scoped(management, None, policy) or [])
    organizations._attachments.set_scoped(management, None, policy, [*attached, node])


def _with_full_access(create_unit):
    def create(payload):
        answer = create_unit(payload)
        if answer[0] == 200:
            _attach_full_access(get_account_id(), json.loads(answer[2])["OrganizationalUnit"]["Id"])
        return answer

    return create


def _not_for_members(operation):
    def checked(payload):
        if is_member(get_account_id()):
            message = "You don't have permissions to access this resource."
            return error_response_json("AccessDeniedException", message, 400)
        return operation(payload)

    return checked


def _with_organisation_keys(resolve):
    def resolved(key, context):
        name = key.lower()
        if name == "aws:principalorgid":
            return organisation_id(context.principal_account)
        if name == "aws:principalorgpaths":
            return paths(context.principal_account)
        if name == "aws:resourceorgid":
            from ministack.core.iam_evaluator import _account_from_arn

            return organisation_id(_account_from_arn(context.resource_arn) or context.principal_account)
        return resolve(key, context)

    return resolved


def install(evaluator):
    """Puts the organisation into the evaluator's condition keys and into the service's operations, and founds the one that is named."""
    if named := os.environ.get(VARIABLE):
        _found(*named.split(","))
    operations = organizations._DISPATCH
    operations["CreateOrganizationalUnit"] = _with_full_access(operations["CreateOrganizationalUnit"])
    operations["InviteAccountToOrganization"] = _invite
    for name, operation in list(operations.items()):
        operations[name] = _not_for_members(operation)
    operations["CreateOrganization"] = _create_organization
    operations["DescribeOrganization"] = _describe_organization
    operations["AcceptHandshake"] = _accept
    evaluator._principal_org_id = organisation_id
    evaluator._resolve_condition_key = _with_organisation_keys(evaluator._resolve_condition_key)
