"""From one account into another by `sts:AssumeRole`: each condition of the trust, and what the session then may do."""

from support import (
    Caller, Case, allow, deny, make_organisation, member_account, new_account, number, organisation_id, policy, trust,
)

IDENTITY = "INC-20261201-0001"


def setUpModule():
    make_organisation()


class Trust(Case):
    def setUp(self):
        self.hub, self.spoke, self.outsider = member_account(), member_account(), Caller(new_account())

    def cordon(self, account=None, name="cordon-contain", rights=None, path="/cordon/"):
        """A session of a role in the hub that may assume roles elsewhere."""
        account = account or self.hub
        human = account.user(f"u-{name}", allow("sts:*"))
        rights = rights or [allow(["sts:AssumeRole", "sts:SetSourceIdentity"])]
        return human.assume(account.role(name, [trust({"AWS": f"arn:aws:iam::{account.account}:root"})], *rights, Path=path))

    def target(self, *conditions, who=None, actions=("sts:AssumeRole", "sts:SetSourceIdentity"), rights=()):
        """A role in the spoke that trusts the hub's root under these conditions."""
        name = f"containment-{number()}"
        who = who or {"AWS": f"arn:aws:iam::{self.hub.account}:root"}
        statements = [trust(who, condition, action) for condition in conditions or [None] for action in actions]
        for statement in statements:
            asked = statement.get("Condition", {}).get("StringEquals", {})
            if statement["Action"] == "sts:SetSourceIdentity" and "sts:ExternalId" in asked:
                rest = {key: value for key, value in asked.items() if key != "sts:ExternalId"}
                statement["Condition"] = {**statement["Condition"], "StringEquals": rest}
        return self.spoke.role(name, statements, *rights)

    def is_refused(self, caller, role, action="sts:AssumeRole", **more):
        message = self.refused("AccessDenied", caller.sts.assume_role, RoleArn=role, RoleSessionName="test", **more)
        self.assertIn(action, message)

    def conditions(self):
        return {
            "ArnEquals": {"aws:PrincipalArn": f"arn:aws:iam::{self.hub.account}:role/cordon/cordon-contain"},
            "StringEquals": {"sts:ExternalId": "e-1", "aws:PrincipalOrgID": organisation_id()},
            "StringLike": {"sts:SourceIdentity": "INC-*"},
        }


class Conditions(Trust):
    def test_the_role_that_the_trust_means_comes_in(self):
        session = self.cordon().assume(self.target(self.conditions()), ExternalId="e-1", SourceIdentity=IDENTITY)
        self.assertEqual(session.sts.get_caller_identity()["Account"], self.spoke.account)

    def test_each_condition_alone_keeps_out(self):
        role, cordon = self.target(self.conditions()), self.cordon()
        self.is_refused(cordon, role, SourceIdentity=IDENTITY, action="sts:")
        self.is_refused(cordon, role, SourceIdentity=IDENTITY, ExternalId="e-2", action="sts:")
        self.is_refused(cordon, role, ExternalId="e-1")
        self.is_refused(cordon, role, ExternalId="e-1", SourceIdentity="someone", action="sts:SetSourceIdentity")
        self.is_refused(self.cordon(name="another"), role, ExternalId="e-1", SourceIdentity=IDENTITY, action="sts:")
        self.is_refused(self.hub.user("direct", allow("sts:*")), role, ExternalId="e-1", SourceIdentity=IDENTITY, action="sts:")

    def test_a_role_of_the_name_at_another_path_is_another_role(self):
        other = self.cordon(path="/")
        self.is_refused(other, self.target(self.conditions()), ExternalId="e-1", SourceIdentity=IDENTITY, action="sts:")

    def test_the_organisation_is_asked_of_the_caller(self):
        anyone = self.target({"StringEquals": {"aws:PrincipalOrgID": organisation_id()}}, who="*")
        self.cordon().assume(anyone)
        self.is_refused(self.cordon(self.outsider), anyone)

    def test_another_account_is_not_trusted(self):
        self.is_refused(self.cordon(self.outsider), self.target())

    def test_the_callers_own_rights_are_needed(self):
        role = self.target()
        self.is_refused(self.cordon(rights=[allow("iam:*")]), role)
        self.is_refused(self.cordon(name="limited", rights=[allow("sts:AssumeRole", role + "x")]), role)
        self.cordon(name="right", rights=[allow("sts:AssumeRole", role)]).assume(role)

    def test_a_deny_in_the_trust_wins(self):
        who = {"AWS": f"arn:aws:iam::{self.hub.account}:root"}
        role = self.spoke.role(f"r-{number()}", [
            trust(who),
            trust(who, action="sts:SetSourceIdentity"),
            trust(who, {"Null": {"sts:SourceIdentity": "true"}}, effect="Deny"),
        ])
        self.is_refused(self.cordon(), role)
        self.cordon(name="second").assume(role, SourceIdentity=IDENTITY)

    def test_no_root_user_assumes_a_role_elsewhere(self):
        role = self.target()
        self.assertIn("root", self.refused("AccessDenied", self.hub.sts.assume_role, RoleArn=role, RoleSessionName="test"))
        service = self.spoke.role(f"s-{number()}", [trust({"Service": "lambda.amazonaws.com"})])
        self.refused("AccessDenied", self.hub.sts.assume_role, RoleArn=service, RoleSessionName="test")
        self.is_refused(self.cordon(), service)

    def test_a_role_is_found_by_its_whole_arn(self):
        role = self.spoke.role("deep", [trust("*")], Path="/a/")
        self.is_refused(self.cordon(), role.replace("/a/", "/"))
        self.is_refused(self.cordon(name="second"), role.replace("/a/", "/b/"))


