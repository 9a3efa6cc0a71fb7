"""From an event in one account to a target in another: who lets it through, what arrives, and what becomes of the rest."""

import json

from support import (
    FOR_EVENTS, OTHER_REGION, REGION, Caller, Case, allow, deny, emulator, eventually, make_organisation, member_account,
    messages, new_account, number, organisation_id, policy, queue,
)

SOURCE = "test.spoke"


def setUpModule():
    make_organisation()


class Hub:
    """An account with a bus that admits the organisation's forwarders, and a queue behind it."""

    def __init__(self, condition=None, region=REGION):
        self.caller, self.name, self.region = member_account(), f"hub-{number()}", region
        self.events = self.caller.client("events", region)
        self.arn = self.events.create_event_bus(Name=self.name)["EventBusArn"]
        self.admit(condition)
        self.queue, queue_arn = queue(self.caller, self.name, region=region)
        self.events.put_rule(Name="all", EventBusName=self.name, EventPattern=json.dumps({"source": [{"prefix": ""}]}))
        self.events.put_targets(Rule="all", EventBusName=self.name, Targets=[{"Id": "queue", "Arn": queue_arn}])

    def admit(self, condition=None):
        statement = {
            "Effect": "Allow", "Principal": "*", "Action": "events:PutEvents", "Resource": self.arn,
            "Condition": condition or self.condition(),
        }
        self.events.put_permission(EventBusName=self.name, Policy=policy(statement))

    @staticmethod
    def condition():
        return {
            "StringEquals": {"aws:PrincipalOrgID": organisation_id()},
            "ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/cordon/cordon-forwarder"},
            "Bool": {"events:eventBusInvocation": "true"},
        }

    def refuse(self):
        self.events.remove_permission(EventBusName=self.name, RemoveAllPermissions=True)

    def got(self):
        return [body for body, _ in messages(self.caller, self.queue, self.region)]


class Spoke:
    """An account whose default bus forwards to a hub, with a dead-letter queue."""

    def __init__(self, hub, caller=None, region=REGION, role="cordon-forwarder", target=True, rights=None):
        self.hub, self.caller, self.region = hub, caller or member_account(), region
        self.events = self.caller.client("events", region)
        self.letters, self.letters_arn = queue(self.caller, "letters", region=region)
        rights = rights or [allow("events:PutEvents", hub.arn)]
        self.role = self.caller.role(role, FOR_EVENTS, *rights, Path="/cordon/")
        self.events.put_rule(Name="forward", EventPattern=json.dumps({"source": [SOURCE, {"prefix": "aws."}]}))
        if target:
            self.forward()

    def target(self, **more):
        return {"Id": "hub", "Arn": self.hub.arn, "RoleArn": self.role, "DeadLetterConfig": {"Arn": self.letters_arn}, **more}

    def forward(self, **more):
        return self.events.put_targets(Rule="forward", Targets=[self.target(**more)])

    def put(self, source=SOURCE, **more):
        return self.events.put_events(Entries=[{"Source": source, "DetailType": "t", "Detail": '{"n": 1}', **more}])

    def buried(self):
        return messages(self.caller, self.letters, self.region)


