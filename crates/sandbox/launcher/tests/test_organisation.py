"""One organisation: who is in it, what a member may ask, and what its service control policies refuse."""

import json

from support import (
    FOR_EVENTS, FOUNDED, MANAGEMENT, Caller, Case, allow, deny, make_organisation, member_account, messages, new_account, number,
    policy, queue, trust,
)


def setUpModule():
    make_organisation()


def controls(target, *statements):
    """Attaches a service control policy, and gives its id."""
    organizations = Caller(MANAGEMENT).organizations
    what = {"Name": f"p-{number()}", "Description": "", "Type": "SERVICE_CONTROL_POLICY", "Content": policy(*statements)}
    made = organizations.create_policy(**what)
    policy_id = made["Policy"]["PolicySummary"]["Id"]
    organizations.attach_policy(PolicyId=policy_id, TargetId=target)
    return policy_id


def unit(parent=None):
    organizations = Caller(MANAGEMENT).organizations
    parent = parent or organizations.list_roots()["Roots"][0]["Id"]
    return organizations.create_organizational_unit(ParentId=parent, Name=f"u-{number()}")["OrganizationalUnit"]["Id"]


def move(account, unit_id):
    organizations = Caller(MANAGEMENT).organizations
    source = organizations.list_parents(ChildId=account)["Parents"][0]["Id"]
    organizations.move_account(AccountId=account, SourceParentId=source, DestinationParentId=unit_id)


class Membership(Case):
    def test_members_see_the_organisation_and_nothing_more(self):
        member = member_account()
        own = member.organizations.describe_organization()["Organization"]
        self.assertEqual(own["MasterAccountId"], MANAGEMENT)
        for call in [member.organizations.list_accounts, member.organizations.list_roots]:
            self.refused("AccessDeniedException", call)
        self.refused("AccessDeniedException", member.organizations.create_policy, Name="x", Description="",
                     Type="SERVICE_CONTROL_POLICY", Content=policy(allow("*")))
        self.refused("AlreadyInOrganizationException", member.organizations.create_organization)
        accounts = Caller(MANAGEMENT).organizations.list_accounts()["Accounts"]
        self.assertIn(member.account, [account["Id"] for account in accounts])

    def test_an_outsider_has_no_organisation_and_accepts_no_invitation_of_another(self):
        outsider, other = Caller(new_account()), new_account()
        self.refused("AWSOrganizationsNotInUseException", outsider.organizations.describe_organization)
        invite = Caller(MANAGEMENT).organizations.invite_account_to_organization
        handshake = invite(Target={"Id": other, "Type": "ACCOUNT"})["Handshake"]["Id"]
        self.refused("HandshakeNotFoundException", outsider.organizations.accept_handshake, HandshakeId=handshake)
        Caller(other).organizations.accept_handshake(HandshakeId=handshake)
        self.refused("HandshakeNotFoundException", Caller(other).organizations.accept_handshake, HandshakeId=handshake)
        self.refused("AlreadyInOrganizationException", invite, Target={"Id": other, "Type": "ACCOUNT"})

    def test_one_that_is_named_at_the_start_is_there(self):
        own_id, management, member = FOUNDED
        for account in (management, member):
            own = Caller(account).organizations.describe_organization()["Organization"]
            self.assertEqual((own["Id"], own["MasterAccountId"]), (own_id, management))
            self.assertIn(f"/{own_id}", own["Arn"])
        self.refused("AccessDeniedException", Caller(member).organizations.list_accounts)
        accounts = Caller(management).organizations.list_accounts()["Accounts"]
        self.assertEqual({account["Id"] for account in accounts}, {management, member})
        self.assertEqual(len(Caller(management).organizations.list_roots()["Roots"]), 1)
        of_ours = {"StringEquals": {"aws:PrincipalOrgID": own_id}}
        root = {"AWS": [f"arn:aws:iam::{account}:root" for account in (member, MANAGEMENT)]}
        role = Caller(management).role("for-members", [trust(root, of_ours)])
        Caller(member).user("comes", allow("sts:*")).assume(role)
        self.refused("AccessDenied", Caller(MANAGEMENT).user(f"u-{number()}", allow("sts:*")).sts.assume_role, RoleArn=role,
                     RoleSessionName="test")

    def test_a_created_account_is_a_member_with_full_access(self):
        made = Caller(MANAGEMENT).organizations.create_account(Email="a@example.com", AccountName="a")
        account = Caller(made["CreateAccountStatus"]["AccountId"])
        self.assertEqual(account.organizations.describe_organization()["Organization"]["MasterAccountId"], MANAGEMENT)
        account.user("anyone", allow("iam:ListUsers")).iam.list_users()


