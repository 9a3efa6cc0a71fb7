# What each function may do, one document a function. Only the remediator can change IAM, only in mode `enforce`, only in scope.

data "aws_iam_policy_document" "function" {
  for_each = local.functions

  source_policy_documents = [
    data.aws_iam_policy_document.logs[each.key].json,
    data.aws_iam_policy_document.table.json,
    {
      classify          = data.aws_iam_policy_document.classify.json
      check-exceptions  = data.aws_iam_policy_document.read_principals.json
      notify            = data.aws_iam_policy_document.notify.json
      wait-for-approval = data.aws_iam_policy_document.ask_and_answer.json
      slack-callback    = data.aws_iam_policy_document.slack_callback.json
      remediate         = data.aws_iam_policy_document.remediate.json
    }[each.key],
  ]
}

data "aws_iam_policy_document" "logs" {
  for_each = local.functions

  statement {
    sid       = "WriteOwnLog"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["arn:aws:logs:${local.region}:${local.account}:log-group:/aws/lambda/${var.name}-${each.key}:*"]
  }

  dynamic "statement" {
    for_each = var.tracing ? ["xray"] : []

    content {
      sid       = "SendTraces"
      actions   = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
      resources = ["*"] # X-Ray knows no resources for these.
    }
  }
}

# The incidents. Nothing is ever deleted through this: entries of a timeline are only added, and what expires does so by
# `expires_at`.
# A transaction is authorised as the actions of its items.
data "aws_iam_policy_document" "table" {
  statement {
    sid = "IncidentsTable"
    actions = [
      "dynamodb:ConditionCheckItem",
      "dynamodb:GetItem",
      "dynamodb:PutItem",
      "dynamodb:Query",
      "dynamodb:UpdateItem",
    ]
    resources = [aws_dynamodb_table.incidents.arn]
  }
}

data "aws_iam_policy_document" "read_secret" {
  statement {
    sid       = "ReadSlackSecret"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [aws_secretsmanager_secret.slack.arn]
  }
}

data "aws_iam_policy_document" "classify" {
  statement {
    sid       = "QueryIndexes"
    actions   = ["dynamodb:Query"]
    resources = ["${aws_dynamodb_table.incidents.arn}/index/*"]
  }

  statement {
    sid       = "ReadWhoItIs"
    actions   = ["iam:GetRole", "iam:GetUser"]
    resources = ["${local.iam}:role/*", "${local.iam}:user/*"]
  }

  statement {
    sid       = "ReadWhatAPolicyGrants"
    actions   = ["iam:GetPolicy", "iam:GetPolicyVersion"]
    resources = ["${local.iam}:policy/*", "arn:aws:iam::aws:policy/*"]
  }
}

data "aws_iam_policy_document" "read_principals" {
  statement {
    sid = "ReadPrincipals"
    actions = [
      "iam:GetGroup",
      "iam:GetRole",
      "iam:GetRolePolicy",
      "iam:GetUser",
      "iam:GetUserPolicy",
      "iam:ListAccessKeys",
      "iam:ListAttachedGroupPolicies",
      "iam:ListAttachedRolePolicies",
      "iam:ListAttachedUserPolicies",
      "iam:ListGroupsForUser",
      "iam:ListRolePolicies",
      "iam:ListRoleTags",
      "iam:ListUserPolicies",
      "iam:ListUserTags",
    ]
    resources = ["${local.iam}:group/*", "${local.iam}:role/*", "${local.iam}:user/*"]
  }

  # The request names a key, not its user, so that the user's ARN is not always there to be judged by.
  statement {
    sid       = "ReadWhatAKeyWasUsedFor"
    actions   = ["iam:GetAccessKeyLastUsed"]
    resources = ["*"]
  }
}

data "aws_iam_policy_document" "notify" {
  source_policy_documents = [data.aws_iam_policy_document.read_secret.json]

  statement {
    sid       = "PublishAlerts"
    actions   = ["sns:Publish"]
    resources = concat([aws_sns_topic.alerts.arn], var.alert_topic_arns)
  }

  # Closing an incident frees its place, so that the next event of the same case opens a new one.
  statement {
    sid       = "FreeThePlaceOfAClosedIncident"
    actions   = ["dynamodb:DeleteItem"]
    resources = [aws_dynamodb_table.incidents.arn]

    condition {
      test     = "ForAllValues:StringLike"
      variable = "dynamodb:LeadingKeys"
      values   = ["OPEN#*"]
    }
  }
}

# Both can complete a task: slack-callback with a click, wait-for-approval with a decision that was made while its state was being
# retried. A denial is an answer like another, so nobody needs to fail a task.
data "aws_iam_policy_document" "ask_and_answer" {
  source_policy_documents = [data.aws_iam_policy_document.read_secret.json]

  statement {
    sid       = "AnswerWaitingTasks"
    actions   = ["states:SendTaskSuccess"]
    resources = length(var.task_token_resources) == 0 ? [local.state_machine_arn] : var.task_token_resources
  }
}

# A click on Undo starts an execution, which does nothing without the wish that the same function wrote into the table.
data "aws_iam_policy_document" "slack_callback" {
  source_policy_documents = [data.aws_iam_policy_document.ask_and_answer.json]

  statement {
    sid       = "StartAnUndo"
    actions   = ["states:StartExecution"]
    resources = [local.state_machine_arn]
  }
}

locals {
  # Any policy of the account's own can be the administrator's under another name.
  remediable_policies   = concat(var.remediable_policy_arns, ["${local.iam}:policy/*"])
  remediable_principals = [for resource in var.remediation_scope : "${local.iam}:${resource}"]
}

data "aws_iam_policy_document" "remediate" {
  source_policy_documents = [data.aws_iam_policy_document.read_principals.json]

  # In a dry run these statements are not there at all, so that nothing the function believes can make it change anything.
  dynamic "statement" {
    for_each = var.mode == "enforce" ? ["detach-policy"] : []

    content {
      # Attaching is undoing: what the Undo button restores. The function attaches only what a snapshot of its own says.
      sid = "DetachAndAttachAgain"
      actions = [
        "iam:AttachGroupPolicy",
        "iam:AttachRolePolicy",
        "iam:AttachUserPolicy",
        "iam:DetachGroupPolicy",
        "iam:DetachRolePolicy",
        "iam:DetachUserPolicy",
      ]
      # AWS authorises these on the principal. The policies are listed for the sandbox's emulator, which takes a group's
      # attachment for an action on the policy; on AWS they match nothing.
      resources = concat(local.remediable_principals, local.remediable_policies)

      # AWS always sends this key with these actions. `IfExists` is again for the emulator, which does not know it.
      condition {
        test     = "ArnLikeIfExists"
        variable = "iam:PolicyARN"
        values   = local.remediable_policies
      }
    }
  }

  dynamic "statement" {
    for_each = var.mode == "enforce" ? ["deny-iam"] : []

    content {
      # Deleting is undoing, and the end of a containment that went ahead of a question and was denied.
      sid       = "DenyIamAndTakeItBack"
      actions   = ["iam:DeleteRolePolicy", "iam:DeleteUserPolicy", "iam:PutRolePolicy", "iam:PutUserPolicy"]
      resources = local.remediable_principals
    }
  }

  # Whatever the scope says, Cordon does not touch itself.
  statement {
    sid    = "NeverItself"
    effect = "Deny"
    actions = [
      "iam:AttachRolePolicy",
      "iam:DeleteRolePolicy",
      "iam:DetachRolePolicy",
      "iam:PutRolePolicy",
    ]
    resources = local.own_roles
  }
}
