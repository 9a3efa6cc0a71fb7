"""What is refused at the door: targets, events and policies that AWS does not take."""

import json

from support import (
    FOR_EVENTS, OTHER_REGION, REGION, Caller, Case, allow, deny, eventually, make_organisation, member_account, messages,
    new_account, number, organisation_id, policy, queue,
)

INPUTS = {
    "Input": '{"account": "000000000000"}',
    "InputPath": "$.detail",
    "InputTransformer": {"InputPathsMap": {"a": "$.account"}, "InputTemplate": '{"account": "<a>"}'},
}


def setUpModule():
    make_organisation()


class Door(Case):
    def setUp(self):
        self.hub, self.spoke, self.name = member_account(), member_account(), f"bus-{number()}"
        self.bus = self.hub.events.create_event_bus(Name=self.name)["EventBusArn"]
        self.role = self.spoke.role("cordon-forwarder", FOR_EVENTS, allow("events:PutEvents"))
        self.spoke.events.put_rule(Name="forward", EventPattern='{"source": ["s"]}')

    def admit(self, principal="*", **condition):
        statement = {"Effect": "Allow", "Principal": principal, "Action": "events:PutEvents", "Resource": self.bus}
        if condition:
            statement["Condition"] = condition
        self.hub.events.put_permission(EventBusName=self.name, Policy=policy(statement))

    def admit_forwarders(self):
        self.admit(StringEquals={"aws:PrincipalOrgID": organisation_id()},
                   ArnLike={"aws:PrincipalArn": "arn:aws:iam::*:role/cordon-forwarder"},
                   Bool={"events:eventBusInvocation": "true"})

    def entry(self, **more):
        return {"Source": "s", "DetailType": "t", "Detail": "{}", "EventBusName": self.bus, **more}


class Targets(Door):
    def put(self, events=None, **more):
        target = {"Id": "hub", "Arn": self.bus, "RoleArn": self.role, **more}
        return (events or self.spoke.events).put_targets(Rule="forward", Targets=[target])

    def is_refused(self, code, **more):
        target = {"Id": "hub", "Arn": self.bus, "RoleArn": self.role, **more}
        message = self.refused(code, self.spoke.events.put_targets, Rule="forward", Targets=[target])
        self.assertEqual(self.spoke.events.list_targets_by_rule(Rule="forward")["Targets"], [])
        return message

    def test_no_bus_is_a_target_before_its_policy_admits(self):
        self.assertIn("not authorized to perform: events:PutEvents", self.is_refused("AccessDeniedException"))
        self.admit_forwarders()
        self.assertEqual(self.put()["FailedEntryCount"], 0)

    def test_a_bus_that_does_not_exist_looks_like_one_that_does_not_admit(self):
        self.is_refused("AccessDeniedException", Arn=self.bus + "x")

    def test_an_account_outside_the_organisation_is_not_admitted(self):
        self.admit_forwarders()
        outsider = Caller(new_account())
        role = outsider.role("cordon-forwarder", FOR_EVENTS, allow("events:PutEvents"))
        outsider.events.put_rule(Name="forward", EventPattern='{"source": ["s"]}')
        target = {"Id": "hub", "Arn": self.bus, "RoleArn": role}
        self.refused("AccessDeniedException", outsider.events.put_targets, Rule="forward", Targets=[target])

    def test_a_role_of_another_name_is_not_admitted(self):
        self.admit_forwarders()
        other = self.spoke.role("another", FOR_EVENTS, allow("events:PutEvents"))
        self.is_refused("AccessDeniedException", RoleArn=other)

    def test_no_bus_takes_anything_but_the_event(self):
        self.admit_forwarders()
        for name, value in INPUTS.items():
            with self.subTest(name):
                self.assertIn(name, self.is_refused("ValidationException", **{name: value}))

    def test_nor_does_a_bus_of_the_same_account_or_of_another_region(self):
        for region in [REGION, OTHER_REGION]:
            bus = self.spoke.client("events", region).create_event_bus(Name="own")["EventBusArn"]
            for name, value in INPUTS.items():
                with self.subTest(name, region=region):
                    self.is_refused("ValidationException", Arn=bus, **{name: value})

    def test_a_bus_elsewhere_needs_a_role_and_one_of_the_rules_account(self):
        self.admit()
        target = {"Id": "hub", "Arn": self.bus}
        self.refused("ValidationException", self.spoke.events.put_targets, Rule="forward", Targets=[target])
        foreign = self.hub.role("cordon-forwarder", FOR_EVENTS, allow("events:PutEvents"))
        self.assertIn("Cross-account pass role", self.is_refused("AccessDeniedException", RoleArn=foreign))

    def test_a_stack_is_refused_what_put_targets_refuses(self):
        self.admit_forwarders()
        for number_, more in enumerate([{"Input": "{}"}, {"Arn": self.bus + "x"}, {}]):
            target = {"Id": "hub", "Arn": self.bus, "RoleArn": self.role, **more}
            rule = {"Type": "AWS::Events::Rule", "Properties": {"EventPattern": {"source": ["s"]}, "Targets": [target]}}
            stacks = self.spoke.cloudformation
            stacks.create_stack(StackName=f"s{number_}", TemplateBody=json.dumps({"Resources": {"Rule": rule}}))
            with self.subTest(more=more):
                def status():
                    now = stacks.describe_stacks(StackName=f"s{number_}")["Stacks"][0]["StackStatus"]
                    return None if now == "CREATE_IN_PROGRESS" or now == "ROLLBACK_IN_PROGRESS" else now

                self.assertEqual(eventually(status), "ROLLBACK_COMPLETE" if more else "CREATE_COMPLETE")