class Controls(Case):
    def test_a_deny_binds_users_sessions_and_the_root_user_of_a_member(self):
        member, free = member_account(), member_account()
        root_trust = [trust({"AWS": f"arn:aws:iam::{member.account}:root"})]
        user = member.user("admin", allow("*"))
        session = user.assume(member.role("admin", root_trust, allow("*")))
        for caller in [user, session, member]:
            caller.iam.list_users()
        controls(member.account, deny("iam:ListUsers"))
        for caller in [user, session, member]:
            self.refused("AccessDenied", caller.iam.list_users)
            caller.iam.list_roles()
            caller.sts.get_caller_identity()
        free.iam.list_users()

    def test_nothing_binds_the_management_account(self):
        organizations = Caller(MANAGEMENT).organizations
        root = organizations.list_roots()["Roots"][0]["Id"]
        policy_id = controls(root, deny("iam:ListRoles", Condition={"StringLike": {"aws:PrincipalArn": "*"}}))
        try:
            Caller(MANAGEMENT).iam.list_roles()
            self.refused("AccessDenied", member_account().iam.list_roles)
        finally:
            organizations.detach_policy(PolicyId=policy_id, TargetId=root)

    def test_each_level_has_to_allow(self):
        outer = unit()
        inner, member = unit(outer), member_account()
        member.iam.list_users()
        move(member.account, inner)
        member.iam.list_users()
        controls(outer, allow("iam:*"))
        Caller(MANAGEMENT).organizations.detach_policy(PolicyId="p-FullAWSAccess", TargetId=outer)
        member.iam.list_users()
        self.refused("AccessDeniedException", member.events.list_rules)

    def test_conditions_name_the_role_by_its_arn_and_path(self):
        member = member_account()
        root_trust = [trust({"AWS": f"arn:aws:iam::{member.account}:root"})]
        user = member.user("admin", allow("*"))
        for name, path in [("cordon-contain", "/cordon/"), ("cordon-contain2", "/")]:
            member.role(name, root_trust, allow("*"), Path=path)
        allowed = {"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/cordon/cordon-*"}}
        controls(member.account, deny("iam:DeleteUserPolicy", Condition=allowed))
        good = user.assume(f"arn:aws:iam::{member.account}:role/cordon/cordon-contain")
        bad = user.assume(f"arn:aws:iam::{member.account}:role/cordon-contain2")
        good.iam.put_user_policy(UserName="admin", PolicyName="x", PolicyDocument=policy(deny("s3:*")))
        for caller in [user, member, bad]:
            self.refused("AccessDenied", caller.iam.delete_user_policy, UserName="admin", PolicyName="x")
        good.iam.delete_user_policy(UserName="admin", PolicyName="x")

    def test_tags_of_the_resource_are_seen(self):
        member = member_account()
        member.user("tagged")
        member.iam.tag_user(UserName="tagged", Tags=[{"Key": "team", "Value": "x"}])
        member.user("plain")
        controls(member.account, deny("iam:PutUserPolicy", Condition={"StringEquals": {"aws:ResourceTag/team": "x"}}))
        put = {"PolicyName": "p", "PolicyDocument": policy(deny("*"))}
        member.iam.put_user_policy(UserName="plain", **put)
        self.refused("AccessDenied", member.iam.put_user_policy, UserName="tagged", **put)

    def test_they_bind_the_role_that_a_rule_forwards_with(self):
        hub, spoke = member_account(), member_account()
        bus = hub.events.create_event_bus(Name="hub")["EventBusArn"]
        hub.events.put_permission(EventBusName="hub", Policy=policy(allow("events:PutEvents", bus, Principal="*")))
        letters, letters_arn = queue(spoke, "letters")
        role = spoke.role("forwarder", FOR_EVENTS, allow("events:PutEvents"))
        spoke.events.put_rule(Name="r", EventPattern=json.dumps({"source": ["s"]}))
        target = {"Id": "h", "Arn": bus, "RoleArn": role, "DeadLetterConfig": {"Arn": letters_arn}}
        spoke.events.put_targets(Rule="r", Targets=[target])
        entry = {"Source": "s", "DetailType": "t", "Detail": "{}"}
        spoke.events.put_events(Entries=[entry])
        self.assertEqual(messages(spoke, letters), [])
        controls(spoke.account, deny("events:PutEvents", bus))
        spoke.events.put_events(Entries=[entry])
        self.assertEqual([why["ERROR_CODE"] for _, why in messages(spoke, letters)], ["NO_PERMISSIONS"])

    def test_a_detached_policy_no_longer_binds(self):
        member = member_account()
        policy_id = controls(member.account, deny("iam:ListUsers"))
        self.refused("AccessDenied", member.iam.list_users)
        Caller(MANAGEMENT).organizations.detach_policy(PolicyId=policy_id, TargetId=member.account)
        member.iam.list_users()


