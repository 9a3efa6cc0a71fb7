"""The modules `infra/modules/spoke` and `spoke-region`, applied by Terraform to an account, and tried from the hub's.

Each role is asked for what it is there for, and for what it must be refused.
"""

import json
import os
import subprocess
import tempfile
from pathlib import Path

from support import (
    LAUNCHER, REGION, Case, allow, deny, emulator, eventually, make_organisation, member_account, messages, organisation_id,
    policy, queue, trust,
)

MODULES = LAUNCHER.parent.parent.parent / "infra" / "modules"
EXTERNAL_ID = "external-1"
INCIDENT = "inc-0123456789abcdef0123"
DENY_ALL, ADMINISTRATOR = "arn:aws:iam::aws:policy/AWSDenyAll", "arn:aws:iam::aws:policy/AdministratorAccess"
# What `cordon package` writes; a test of the bundle holds it to that.
MANIFEST = json.loads((MODULES / "spoke" / "tests" / "spoke.json").read_text())
# The account that its `never_touch` writes out.
WRITTEN_OUT = "222233334444"
PARTS = tuple(MANIFEST["holders"])
# Where Terraform's AWS provider lies on machines that do not reach the registry.
MIRRORS = ("~/.terraform.d/plugins", "/usr/local/share/terraform/plugins", "/usr/share/terraform/plugins", "/opt",
           "/usr/local/share", "/usr/share")


def plugins():
    if given := os.environ.get("CORDON_TERRAFORM_PLUGIN_DIR"):
        return [f"-plugin-dir={given}"]
    for place in MIRRORS:
        for depth in ["", "*/", "*/*/"]:
            for found in Path(place).expanduser().glob(f"{depth}registry.terraform.io/hashicorp/aws"):
                return [f"-plugin-dir={found.parent.parent.parent}"]
    return []


def apply(account, bus):
    """Applies both modules to the account, and gives the ARNs of its roles."""
    root = {
        "provider": {"aws": {
            "region": REGION, "access_key": account, "secret_key": "test", "max_retries": 3, "skip_credentials_validation": True,
            "skip_metadata_api_check": True, "skip_region_validation": True,
            "endpoints": {service: emulator().endpoint for service in ("cloudwatch", "events", "iam", "sqs", "sts")},
        }},
        "module": {
            "spoke": {
                "source": str(MODULES / "spoke"), "spoke": json.loads(json.dumps(MANIFEST).replace(WRITTEN_OUT, account)), "hub_bus_arn": bus,
                "organization_id": organisation_id(), "external_id": EXTERNAL_ID, "enforcement": True,
            },
            "region": {
                "source": str(MODULES / "spoke-region"), "hub_bus_arn": bus,
                "forwarder_role_arn": "${module.spoke.forwarder_role_arn}", "alarm_topic_arns": [],
                "event_patterns": [{"detail-type": ["AWS API Call via CloudTrail"]}],
            },
        },
        "output": {"roles": {"value": "${module.spoke.role_arns}"}},
    }
    terraform = os.environ.get("CORDON_TERRAFORM", "terraform")
    environment = {**os.environ, "TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1"}
    with tempfile.TemporaryDirectory(prefix="cordon-spoke-") as folder:
        Path(folder, "main.tf.json").write_text(json.dumps(root))

        def run(*arguments):
            done = subprocess.run([terraform, *arguments], cwd=folder, env=environment, capture_output=True, text=True)
            if done.returncode:
                raise RuntimeError(f"terraform {arguments[0]}: {done.stdout[-2000:]}{done.stderr[-4000:]}")
            return done.stdout

        run("init", "-input=false", "-no-color", *plugins())
        run("apply", "-auto-approve", "-input=false", "-no-color")
        return json.loads(run("output", "-json"))["roles"]["value"]


