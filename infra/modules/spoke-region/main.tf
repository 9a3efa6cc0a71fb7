# One region of one account: rules that send AWS's own events straight to the hub's bus, and a queue for what did not arrive.
#
# A bus takes events as they are: a target here has no input and no transformer, and an event makes one hop.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.id

  given = [for pattern in var.event_patterns : try(jsondecode(pattern), pattern)]

  # A rule is named by its pattern, so that a changed pattern is a new rule that is there before the old one goes. A pattern
  # without a source is one of CloudTrail's records, whose source is the service that was called.
  patterns = {
    for pattern in [for one in local.given : jsonencode(merge(one, { source = try(one.source, [{ prefix = "aws." }]) }))] :
    substr(sha256(pattern), 0, 12) => pattern
  }

  # EventBridge's quota for one pattern, unless it was raised.
  pattern_limit = 2048
}

resource "aws_cloudwatch_event_rule" "forward" {
  for_each = local.patterns

  name          = "${var.name}-forward-${each.key}"
  description   = "Events that a rule of Cordon can match, on their way to the hub."
  event_pattern = each.value
  state         = var.event_rule_state

  lifecycle {
    create_before_destroy = true

    precondition {
      condition     = alltrue([for source in jsondecode(each.value).source : startswith(try(source.prefix, source), "aws.")])
      error_message = "Event pattern ${each.key} names a source that anybody can put: only AWS's own events are forwarded."
    }

    precondition {
      condition     = length(each.value) <= local.pattern_limit
      error_message = "Event pattern ${each.key} has ${length(each.value)} characters; EventBridge takes ${local.pattern_limit}. Let `cordon package` split it."
    }
  }
}

resource "aws_cloudwatch_event_target" "forward" {
  for_each = aws_cloudwatch_event_rule.forward

  rule      = each.value.name
  target_id = "hub"
  arn       = var.hub_bus_arn
  role_arn  = var.forwarder_role_arn

  # A permission that is missing is not tried again.
  retry_policy {
    maximum_event_age_in_seconds = 3600
    maximum_retry_attempts       = 60
  }

  dead_letter_config {
    arn = aws_sqs_queue.undelivered.arn
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_sqs_queue" "undelivered" {
  name                      = "${var.name}-undelivered-events"
  message_retention_seconds = 1209600 # 14 days, the longest there is
  sqs_managed_sse_enabled   = true

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "RulesOfCordonMaySend"
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = "arn:${local.partition}:sqs:${local.region}:${local.account}:${var.name}-undelivered-events"
      Condition = {
        ArnLike = { "aws:SourceArn" = "arn:${local.partition}:events:${local.region}:${local.account}:rule/${var.name}-forward-*" }
      }
    }]
  })
}

resource "aws_cloudwatch_metric_alarm" "undelivered" {
  alarm_name          = "${var.name}-undelivered-events"
  alarm_description   = "An event did not reach Cordon's hub. The message in the queue says why (ERROR_CODE) and which record it is."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = aws_sqs_queue.undelivered.name }
  statistic           = "Maximum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  period              = 60
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
}

# Nobody who listens is a mistake that is seen at the plan, and does not stop it.
check "somebody_hears_of_a_lost_event" {
  assert {
    condition     = length(var.alarm_topic_arns) > 0
    error_message = "Nobody hears of an event that is not forwarded: name a topic in alarm_topic_arns, or let the hub's coverage look."
  }
}