class Keys(Case):
    """Condition keys of requests on which the roles in other accounts rest."""

    def setUp(self):
        self.account = Caller(new_account())

    def test_a_policy_is_attached_and_detached_by_its_arn(self):
        listed = {"ArnEquals": {"iam:PolicyARN": "arn:aws:iam::aws:policy/AWSDenyAll"}}
        self.account.user("victim")
        actor = self.account.user("actor", allow(["iam:AttachUserPolicy", "iam:DetachUserPolicy"], Condition=listed))
        for call in [actor.iam.attach_user_policy, actor.iam.detach_user_policy]:
            call(UserName="victim", PolicyArn="arn:aws:iam::aws:policy/AWSDenyAll")
            self.refused("AccessDenied", call, UserName="victim", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")

    def test_a_boundary_is_set_by_its_arn_and_seen_later(self):
        deny_all = "arn:aws:iam::aws:policy/AWSDenyAll"
        self.account.user("victim")
        needs = {"StringEquals": {"iam:PermissionsBoundary": deny_all}}
        actions = ["iam:PutUserPermissionsBoundary", "iam:PutUserPolicy", "iam:CreateUser"]
        actor = self.account.user("actor", allow(actions, Condition=needs))
        put = {"UserName": "victim", "PolicyName": "p", "PolicyDocument": policy(allow("s3:*"))}
        self.refused("AccessDenied", actor.iam.put_user_policy, **put)
        self.refused("AccessDenied", actor.iam.create_user, UserName="new")
        self.refused("AccessDenied", actor.iam.put_user_permissions_boundary, UserName="victim",
                     PermissionsBoundary="arn:aws:iam::aws:policy/AdministratorAccess")
        actor.iam.put_user_permissions_boundary(UserName="victim", PermissionsBoundary=deny_all)
        actor.iam.put_user_policy(**put)
        actor.iam.create_user(UserName="new", PermissionsBoundary=deny_all)

    def test_tags_of_a_user_or_role_are_seen_by_iams_own_key(self):
        self.account.role("quarantined", [trust("*")], Tags=[{"Key": "Team", "Value": "x"}])
        self.account.role("other", [trust("*")])
        tagged = {"StringEquals": {"iam:ResourceTag/Team": "x"}}
        actor = self.account.user("actor", allow("iam:PutRolePolicy", Condition=tagged))
        put = {"PolicyName": "p", "PolicyDocument": policy(deny("*"))}
        actor.iam.put_role_policy(RoleName="quarantined", **put)
        self.refused("AccessDenied", actor.iam.put_role_policy, RoleName="other", **put)

    def test_an_event_is_put_under_the_permitted_source_alone(self):
        permitted = {"StringEquals": {"events:source": "cordon", "events:detail-type": "Finding"}}
        actor = self.account.user("actor", allow("events:PutEvents", Condition=permitted))
        entry = {"Source": "cordon", "DetailType": "Finding", "Detail": "{}"}
        self.assertEqual(actor.events.put_events(Entries=[entry, entry])["FailedEntryCount"], 0)
        for wrong in [{"Source": "other"}, {"DetailType": "other"}]:
            self.refused("AccessDeniedException", actor.events.put_events, Entries=[{**entry, **wrong}])
            self.refused("AccessDeniedException", actor.events.put_events, Entries=[entry, {**entry, **wrong}])


class Resources(Case):
    """The ARN that a call of IAM is authorised on."""

    def setUp(self):
        self.account = Caller(new_account())

    def test_a_role_and_a_user_are_named_with_their_paths(self):
        self.account.role("inside", [trust("*")], Path="/cordon/")
        self.account.iam.create_user(UserName="inside", Path="/cordon/")
        self.account.role("outside", [trust("*")])
        paths = ["arn:aws:iam::*:role/cordon/*", "arn:aws:iam::*:user/cordon/*"]
        actor = self.account.user("actor", allow(["iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:PutUserPolicy"], paths))
        put = {"PolicyName": "p", "PolicyDocument": policy(deny("*"))}
        actor.iam.put_role_policy(RoleName="inside", **put)
        actor.iam.attach_role_policy(RoleName="inside", PolicyArn="arn:aws:iam::aws:policy/AWSDenyAll")
        actor.iam.put_user_policy(UserName="inside", **put)
        self.refused("AccessDenied", actor.iam.put_role_policy, RoleName="outside", **put)
        self.refused("AccessDenied", actor.iam.put_user_policy, UserName="actor", **put)

    def test_a_membership_and_an_attachment_belong_to_the_group(self):
        iam = self.account.iam
        for group in ["good", "other"]:
            iam.create_group(GroupName=group)
        self.account.user("victim")
        actor = self.account.user("actor", allow("iam:*", "arn:aws:iam::*:group/good"))
        deny_all = "arn:aws:iam::aws:policy/AWSDenyAll"
        actor.iam.add_user_to_group(GroupName="good", UserName="victim")
        actor.iam.remove_user_from_group(GroupName="good", UserName="victim")
        actor.iam.attach_group_policy(GroupName="good", PolicyArn=deny_all)
        self.refused("AccessDenied", actor.iam.add_user_to_group, GroupName="other", UserName="victim")
        self.refused("AccessDenied", actor.iam.attach_group_policy, GroupName="other", PolicyArn=deny_all)
        by_user = self.account.user("by-user", allow("iam:*", ["arn:aws:iam::*:user/victim", deny_all]))
        self.refused("AccessDenied", by_user.iam.add_user_to_group, GroupName="good", UserName="victim")
        self.refused("AccessDenied", by_user.iam.attach_group_policy, GroupName="good", PolicyArn=deny_all)

    def test_what_is_made_is_authorised_by_the_arn_that_it_gets(self):
        actor = self.account.user("actor", allow("iam:Create*", ["arn:aws:iam::*:user/a/*", "arn:aws:iam::*:policy/a/*"]))
        actor.iam.create_user(UserName="x", Path="/a/")
        actor.iam.create_policy(PolicyName="x", Path="/a/", PolicyDocument=policy(deny("*")))
        self.refused("AccessDenied", actor.iam.create_user, UserName="y")
        self.refused("AccessDenied", actor.iam.create_policy, PolicyName="y", PolicyDocument=policy(deny("*")))