class Events(Door):
    def test_nobody_puts_an_event_of_aws(self):
        self.admit()
        for bus in [self.bus, "default"]:
            for source in ["aws.iam", "aws.partner/example.com/1", "aws."]:
                with self.subTest(source, bus=bus):
                    answer = self.spoke.events.put_events(Entries=[self.entry(Source=source, EventBusName=bus)])
                    self.assertEqual((answer["FailedEntryCount"], answer["Entries"][0]["ErrorCode"]),
                                     (1, "NotAuthorizedForSourceException"))

    def test_an_event_that_is_put_is_no_invocation_by_a_bus(self):
        self.admit_forwarders()
        message = self.refused("AccessDeniedException", self.spoke.events.put_events, Entries=[self.entry()])
        self.assertIn("no resource-based policy allows", message)
        # Not by the forwarder's own role either.
        human = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{self.spoke.account}:root"}, "Action": "sts:AssumeRole"}
        self.spoke.iam.update_assume_role_policy(RoleName="cordon-forwarder", PolicyDocument=policy(human))
        user = self.spoke.user("admin", allow("*"))
        self.refused("AccessDeniedException", user.assume(self.role).events.put_events, Entries=[self.entry()])

    def test_where_the_policy_admits_it_arrives_with_the_callers_account(self):
        url, arn = queue(self.hub, self.name)
        self.hub.events.put_rule(Name="all", EventBusName=self.name, EventPattern='{"source": ["s"]}')
        self.hub.events.put_targets(Rule="all", EventBusName=self.name, Targets=[{"Id": "q", "Arn": arn}])
        self.admit({"AWS": f"arn:aws:iam::{self.spoke.account}:root"})
        answer = self.spoke.events.put_events(Entries=[self.entry(), self.entry(EventBusName="default")])
        self.assertEqual(answer["FailedEntryCount"], 0)
        ((event, _),) = messages(self.hub, url)
        self.assertEqual((event["account"], event["id"]), (self.spoke.account, answer["Entries"][0]["EventId"]))
        self.refused("AccessDeniedException", member_account().events.put_events, Entries=[self.entry()])

    def test_one_refused_entry_refuses_the_call(self):
        url, arn = queue(self.spoke, "local")
        self.spoke.events.put_rule(Name="local", EventPattern='{"source": ["s"]}')
        self.spoke.events.put_targets(Rule="local", Targets=[{"Id": "q", "Arn": arn}])
        entries = [self.entry(EventBusName="default"), self.entry()]
        self.refused("AccessDeniedException", self.spoke.events.put_events, Entries=entries)
        self.assertEqual(messages(self.spoke, url), [])

    def test_the_callers_own_rights_are_needed_too(self):
        self.admit()
        self.refused("AccessDeniedException", self.spoke.user("nobody").events.put_events, Entries=[self.entry()])
        user = self.spoke.user("somebody", allow("events:PutEvents", self.bus))
        self.assertEqual(user.events.put_events(Entries=[self.entry()])["FailedEntryCount"], 0)

    def test_a_bus_refuses_its_own_account_by_a_deny_alone(self):
        entry = self.entry(EventBusName=self.name)
        self.assertEqual(self.hub.events.put_events(Entries=[entry])["FailedEntryCount"], 0)
        statement = deny("events:PutEvents", self.bus, Principal="*", Condition={"StringEquals": {"events:source": "s"}})
        self.hub.events.put_permission(EventBusName=self.name, Policy=policy(statement))
        self.refused("AccessDeniedException", self.hub.events.put_events, Entries=[entry])
        self.assertEqual(self.hub.events.put_events(Entries=[{**entry, "Source": "other"}])["FailedEntryCount"], 0)

    def test_a_bus_of_another_region_is_not_there(self):
        self.admit()
        there = self.spoke.client("events", OTHER_REGION)
        answer = there.put_events(Entries=[self.entry()])
        self.assertEqual((answer["FailedEntryCount"], answer["Entries"][0]["ErrorCode"]), (1, "ResourceNotFoundException"))

    def test_the_number_of_entries_is_limited_as_before(self):
        self.refused("ValidationException", self.hub.events.put_events, Entries=[self.entry(EventBusName="default")] * 11)