class Arrival(Case):
    def test_an_event_of_a_spoke_arrives_unchanged_on_the_hubs_bus(self):
        hub = Hub()
        spoke = Spoke(hub)
        put = spoke.put(Resources=["arn:aws:iam::1:user/x"])
        (event,) = hub.got()
        self.assertEqual(event["id"], put["Entries"][0]["EventId"])
        self.assertEqual((event["account"], event["region"]), (spoke.caller.account, REGION))
        self.assertEqual((event["source"], event["detail-type"], event["detail"]), (SOURCE, "t", {"n": 1}))
        self.assertEqual(event["resources"], ["arn:aws:iam::1:user/x"])
        fields = {"version", "id", "source", "account", "time", "region", "resources", "detail-type", "detail"}
        self.assertEqual(set(event), fields)
        self.assertEqual(spoke.buried(), [])

    def test_it_arrives_from_another_region_with_the_region_of_its_origin(self):
        hub = Hub()
        spoke = Spoke(hub, region=OTHER_REGION)
        spoke.put()
        self.assertEqual([(event["account"], event["region"]) for event in hub.got()], [(spoke.caller.account, OTHER_REGION)])

    def test_a_hub_reads_its_own_account_and_its_other_regions_too(self):
        hub = Hub()
        spoke = Spoke(hub, caller=hub.caller, region=OTHER_REGION)
        spoke.put()
        self.assertEqual([event["region"] for event in hub.got()], [OTHER_REGION])

    def test_it_starts_a_state_machine_of_the_hub(self):
        hub = Hub()
        assumed = [{"Effect": "Allow", "Principal": {"Service": ["states.amazonaws.com"]}, "Action": "sts:AssumeRole"}]
        machine_role = hub.caller.role("machine", assumed)
        definition = json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}})
        states = hub.caller.stepfunctions
        machine = states.create_state_machine(name="m", definition=definition, roleArn=machine_role)["stateMachineArn"]
        starter = hub.caller.role("starter", FOR_EVENTS, allow("states:StartExecution", machine))
        hub.events.put_targets(Rule="all", EventBusName=hub.name, Targets=[{"Id": "m", "Arn": machine, "RoleArn": starter}])
        spoke = Spoke(hub)
        spoke.put()
        execution = eventually(lambda: states.list_executions(stateMachineArn=machine)["executions"])[0]["executionArn"]
        self.assertEqual(json.loads(states.describe_execution(executionArn=execution)["input"])["account"], spoke.caller.account)

    def test_an_archive_of_the_hubs_bus_keeps_it(self):
        hub = Hub()
        hub.events.create_archive(ArchiveName=hub.name, EventSourceArn=hub.arn)
        Spoke(hub).put()
        self.assertEqual(hub.events.describe_archive(ArchiveName=hub.name)["EventCount"], 1)


class Voice(Case):
    def test_an_event_of_aws_arrives_with_the_account_in_which_aws_made_it(self):
        hub = Hub()
        spoke = Spoke(hub)
        event = {"account": spoke.caller.account, "region": REGION, "source": "aws.iam", "id": "i-1",
                 "detail-type": "AWS API Call via CloudTrail", "detail": {"eventName": "CreateUser"}}
        emulator().tell("event " + json.dumps(event))
        (got,) = eventually(hub.got)
        self.assertEqual((got["id"], got["source"], got["account"], got["detail"]),
                         ("i-1", "aws.iam", spoke.caller.account, {"eventName": "CreateUser"}))

    def test_a_line_that_is_no_event_of_aws_is_refused_and_harms_nothing(self):
        for line in ["event", "event {", 'event {"source": "aws.iam"}', "nonsense", "event " + json.dumps(
                {"account": "1" * 12, "region": REGION, "source": "custom", "detail-type": "t", "detail": {}})]:
            emulator().tell(line)
        self.test_an_event_of_aws_arrives_with_the_account_in_which_aws_made_it()


