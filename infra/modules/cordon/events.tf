# How an event reaches the state machine: a rule for each pattern that was generated from rules/, and a queue for what could not be
# delivered. Only this account's principals may put events, and, where `organization_id` names the organisation, its accounts may
# forward theirs. Nobody can put one whose source is `aws.*`.

locals {
  bus_name = var.event_bus == "own" ? aws_cloudwatch_event_bus.own[0].name : "default"

  relay_sources = var.relay_source == "" ? [] : [var.relay_source]

  # Records of CloudTrail come from the service that was called, notices from the one service that the pattern names.
  # Keyed by the pattern's hash: a pattern that changes is another rule, made before the old one goes.
  aws_patterns = {
    for pattern in local.manifest.event_patterns :
    substr(sha256(jsonencode(pattern)), 0, 12) => merge(pattern, { source = try(pattern.source, [{ prefix = "aws." }]) })
  }

  event_patterns     = { for key, pattern in local.aws_patterns : key => jsonencode(merge(pattern, { source = concat(pattern.source, local.relay_sources) })) }
  forwarded_patterns = { for key, pattern in local.aws_patterns : key => jsonencode(pattern) if var.event_bus == "own" }

  # EventBridge's quota for one pattern, unless it was raised.
  pattern_limit = 2048
}

resource "aws_cloudwatch_event_bus" "own" {
  count = var.event_bus == "own" ? 1 : 0
  name  = var.name
}

# Names prove nothing here: an administrator of any account of the organisation can make the role and the rule. That an event is AWS's
# own, and of the account that it names, follows from three things that AWS keeps: PutEvents refuses a source `aws.*`, a target in
# another account takes no transformer, and an event makes one hop.
resource "aws_cloudwatch_event_bus_policy" "organization" {
  count = var.organization_id == "" ? 0 : 1

  event_bus_name = local.bus_name
  policy         = data.aws_iam_policy_document.organization[0].json

  lifecycle {
    precondition {
      condition     = var.event_bus == "own"
      error_message = "Accounts of an organisation forward to a bus of Cordon's own: set `event_bus = \"own\"` beside `organization_id`."
    }
  }
}

data "aws_iam_policy_document" "organization" {
  count = var.organization_id == "" ? 0 : 1

  statement {
    sid       = "RulesOfTheOrganizationMayForward"
    actions   = ["events:PutEvents"]
    resources = ["arn:${local.partition}:events:${local.region}:${local.account}:event-bus/${local.bus_name}"]

    principals {
      type        = "AWS"
      identifiers = ["*"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:PrincipalOrgID"
      values   = [var.organization_id]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:PrincipalArn"
      values   = ["arn:${local.partition}:iam::*:role${local.manifest.spoke.role_path}${var.name}-forwarder"]
    }

    # A rule that forwards, and nobody who calls PutEvents.
    condition {
      test     = "Bool"
      variable = "events:eventBusInvocation"
      values   = ["true"]
    }
  }
}

resource "aws_cloudwatch_event_rule" "incident" {
  for_each = local.event_patterns

  name           = "${var.name}-incident-${each.key}"
  description    = "Events that a rule of Cordon can match."
  event_bus_name = local.bus_name
  event_pattern  = each.value
  state          = var.event_rule_state

  lifecycle {
    create_before_destroy = true

    precondition {
      condition     = length(each.value) <= local.pattern_limit
      error_message = "Event pattern ${each.key} has ${length(each.value)} characters; EventBridge takes ${local.pattern_limit}. Let `cordon package` split it."
    }
  }
}

resource "aws_cloudwatch_event_target" "incident" {
  for_each = aws_cloudwatch_event_rule.incident

  rule           = each.value.name
  event_bus_name = local.bus_name
  target_id      = "state-machine"
  arn            = aws_sfn_state_machine.incident_response.arn
  role_arn       = aws_iam_role.events.arn

  # A late incident beats a lost one, but what has not started after an hour needs a person: the queue's alarm calls one.
  retry_policy {
    maximum_event_age_in_seconds = 3600
    maximum_retry_attempts       = 60
  }

  dead_letter_config {
    arn = aws_sqs_queue.undelivered.arn
  }

  depends_on = [aws_iam_role_policy.events]

  lifecycle {
    create_before_destroy = true
  }
}

# AWS delivers its own events to the default bus only, so an own bus has to be fed from there.
resource "aws_cloudwatch_event_rule" "forward" {
  for_each = local.forwarded_patterns

  name          = "${var.name}-forward-${each.key}"
  description   = "Events that a rule of Cordon can match, on their way to Cordon's bus."
  event_pattern = each.value
  state         = var.event_rule_state

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_cloudwatch_event_target" "forward" {
  for_each = aws_cloudwatch_event_rule.forward

  rule      = each.value.name
  target_id = "own-bus"
  arn       = aws_cloudwatch_event_bus.own[0].arn
  role_arn  = aws_iam_role.events.arn

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
  policy                    = data.aws_iam_policy_document.undelivered.json
}

data "aws_iam_policy_document" "undelivered" {
  statement {
    sid       = "RulesOfCordonMaySend"
    actions   = ["sqs:SendMessage"]
    resources = ["arn:${local.partition}:sqs:${local.region}:${local.account}:${var.name}-undelivered-events"]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values = [
        "arn:${local.partition}:events:${local.region}:${local.account}:rule/${var.name}-*",
        "arn:${local.partition}:events:${local.region}:${local.account}:rule/${var.name}/${var.name}-*",
      ]
    }
  }
}

resource "aws_iam_role" "events" {
  name               = "${var.name}-events"
  description        = "Lets EventBridge start Cordon's state machine."
  assume_role_policy = data.aws_iam_policy_document.trust["events"].json
}

resource "aws_iam_role_policy" "events" {
  name   = "start-execution"
  role   = aws_iam_role.events.name
  policy = data.aws_iam_policy_document.events.json
}

data "aws_iam_policy_document" "events" {
  statement {
    sid       = "StartTheStateMachine"
    actions   = ["states:StartExecution"]
    resources = [local.state_machine_arn]
  }

  dynamic "statement" {
    for_each = aws_cloudwatch_event_bus.own

    content {
      sid       = "ForwardToOwnBus"
      actions   = ["events:PutEvents"]
      resources = [statement.value.arn]
    }
  }
}
