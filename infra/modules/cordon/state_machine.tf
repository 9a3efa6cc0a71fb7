# The state machine, whose definition is a template beside its documentation in statemachine/.

locals {
  # The version that this deployment published. Spelled out because not every emulator qualifies `qualified_arn`.
  published_arns = { for key, function in aws_lambda_function.function : key => "${function.arn}:${function.version}" }
}

resource "aws_sfn_state_machine" "incident_response" {
  name     = var.name
  role_arn = aws_iam_role.state_machine.arn
  type     = "STANDARD"

  definition = templatefile("${path.module}/../../../statemachine/incident-response.asl.json", {
    classify_arn               = local.published_arns["classify"]
    check_exceptions_arn       = local.published_arns["check-exceptions"]
    notify_arn                 = local.published_arns["notify"]
    wait_for_approval_arn      = local.published_arns["wait-for-approval"]
    remediate_arn              = local.published_arns["remediate"]
    approval_timeout_seconds   = var.approval_timeout_seconds
    escalation_timeout_seconds = var.escalation_timeout_seconds
    settle_seconds             = var.settle_seconds
  })

  # Execution data would carry the task token into the log, so only names, times and errors are written.
  logging_configuration {
    level                  = "ALL"
    include_execution_data = false
    log_destination        = "${aws_cloudwatch_log_group.state_machine.arn}:*"
  }

  tracing_configuration {
    enabled = var.tracing
  }

  depends_on = [aws_iam_role_policy.state_machine]
}

# The prefix keeps the log delivery's resource policy from growing with every state machine in the account.
resource "aws_cloudwatch_log_group" "state_machine" {
  name              = "/aws/vendedlogs/states/${var.name}"
  retention_in_days = var.log_retention_days
}

resource "aws_iam_role" "state_machine" {
  name               = "${var.name}-state-machine"
  description        = "Lets Cordon's state machine call its functions."
  assume_role_policy = data.aws_iam_policy_document.trust["states"].json
}

resource "aws_iam_role_policy" "state_machine" {
  name   = "call-functions"
  role   = aws_iam_role.state_machine.name
  policy = data.aws_iam_policy_document.state_machine.json
}

data "aws_iam_policy_document" "state_machine" {
  # Every version, because an execution that began before a deployment still calls the old ones.
  statement {
    sid     = "CallAnyVersion"
    actions = ["lambda:InvokeFunction"]
    resources = [
      for function in ["classify", "check-exceptions", "notify", "wait-for-approval", "remediate"] :
      "arn:${local.partition}:lambda:${local.region}:${local.account}:function:${var.name}-${function}:*"
    ]
  }

  # Log delivery knows no resources; this is the list that Step Functions documents.
  statement {
    sid = "DeliverLogs"
    actions = [
      "logs:CreateLogDelivery",
      "logs:DeleteLogDelivery",
      "logs:DescribeLogGroups",
      "logs:DescribeResourcePolicies",
      "logs:GetLogDelivery",
      "logs:ListLogDeliveries",
      "logs:PutResourcePolicy",
      "logs:UpdateLogDelivery",
    ]
    resources = ["*"]
  }

  dynamic "statement" {
    for_each = var.tracing ? ["xray"] : []

    content {
      sid = "SendTraces"
      actions = [
        "xray:GetSamplingRules",
        "xray:GetSamplingTargets",
        "xray:PutTelemetryRecords",
        "xray:PutTraceSegments",
      ]
      resources = ["*"]
    }
  }
}