class Hops(Case):
    def relay(self, relay, hub):
        """Has the bus of `relay` send all that it gets to `hub`, and gives a queue for what is not delivered."""
        url, arn = queue(relay.caller, f"letters-{number()}", region=relay.region)
        role = relay.caller.role("cordon-forwarder", FOR_EVENTS, allow("events:PutEvents"), Path="/cordon/")
        target = {"Id": "next", "Arn": hub.arn, "RoleArn": role, "DeadLetterConfig": {"Arn": arn}}
        relay.events.put_targets(Rule="all", EventBusName=relay.name, Targets=[target])
        return url

    def test_no_event_goes_on_to_a_third_account(self):
        hub, relay = Hub(), Hub()
        letters = self.relay(relay, hub)
        spoke = Spoke(relay)
        spoke.put()
        self.assertEqual(len(relay.got()), 1)
        self.assertEqual(hub.got(), [])
        ((event, why),) = messages(relay.caller, letters)
        self.assertEqual((event["account"], why["ERROR_CODE"]), (spoke.caller.account, "THIRD_ACCOUNT_HOP_DETECTED"))

    def test_no_event_goes_on_to_a_third_region_or_a_third_bus(self):
        hub = Hub()
        relay = Hub(region=OTHER_REGION)
        letters = self.relay(relay, hub)
        Spoke(relay, caller=relay.caller, role="cordon-forwarder-home").put()
        self.assertEqual((len(relay.got()), hub.got()), (1, []))
        self.assertEqual(len(messages(relay.caller, letters, OTHER_REGION)), 1)

        relay = Hub()
        relay.events.create_event_bus(Name="last")
        last, arn = queue(relay.caller, "last")
        relay.events.put_rule(Name="all-last", EventBusName="last", EventPattern=json.dumps({"source": [{"prefix": ""}]}))
        relay.events.put_targets(Rule="all-last", EventBusName="last", Targets=[{"Id": "q", "Arn": arn}])
        role = relay.caller.role("inner", FOR_EVENTS, allow("events:PutEvents"))
        target = {"Id": "last", "Arn": relay.arn.replace(relay.name, "last"), "RoleArn": role}
        relay.events.put_targets(Rule="all", EventBusName=relay.name, Targets=[target])
        Spoke(relay, caller=relay.caller).put()
        self.assertEqual((len(relay.got()), messages(relay.caller, last)), (1, []))

    def test_an_event_put_from_elsewhere_goes_no_further(self):
        hub, relay = Hub(), Hub(condition={"StringEquals": {"aws:PrincipalOrgID": organisation_id()}})
        letters = self.relay(relay, hub)
        entry = {"Source": SOURCE, "DetailType": "t", "Detail": "{}", "EventBusName": relay.arn}
        member_account().events.put_events(Entries=[entry])
        self.assertEqual((len(relay.got()), hub.got(), len(messages(relay.caller, letters))), (1, [], 1))

    def test_a_replay_makes_no_second_hop_either(self):
        hub, relay = Hub(), Hub()
        relay.events.create_archive(ArchiveName=relay.name, EventSourceArn=relay.arn)
        Spoke(relay).put()
        letters = self.relay(relay, hub)
        relay.events.start_replay(ReplayName=relay.name, EventSourceArn=relay.arn.replace("event-bus", "archive"),
                                  EventStartTime=0, EventEndTime=4102444800, Destination={"Arn": relay.arn})
        ((event, why),) = eventually(lambda: messages(relay.caller, letters))
        self.assertEqual((event["replay-name"], why["ERROR_CODE"]), (relay.name, "THIRD_ACCOUNT_HOP_DETECTED"))
        self.assertEqual(hub.got(), [])


