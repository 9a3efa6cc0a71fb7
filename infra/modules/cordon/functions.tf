# The functions that the state machine and Slack call: each with a log group and a role of its own, published as versions. The
# seventh, which makes calls in other accounts, is in spokes.tf.

locals {
  functions = {
    classify          = { timeout = 30, purpose = "Decides whether an event opens an incident." }
    check-exceptions  = { timeout = 30, purpose = "Decides what happens to an incident." }
    notify            = { timeout = 30, purpose = "Tells people, and closes incidents." }
    wait-for-approval = { timeout = 30, purpose = "Puts the question, and expires it." }
    slack-callback    = { timeout = 10, purpose = "Takes Slack's signed clicks." }
    remediate         = { timeout = 30, purpose = "Makes, verifies and undoes changes." }
  }

  # By their whole names: a prefix would make anybody's role of such a name untouchable.
  own_roles = [for role in concat(keys(local.functions), [for hand in keys(local.hands) : "make-${hand}"], ["events", "state-machine"]) : "${local.iam}:role/${var.name}-${role}"]

  # In other accounts Cordon is the roles that it assumes there.
  own_spokes = [for word in keys(local.spoke_roles) : "arn:${local.partition}:iam::*:role/${local.spoke_prefix}${word}"]

  environment = {
    CORDON_NAME              = var.name
    CORDON_TABLE             = aws_dynamodb_table.incidents.name
    CORDON_TOPIC_ARN         = aws_sns_topic.alerts.arn
    CORDON_SLACK_SECRET_ARN  = aws_secretsmanager_secret.slack.arn
    CORDON_SLACK_API_URL     = var.slack_api_url
    CORDON_STATE_MACHINE_ARN = local.state_machine_arn
    CORDON_OWN_PRINCIPALS    = join(",", concat(local.own_roles, local.own_spokes))
    CORDON_RELAY_SOURCE      = var.relay_source
    CORDON_FINDINGS_BUS      = var.findings_on_bus ? local.bus_name : ""
    CORDON_SECURITY_HUB      = tostring(var.security_hub)
    CORDON_SPOKE_PREFIX      = local.has_spokes ? local.spoke_prefix : ""
    CORDON_EXTERNAL_ID       = var.spoke_external_id
    CORDON_LOG               = var.log_level
  }
}

resource "aws_lambda_function" "function" {
  for_each = local.functions

  function_name    = "${var.name}-${each.key}"
  description      = each.value.purpose
  role             = aws_iam_role.function[each.key].arn
  filename         = "${var.artifacts}/${local.manifest.functions[each.key].zip}"
  source_code_hash = local.manifest.functions[each.key].sha256_base64
  architectures    = [local.manifest.architecture]
  runtime          = "provided.al2023"
  handler          = "bootstrap"
  memory_size      = 256
  timeout          = each.value.timeout

  # An execution waits for days and so crosses deployments: it keeps calling the versions that it began with.
  publish = true

  environment {
    variables = merge(local.environment, each.key == "remediate" ? local.hand_functions : {})
  }

  tracing_config {
    mode = var.tracing ? "Active" : "PassThrough"
  }

  depends_on = [aws_cloudwatch_log_group.function, aws_iam_role_policy.function]
}

resource "aws_cloudwatch_log_group" "function" {
  for_each = local.functions

  name              = "/aws/lambda/${var.name}-${each.key}"
  retention_in_days = var.log_retention_days
}

resource "aws_iam_role" "function" {
  for_each = local.functions

  name               = "${var.name}-${each.key}"
  description        = each.value.purpose
  assume_role_policy = data.aws_iam_policy_document.trust["lambda"].json
}

resource "aws_iam_role_policy" "function" {
  for_each = local.functions

  name   = each.key
  role   = aws_iam_role.function[each.key].name
  policy = data.aws_iam_policy_document.function[each.key].json
}

data "aws_iam_policy_document" "trust" {
  for_each = toset(["lambda", "states", "events"])

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["${each.key}.amazonaws.com"]
    }

    # Lambda assumes a function's role without naming a source.
    dynamic "condition" {
      for_each = each.key == "lambda" ? [] : [local.account]

      content {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [condition.value]
      }
    }
  }
}