class SourceIdentity(Trust):
    def test_both_sides_have_to_permit_it(self):
        open_role, closed = self.target(), self.target(actions=["sts:AssumeRole"])
        self.is_refused(self.cordon(), closed, "sts:SetSourceIdentity", SourceIdentity=IDENTITY)
        weak = self.cordon(name="weak", rights=[allow("sts:AssumeRole")])
        self.is_refused(weak, open_role, "sts:SetSourceIdentity", SourceIdentity=IDENTITY)
        weak.assume(open_role)

    def test_policies_of_the_session_see_it(self):
        reads = allow("iam:ListUsers", Condition={"StringEquals": {"aws:SourceIdentity": IDENTITY}})
        role = self.target(rights=[reads])
        cordon = self.cordon()
        cordon.assume(role, SourceIdentity=IDENTITY).iam.list_users()
        self.refused("AccessDenied", cordon.assume(role, SourceIdentity="INC-2").iam.list_users)
        self.refused("AccessDenied", cordon.assume(role).iam.list_users)

    def test_it_is_told_and_stays_through_a_chain(self):
        chain = [allow(["sts:AssumeRole", "sts:SetSourceIdentity"])]
        made = self.cordon().sts.assume_role(RoleArn=self.target(rights=chain), RoleSessionName="test", SourceIdentity=IDENTITY)
        self.assertEqual(made["SourceIdentity"], IDENTITY)
        first = Caller(self.spoke.account, made["Credentials"])
        who = {"AWS": f"arn:aws:iam::{self.spoke.account}:root"}
        reads = allow("iam:ListUsers", Condition={"StringEquals": {"aws:SourceIdentity": IDENTITY}})
        second = self.outsider.role("second", [trust(who, action=["sts:AssumeRole", "sts:SetSourceIdentity"])], reads)
        first.assume(second).iam.list_users()
        self.is_refused(first, second, "sts:SetSourceIdentity", SourceIdentity="INC-2")
        without = self.outsider.role("without", [trust(who)])
        self.is_refused(first, without, "sts:SetSourceIdentity")

    def test_an_external_id_is_not_asked_of_it(self):
        who = {"AWS": f"arn:aws:iam::{self.hub.account}:root"}
        both = trust(who, {"StringEquals": {"sts:ExternalId": "e-1"}}, ["sts:AssumeRole", "sts:SetSourceIdentity"])
        role = self.spoke.role(f"r-{number()}", [both])
        self.cordon().assume(role, ExternalId="e-1")
        self.is_refused(self.cordon(name="second"), role, "sts:SetSourceIdentity", ExternalId="e-1", SourceIdentity=IDENTITY)

    def test_its_form_is_checked(self):
        for wrong in ["x" * 65, "a b", "aws:x"]:
            self.refused("ValidationError", self.cordon(name=f"c-{number()}").sts.assume_role,
                         RoleArn=self.target(), RoleSessionName="test", SourceIdentity=wrong)


class Sessions(Trust):
    def test_the_spokes_iam_decides_what_the_session_does(self):
        self.spoke.user("victim")
        self.spoke.user("cordon-break-glass")
        role = self.target(rights=[
            allow("iam:PutUserPolicy"), deny("iam:PutUserPolicy", "arn:aws:iam::*:user/cordon-break-glass"),
        ])
        session = self.cordon().assume(role, SourceIdentity=IDENTITY)
        put = {"PolicyName": "deny", "PolicyDocument": policy(deny("*"))}
        session.iam.put_user_policy(UserName="victim", **put)
        self.refused("AccessDenied", session.iam.put_user_policy, UserName="cordon-break-glass", **put)
        self.refused("AccessDenied", session.iam.delete_user_policy, UserName="victim", PolicyName="deny")
        self.assertEqual(self.spoke.iam.list_user_policies(UserName="victim")["PolicyNames"], ["deny"])

    def test_a_session_policy_cuts_it_to_the_step(self):
        self.spoke.user("victim")
        role = self.target(rights=[allow("iam:*")])
        step = allow("iam:DeleteUser", f"arn:aws:iam::{self.spoke.account}:user/victim")
        session = self.cordon().assume(role, Policy=policy(step))
        self.refused("AccessDenied", session.iam.list_users)
        self.refused("AccessDenied", session.iam.delete_user, UserName="another")
        self.refused("ValidationError", self.cordon(name="long").sts.assume_role, RoleArn=role, RoleSessionName="test",
                     Policy=policy(allow("iam:GetUser", "x" * 2048)))

    def test_an_attached_policy_is_limited_by_its_arn(self):
        self.spoke.user("victim")
        listed = {"ArnEquals": {"iam:PolicyARN": "arn:aws:iam::aws:policy/AWSDenyAll"}}
        session = self.cordon().assume(self.target(rights=[allow("iam:AttachUserPolicy", Condition=listed)]))
        attach = session.iam.attach_user_policy
        attach(UserName="victim", PolicyArn="arn:aws:iam::aws:policy/AWSDenyAll")
        self.refused("AccessDenied", attach, UserName="victim", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")

    def test_its_length_is_limited(self):
        role = self.target()
        cordon = self.cordon()
        assume = cordon.sts.assume_role
        self.refused("ValidationError", assume, RoleArn=role, RoleSessionName="test", DurationSeconds=3601)
        assume(RoleArn=role, RoleSessionName="test", DurationSeconds=900)
        user = self.hub.user("direct", allow("sts:*"))
        self.refused("ValidationError", user.sts.assume_role, RoleArn=role, RoleSessionName="test", DurationSeconds=7200)
