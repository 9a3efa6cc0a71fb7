"""On which resource AWS authorises a call of IAM, where the emulator takes another.

- Users, roles, groups and policies are named with their paths, so that a statement about `role/cordon/*` is about these.
- What is attached to a group, and who is put into it or taken out, is authorised on the group.
- What is made is authorised on the ARN that it will have.

Source: docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html
"""

from ministack.core import iam_actions
from ministack.services import iam

MAKES = {"CreateUser": ("user", "UserName"), "CreateRole": ("role", "RoleName"), "CreateGroup": ("group", "GroupName"),
         "CreatePolicy": ("policy", "PolicyName")}


def _resource(action, parameters, account):
    def value(name):
        found = parameters.get(name, "")
        return found[0] if isinstance(found, list) and found else found or ""

    if action in MAKES:
        kind, name = MAKES[action]
        return f"arn:aws:iam::{account}:{kind}{value('Path') or '/'}{value(name)}"
    # The group comes first: calls on a membership name the user, too.
    for store, name in ((iam._groups, "GroupName"), (iam._roles, "RoleName"), (iam._users, "UserName")):
        if value(name):
            return (store.get(value(name)) or {}).get("Arn")
    return None


def _with_paths(extract):
    def extracted(service, method, path, headers, body, query_params, region, account_id):
        found = extract(service, method, path, headers, body, query_params, region, account_id)
        if service != "iam":
            return found
        action = iam_actions.extract_iam_action(service, method, path, headers, body, query_params) or ""
        return _resource(action.partition(":")[2], query_params, account_id) or found

    return extracted


def install():
    iam_actions.extract_resource_arn = _with_paths(iam_actions.extract_resource_arn)