class Spoke(Case):
    @classmethod
    def setUpClass(cls):
        make_organisation()
        cls.hub, cls.spoke = member_account(), member_account()
        cls.bus = cls.hub.events.create_event_bus(Name="cordon")["EventBusArn"]
        cls.hub.events.put_permission(EventBusName="cordon", Policy=policy(allow(
            "events:PutEvents", cls.bus, Principal="*", Condition={
                "StringEquals": {"aws:PrincipalOrgID": organisation_id()},
                "ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/cordon/cordon-forwarder"},
                "Bool": {"events:eventBusInvocation": "true"},
            })))
        cls.roles = apply(cls.spoke.account, cls.bus)
        operator = cls.hub.user("operator", allow("sts:*"))
        root = [trust({"AWS": f"arn:aws:iam::{cls.hub.account}:root"})]
        rights = allow(["sts:AssumeRole", "sts:SetSourceIdentity"])
        # One that each role is for, and one that none is for.
        holders = {**{part: functions[0] for part, functions in MANIFEST["holders"].items()}, "notify": "notify"}
        cls.functions = {
            part: operator.assume(cls.hub.role(f"cordon-{function}", root, rights)) for part, function in holders.items()
        }
        for name in ("victim", "break-glass-1"):
            cls.spoke.user(name)
        cls.spoke.iam.create_role(RoleName="OrganizationAccountAccessRole", AssumeRolePolicyDocument=policy(*root))
        cls.sessions = {
            part: cls.functions[part].assume(cls.roles[part], INCIDENT, ExternalId=EXTERNAL_ID, SourceIdentity=INCIDENT)
            for part in PARTS
        }

    def test_only_its_own_function_comes_into_a_role(self):
        for part, role in self.roles.items():
            for function, session in self.functions.items():
                if function != part:
                    self.refused("AccessDenied", session.sts.assume_role, RoleArn=role, RoleSessionName=INCIDENT,
                                 ExternalId=EXTERNAL_ID, SourceIdentity=INCIDENT)
            own = self.functions[part].sts.assume_role
            for wrong in [{"ExternalId": EXTERNAL_ID}, {"SourceIdentity": INCIDENT},
                          {"ExternalId": EXTERNAL_ID + "x", "SourceIdentity": INCIDENT},
                          {"ExternalId": EXTERNAL_ID, "SourceIdentity": "somebody"}]:
                self.refused("AccessDenied", own, RoleArn=role, RoleSessionName=INCIDENT, **wrong)

    def test_the_reader_reads_and_does_nothing_else(self):
        iam = self.sessions["reader"].iam
        iam.get_user(UserName="victim")
        self.spoke.iam.attach_role_policy(RoleName="cordon-reader", PolicyArn=ADMINISTRATOR)
        try:
            self.refused("AccessDenied", iam.create_user, UserName="x")
            self.refused("AccessDenied", iam.put_user_policy, UserName="victim", PolicyName="p", PolicyDocument=policy(deny("*")))
        finally:
            self.spoke.iam.detach_role_policy(RoleName="cordon-reader", PolicyArn=ADMINISTRATOR)

    def test_containment_attaches_a_deny_and_takes_nothing_off(self):
        iam = self.sessions["containment"].iam
        iam.attach_user_policy(UserName="victim", PolicyArn=DENY_ALL)
        iam.put_user_permissions_boundary(UserName="victim", PermissionsBoundary=DENY_ALL)
        key = self.spoke.iam.list_access_keys(UserName="victim")["AccessKeyMetadata"][0]["AccessKeyId"]
        iam.update_access_key(UserName="victim", AccessKeyId=key, Status="Inactive")
        self.refused("AccessDenied", iam.attach_user_policy, UserName="victim", PolicyArn=ADMINISTRATOR)
        self.refused("AccessDenied", iam.put_user_permissions_boundary, UserName="victim", PermissionsBoundary=ADMINISTRATOR)
        self.refused("AccessDenied", iam.detach_user_policy, UserName="victim", PolicyArn=DENY_ALL)
        self.refused("AccessDenied", iam.delete_user_permissions_boundary, UserName="victim")
        self.refused("AccessDenied", iam.put_user_policy, UserName="victim", PolicyName="p", PolicyDocument=policy(deny("*")))
        self.refused("AccessDenied", iam.create_access_key, UserName="victim")

    def test_documents_writes_and_takes_nothing_off(self):
        iam = self.sessions["documents"].iam
        iam.put_user_policy(UserName="victim", PolicyName="p", PolicyDocument=policy(deny("*")))
        self.refused("AccessDenied", iam.delete_user_policy, UserName="victim", PolicyName="p")
        self.refused("AccessDenied", iam.attach_user_policy, UserName="victim", PolicyArn=DENY_ALL)

    def test_restoration_gives_back_and_makes_nobody(self):
        iam = self.sessions["restoration"].iam
        self.spoke.iam.put_user_policy(UserName="victim", PolicyName="old", PolicyDocument=policy(deny("*")))
        iam.delete_user_policy(UserName="victim", PolicyName="old")
        self.refused("AccessDenied", iam.create_user, UserName="x")
        self.refused("AccessDenied", iam.create_access_key, UserName="victim")
        self.refused("AccessDenied", iam.untag_user, UserName="victim", TagKeys=["other"])
        self.refused("AccessDenied", iam.tag_user, UserName="victim", Tags=[{"Key": "other", "Value": "x"}])
        iam.tag_user(UserName="victim", Tags=[{"Key": "SecurityApproved", "Value": "true"}])

    def test_a_session_of_restoration_that_is_cut_to_a_call_makes_no_other(self):
        self.spoke.iam.put_user_policy(UserName="victim", PolicyName="older", PolicyDocument=policy(deny("*")))
        cut = policy(allow("iam:DeleteUserPolicy", f"arn:aws:iam::{self.spoke.account}:user/victim"))
        iam = self.functions["restoration"].assume(
            self.roles["restoration"], INCIDENT, ExternalId=EXTERNAL_ID, SourceIdentity=INCIDENT, Policy=cut).iam
        iam.delete_user_policy(UserName="victim", PolicyName="older")
        self.refused("AccessDenied", iam.attach_user_policy, UserName="victim", PolicyArn=ADMINISTRATOR)
        self.refused("AccessDenied", iam.put_user_policy, UserName="victim", PolicyName="p", PolicyDocument=policy(deny("*")))

    def test_nobody_touches_what_is_protected(self):
        document = {"PolicyName": "p", "PolicyDocument": policy(deny("*"))}
        protected = ["cordon-reader", "cordon-forwarder", "OrganizationAccountAccessRole"]
        for part in ("containment", "documents", "restoration"):
            iam = self.sessions[part].iam
            self.refused("AccessDenied", iam.put_user_policy, UserName="break-glass-1", **document)
            self.refused("AccessDenied", iam.attach_user_policy, UserName="break-glass-1", PolicyArn=DENY_ALL)
            for role in protected:
                self.refused("AccessDenied", iam.put_role_policy, RoleName=role, **document)
                self.refused("AccessDenied", iam.attach_role_policy, RoleName=role, PolicyArn=DENY_ALL)
                self.refused("AccessDenied", iam.put_role_permissions_boundary, RoleName=role, PermissionsBoundary=DENY_ALL)

    def test_its_rules_forward_to_the_hub_and_bury_what_the_hub_refuses(self):
        url, arn = queue(self.hub, "seen")
        self.hub.events.put_rule(Name="all", EventBusName="cordon", EventPattern='{"source": [{"prefix": "aws."}]}')
        self.hub.events.put_targets(Rule="all", EventBusName="cordon", Targets=[{"Id": "q", "Arn": arn}])
        event = {"account": self.spoke.account, "region": REGION, "source": "aws.iam", "id": "i-1",
                 "detail-type": "AWS API Call via CloudTrail", "detail": {"eventName": "CreateUser"}}
        emulator().tell("event " + json.dumps(event))
        ((got, _),) = eventually(lambda: messages(self.hub, url))
        self.assertEqual((got["id"], got["account"]), ("i-1", self.spoke.account))

        letters = self.spoke.sqs.get_queue_url(QueueName="cordon-undelivered-events")["QueueUrl"]
        self.assertEqual(messages(self.spoke, letters), [])
        self.spoke.iam.put_role_policy(RoleName="cordon-forwarder", PolicyName="stop", PolicyDocument=policy(deny("*")))
        emulator().tell("event " + json.dumps({**event, "id": "i-2"}))
        ((got, why),) = eventually(lambda: messages(self.spoke, letters))
        self.assertEqual((got["id"], why["ERROR_CODE"]), ("i-2", "NO_PERMISSIONS"))
