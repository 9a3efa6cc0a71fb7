# The rules of one region, without an account.

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "222233334444" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { id = "eu-west-1" }
  }
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:eu-west-1:222233334444:cordon-undelivered-events" }
  }
}

variables {
  hub_bus_arn        = "arn:aws:events:us-east-1:111122223333:event-bus/cordon"
  forwarder_role_arn = "arn:aws:iam::222233334444:role/cordon/cordon-forwarder"
  alarm_topic_arns   = ["arn:aws:sns:eu-west-1:222233334444:alarms"]
  event_patterns     = [{ "detail-type" = ["AWS API Call via CloudTrail"] }, { source = ["aws.health"] }]
}

run "each_pattern_is_a_rule_that_sends_the_event_as_it_is" {
  command = apply

  assert {
    condition     = length(aws_cloudwatch_event_rule.forward) == 2
    error_message = "a rule for each pattern"
  }
  assert {
    condition = alltrue([
      for target in aws_cloudwatch_event_target.forward :
      target.arn == var.hub_bus_arn && target.role_arn == var.forwarder_role_arn && target.input == null &&
      target.input_path == null && length(target.input_transformer) == 0 &&
      target.dead_letter_config[0].arn == aws_sqs_queue.undelivered.arn
    ])
    error_message = "the hub's bus gets the event, and the queue what does not arrive"
  }
  assert {
    condition     = sort([for rule in aws_cloudwatch_event_rule.forward : jsonencode(jsondecode(rule.event_pattern).source)]) == sort(["[\"aws.health\"]", "[{\"prefix\":\"aws.\"}]"])
    error_message = "only events of AWS are forwarded"
  }
  assert {
    condition     = alltrue([for key, rule in aws_cloudwatch_event_rule.forward : rule.name == "cordon-forward-${key}"])
    error_message = "the forwarder's trust and the queue know the rules by their names"
  }
}

run "a_changed_pattern_is_another_rule" {
  command = plan

  variables {
    event_patterns = ["{\"source\": [\"aws.health\"]}"]
  }

  assert {
    condition     = keys(aws_cloudwatch_event_rule.forward) == [substr(sha256("{\"source\":[\"aws.health\"]}"), 0, 12)]
    error_message = "the rule is named by its pattern"
  }
}

run "a_pattern_that_is_too_long_is_told" {
  command = plan

  variables {
    event_patterns = [{ source = [for n in range(200) : "aws.service-${n}"] }]
  }

  expect_failures = [aws_cloudwatch_event_rule.forward]
}

run "an_event_that_anybody_can_put_is_not_forwarded" {
  command = plan

  variables {
    event_patterns = [{ source = ["aws.iam", "custom"] }]
  }

  expect_failures = [aws_cloudwatch_event_rule.forward]
}

run "nobody_who_listens_is_told" {
  command = plan

  variables {
    alarm_topic_arns = []
  }

  expect_failures = [check.somebody_hears_of_a_lost_event]
}