class Policies(Door):
    def read(self):
        return json.loads(self.hub.events.describe_event_bus(Name=self.name)["Policy"])

    def test_a_policy_reads_back_as_it_was_given(self):
        self.admit_forwarders()
        before = self.read()
        self.hub.events.put_permission(EventBusName=self.name, Policy=json.dumps(before))
        self.assertEqual(self.read(), before)
        self.assertEqual(before["Statement"][0]["Condition"]["Bool"], {"events:eventBusInvocation": "true"})

    def test_a_statement_is_added_by_its_name(self):
        put = self.hub.events.put_permission
        put(EventBusName=self.name, StatementId="one", Principal=self.spoke.account, Action="events:PutEvents")
        condition = {"Type": "StringEquals", "Key": "aws:PrincipalOrgID", "Value": organisation_id()}
        put(EventBusName=self.name, StatementId="two", Principal="*", Action="events:PutEvents", Condition=condition)
        one, two = self.read()["Statement"]
        self.assertEqual(one["Principal"], {"AWS": f"arn:aws:iam::{self.spoke.account}:root"})
        self.assertEqual(two["Condition"], {"StringEquals": {"aws:PrincipalOrgID": organisation_id()}})
        self.hub.events.remove_permission(EventBusName=self.name, StatementId="two")
        self.assertEqual(self.read()["Statement"], [one])

    def test_what_is_no_policy_is_refused(self):
        put = self.hub.events.put_permission
        self.refused("ValidationException", put, EventBusName=self.name, Policy="{")
        self.refused("ValidationException", put, EventBusName=self.name, Policy="{}")
        self.refused("ResourceNotFoundException", put, EventBusName="none", Policy=policy(allow("*")))
        long = [allow("events:PutEvents", self.bus, Sid=f"s{n}", Principal="*") for n in range(120)]
        self.refused("PolicyLengthExceededException", put, EventBusName=self.name, Policy=policy(*long))