class DeadLetters(Case):
    def check(self, spoke, code):
        put = spoke.put()
        self.assertEqual(put["FailedEntryCount"], 0)
        self.assertEqual(spoke.hub.got(), [])
        ((event, why),) = spoke.buried()
        self.assertEqual((event["id"], event["account"]), (put["Entries"][0]["EventId"], spoke.caller.account))
        rule = f"arn:aws:events:{REGION}:{spoke.caller.account}:rule/forward"
        self.assertEqual((why["RULE_ARN"], why["TARGET_ARN"], why["ERROR_CODE"]), (rule, spoke.hub.arn, code))
        return why["ERROR_MESSAGE"]

    def test_a_hub_that_no_longer_admits(self):
        spoke = Spoke(Hub())
        spoke.hub.refuse()
        self.assertIn("does not admit", self.check(spoke, "NO_PERMISSIONS"))

    def test_a_hub_whose_bus_is_gone_keeps_its_policy_to_itself(self):
        spoke = Spoke(Hub())
        spoke.hub.events.delete_event_bus(Name=spoke.hub.name)
        self.check(spoke, "NO_RESOURCE")

    def test_each_condition_of_the_bus_is_asked(self):
        for condition in [
            {"StringEquals": {"aws:PrincipalOrgID": "o-another"}},
            {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/cordon-forwarder"}},
            {"Bool": {"events:eventBusInvocation": "false"}},
            {"StringEquals": {"events:source": "another"}},
            {"ArnLike": {"aws:SourceArn": "arn:aws:events:*:*:rule/another"}},
        ]:
            with self.subTest(condition=condition):
                spoke = Spoke(Hub())
                spoke.hub.admit(condition)
                self.check(spoke, "NO_PERMISSIONS")

    def test_the_conditions_hold_where_they_should(self):
        for condition in [
            {"ArnLike": {"aws:SourceArn": "arn:aws:events:*:*:rule/forward"}},
            {"StringEquals": {"events:source": SOURCE, "events:detail-type": "t"}},
            {"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": f"{organisation_id()}/r-*"}},
        ]:
            with self.subTest(condition=condition):
                spoke = Spoke(Hub())
                spoke.hub.admit(condition)
                spoke.put()
                self.assertEqual(len(spoke.hub.got()), 1)

    def test_a_role_without_the_right(self):
        spoke = Spoke(Hub())
        spoke.caller.iam.put_role_policy(RoleName="cordon-forwarder", PolicyName="no", PolicyDocument=policy(deny("events:*")))
        self.assertIn("not authorized to perform: events:PutEvents", self.check(spoke, "NO_PERMISSIONS"))

    def test_a_role_with_the_right_to_another_bus(self):
        hub = Hub()
        self.check(Spoke(hub, rights=[allow("events:PutEvents", hub.arn + "x")]), "NO_PERMISSIONS")

    def test_a_role_that_its_boundary_holds_back(self):
        spoke = Spoke(Hub())
        bound = spoke.caller.iam.create_policy(PolicyName="bound", PolicyDocument=policy(allow("s3:*")))["Policy"]["Arn"]
        spoke.caller.iam.put_role_permissions_boundary(RoleName="cordon-forwarder", PermissionsBoundary=bound)
        self.check(spoke, "NO_PERMISSIONS")

    def test_a_role_that_is_gone_or_does_not_trust_the_service(self):
        spoke = Spoke(Hub())
        spoke.caller.iam.update_assume_role_policy(RoleName="cordon-forwarder", PolicyDocument=policy(
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}))
        self.check(spoke, "FAILED_TO_ASSUME_ROLE")
        spoke.caller.iam.delete_role_policy(RoleName="cordon-forwarder", PolicyName="rights")
        spoke.caller.iam.delete_role(RoleName="cordon-forwarder")
        self.check(spoke, "FAILED_TO_ASSUME_ROLE")

    def test_a_queue_that_does_not_admit_this_rule_gets_no_letter(self):
        spoke = Spoke(Hub())
        spoke.hub.refuse()
        for document in ["", policy({
            "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": "*",
            "Condition": {"ArnEquals": {"aws:SourceArn": f"arn:aws:events:{REGION}:{spoke.caller.account}:rule/another"}},
        })]:
            spoke.caller.sqs.set_queue_attributes(QueueUrl=spoke.letters, Attributes={"Policy": document})
            spoke.put()
            self.assertEqual(spoke.buried(), [])

    def test_targets_in_the_account_are_checked_too(self):
        caller = Caller(new_account())
        letters, arn = queue(caller, "letters")
        admitted, good = queue(caller, "admitted")
        closed, bad = queue(caller, "closed", admitted=())
        caller.events.put_rule(Name="r", EventPattern=json.dumps({"source": [SOURCE]}))
        caller.events.put_targets(Rule="r", Targets=[
            {"Id": name, "Arn": target, "DeadLetterConfig": {"Arn": arn}}
            for name, target in [("good", good), ("bad", bad), ("none", good.replace("admitted", "none"))]
        ])
        caller.events.put_events(Entries=[{"Source": SOURCE, "DetailType": "t", "Detail": "{}"}])
        self.assertEqual((len(messages(caller, admitted)), messages(caller, closed)), (1, []))
        codes = {why["TARGET_ARN"].rsplit(":", 1)[-1]: why["ERROR_CODE"] for _, why in messages(caller, letters)}
        self.assertEqual(codes, {"closed": "NO_PERMISSIONS", "none": "NO_RESOURCE"})
